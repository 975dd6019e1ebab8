"""A skill's own process: confines itself, loads the skill, then does what the host asks over one socket.

The host sends `begin` (call a handler), `answer`, `refusal`, `piece` and `end` (of a capability call), and `cancel`.
The skill sends `hello` once (or `broken`: it does not load), then `reply`, `call`, `drop` (no more pieces), and at the
end of each run `done` or `failed`.
A run's name is a secret of the host's: whoever does not know it can call nothing in that run.
"""

import asyncio
import contextlib
import json
import os
import select
import socket
import sys
import threading
import time
import traceback
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import asdict
from importlib import import_module
from itertools import count
from typing import Any

from parlour.sdk import calling, wire
from parlour.sdk.capabilities import Turn
from parlour.sdk.confine import Limits, confine
from parlour.sdk.errors import BY_CODE, CapabilityError, SkillMistake, TurnOver
from parlour.sdk.handlers import CALLED, where
from parlour.sdk.manifest import manifest_of
from parlour.sdk.remote import remote
from parlour.sdk.replies import to_wire
from parlour.sdk.skill import Skill

Message = dict[str, Any]

# What runs may wind up for so long when the host is gone.
_WIND_UP_S = 5.0


def main(arguments: Sequence[str]) -> None:
    """Be the process of one skill, until the host closes the socket.

    Takes one argument, JSON: `socket`, `paths` to load the skill from, `entry_point`, `version`, `is_confined` and the
    `limits`.
    """
    told = json.loads(arguments[0])
    with socket.socket(fileno=told["socket"]) as line:
        # First of all, and before the skill's folders can be imported from: whatever runs later is confined.
        held = _hold(line, [*told["paths"], *sys.path], Limits(**told["limits"])) if told["is_confined"] else {}
        sys.path += told["paths"]
        serve(line, told["entry_point"], told["version"], held)


def _hold(line: socket.socket, paths: Sequence[str], limits: Limits) -> Mapping[str, bool]:
    """Confine this process, and let it not outlive its host; what holds it."""
    held = confine(paths, limits)
    threading.Thread(target=_end_with_host, args=(line,), name="host", daemon=True).start()
    return held


def _end_with_host(line: socket.socket) -> None:
    """End this process soon after its host is gone, whatever the skill does: one that hangs looks at no socket."""
    host = select.poll()
    # That the other end is closed is told unasked.
    host.register(line, 0)
    host.poll()
    time.sleep(_WIND_UP_S)
    os._exit(1)


def load(entry_point: str) -> Skill:
    """The skill that `package.module:name` names. Raises `SkillMistake`, and whatever the module raises."""
    module, _, name = entry_point.partition(":")
    skill = getattr(import_module(module), name, None)
    if not isinstance(skill, Skill):
        raise SkillMistake(f"{entry_point} is no Skill. Point the entry point at the Skill object of your module.")
    return skill


def serve(
    line: socket.socket,
    entry_point: str,
    version: str,
    held: Mapping[str, bool],
    *,
    load: Callable[[str], Skill] = load,
) -> None:
    """Load the skill and do what the host asks, until it closes the line; `held` says what holds the skill back."""
    try:
        skill = load(entry_point)
        manifest = manifest_of(skill, version=version, entry_point=entry_point)
    except Exception as error:  # noqa: BLE001 (the skill's own code: anything)
        line.sendall(
            wire.frame(
                {
                    "is": "broken",
                    "error": type(error).__name__,
                    "place": _place(error, entry_point.partition(":")[0].partition(".")[0]),
                }
            )
        )
        return
    asyncio.run(_Process(skill).live(line, {"is": "hello", "manifest": asdict(manifest), "protections": dict(held)}))


class _Process:
    """All runs of this process."""

    def __init__(self, skill: Skill) -> None:
        self._skill = skill
        self._runs: dict[str, _Run] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def live(self, line: socket.socket, hello: Message) -> None:
        """Say hello, then do what comes, until the host is gone."""
        reader, writer = await asyncio.open_unix_connection(sock=line)
        writer.write(wire.frame(hello))
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                length = wire.length_of(await reader.readexactly(wire.HEAD))
                self._take(wire.message_of(await reader.readexactly(length)), writer)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    def _take(self, message: Message, writer: asyncio.StreamWriter) -> None:
        name = message["run"]
        if message["is"] == "begin":
            run = _Run(name, self._skill, message, writer)
            self._runs[name] = run
            task = asyncio.get_running_loop().create_task(run.go())
            run.task = task
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            task.add_done_callback(lambda _: self._runs.pop(name, None))
        elif name in self._runs:
            self._runs[name].take(message)


class _Run:
    """One turn, tool call or job: a handler that runs, and its line to the host."""

    def __init__(self, name: str, skill: Skill, begin: Message, writer: asyncio.StreamWriter) -> None:
        self._name = name
        self._skill = skill
        self._begin = begin
        self._writer = writer
        self._numbers = count(1)
        self._waiting: dict[int, asyncio.Queue[Message]] = {}
        self.task: asyncio.Task[None] | None = None

    def take(self, message: Message) -> None:
        """What the host sent for this run."""
        if message["is"] == "cancel":
            if self.task is not None:
                self.task.cancel()
        elif waiting := self._waiting.get(message["call"]):
            waiting.put_nowait(message)

    async def go(self) -> None:
        """Call the handler, send what it answers."""
        try:
            value = await self._called()
            await self._send({"is": "done", "value": value})
        except asyncio.CancelledError:
            await self._send({"is": "failed", "error": "Cancelled", "place": ""})
        except Exception as error:  # noqa: BLE001 (the skill's own code: anything)
            # Its class and its place. The message may quote what a person said.
            await self._send({"is": "failed", "error": type(error).__name__, "place": self._place(error)})
        finally:
            self._name = ""

    def _place(self, error: Exception) -> str:
        """Where it came from; what the handler gave and nothing can be made of came from the handler."""
        function = self._skill.handler(self._begin["handler"]).function
        package = function.__module__.partition(".")[0]
        return _place(error, package) or _short(where(function), package)

    async def _called(self) -> Any:  # noqa: ANN401 (what a tool returns)
        handler = self._skill.handler(self._begin["handler"])
        if handler.kind in CALLED:
            return await calling.result(handler, self._give, self._begin["arguments"])
        async for reply in calling.replies(handler, self._give):
            await self._send({"is": "reply", "value": to_wire(reply)})
        return None

    def _give(self, wanted: str) -> Any:  # noqa: ANN401 (any capability)
        if wanted == "Turn":
            return Turn(**self._begin["turn"])
        if wanted == "settings":
            kind = self._skill.settings_class
            return kind(**self._begin["settings"]) if kind else None
        return remote(wanted, self)

    async def call(self, capability: str, method: str, **arguments: Any) -> Any:  # noqa: ANN401
        """What the host answered."""
        async for message in self._asked(capability, method, arguments):
            return message["value"]
        return None

    async def stream(self, capability: str, method: str, **arguments: Any) -> AsyncIterator[Any]:  # noqa: ANN401
        """What the host answers, until `end`."""
        async for message in self._asked(capability, method, arguments):
            yield message["value"]

    async def _asked(self, capability: str, method: str, arguments: Message) -> AsyncIterator[Message]:
        if not self._name:
            raise TurnOver("The turn that this call belonged to has ended.")
        number = next(self._numbers)
        arrived = self._waiting[number] = asyncio.Queue()
        is_open = True
        try:
            await self._send(
                {"is": "call", "call": number, "capability": capability, "method": method, "arguments": arguments}
            )
            while is_open:
                message = await arrived.get()
                is_open = message["is"] == "piece"
                if message["is"] == "refusal":
                    raise BY_CODE.get(message["code"], CapabilityError)(message["message"])
                if message["is"] != "end":
                    yield message
        finally:
            del self._waiting[number]
            if is_open:
                self._writer.write(wire.frame({"is": "drop", "run": self._name, "call": number}))

    async def _send(self, message: Message) -> None:
        self._writer.write(wire.frame({"run": self._name, **message}))
        await self._writer.drain()


def _place(error: Exception, package: str) -> str:
    """The innermost line of the skill's own package that the error came through: `greenhouse/care.py:31`.

    Where it came through none of them, the innermost outside of the SDK.
    """
    frames = [
        one
        for one in traceback.extract_tb(error.__traceback__)
        if "/parlour/sdk/" not in one.filename and one.filename[0] != "<"
    ]
    own = [one for one in frames if f"/{package}/" in one.filename or one.filename.endswith(f"/{package}.py")]
    last = (own or frames)[-1:]
    return _short(f"{last[0].filename}:{last[0].lineno}", package) if last else ""


def _short(place: str, package: str) -> str:
    """File and line from the skill's package on: no path of the machine."""
    _, is_in, rest = place.rpartition(f"/{package}/")
    return f"{package}/{rest}" if is_in else place.rpartition("/")[2]
