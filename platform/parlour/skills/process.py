"""One skill's process, seen from the host: starting it, calling it, and not believing a word it says."""

import contextlib
import json
import queue
import secrets
import select
import socket
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Protocol, Self

import structlog

from parlour.sdk import wire
from parlour.sdk.confine import Limits
from parlour.sdk.errors import CapabilityError, Invalid, SkillMistake, TooMuch
from parlour.sdk.manifest import Manifest, differences, from_plain
from parlour.sdk.replies import Reply, from_wire
from parlour.skills.errors import SkillBroke, SkillError, SkillFailed, SkillTimedOut
from parlour.skills.inline import InlineChild

log = structlog.get_logger(__name__)

START_TIMEOUT_S: Final = 60.0
_CANCEL_PATIENCE_S: Final = 2.0
# A skill that does not read what it asked for is not waited for longer, and one that reads it byte by byte neither.
_SEND_TIMEOUT_S: Final = 10.0
_MOST_CALLS: Final = 10_000
_MOST_OPEN_CALLS: Final = 16
# A call may wait for a tool of the same skill, whose own calls need a thread too.
_CALL_THREADS: Final = 64
_MOST_REPLIES: Final = 50_000
_MOST_REPLY_BYTES: Final = 32_000_000
_REMEMBERED_RUNS: Final = 1_000
_MOST_STRAY_FRAMES: Final = 10_000

_BOOT: Final = "import sys; sys.path.insert(0, sys.argv[1]); from parlour.sdk.process import main; main(sys.argv[2:])"


class Desk(Protocol):
    """Answers the capability calls of one run. Made by the host, which alone knows whose run it is."""

    def call(self, capability: str, method: str, arguments: Mapping[str, Any]) -> object:
        """The answer, an iterator for one in pieces. Raises `CapabilityError`s, which the skill is told."""
        ...

    def close(self) -> None:
        """The run is over: nothing more is asked. Safe to call any number of times."""
        ...


@dataclass(frozen=True, slots=True)
class Launch:
    """How a skill's process is started: its interpreter, the SDK's copy, the skill's own folders."""

    manifest: Manifest
    python: Path
    runtime: Path
    paths: tuple[Path, ...]
    limits: Limits = field(default_factory=Limits)
    is_confined: bool = True
    # In this very process, for development: `inline`.
    is_inline: bool = False


@dataclass(frozen=True, slots=True)
class Work:
    """What a handler is called with. `turn` has the fields of `sdk.Turn`; a tool has `arguments`."""

    handler: str
    turn: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)


class Nonsense(Exception):
    """The skill sent what the protocol does not know."""


def write(line: socket.socket, data: bytes, *, timeout_s: float) -> None:
    """Send all of it. Raises `TimeoutError` when the other end has not taken it by then, however it reads."""
    left, until = memoryview(data), time.monotonic() + timeout_s
    while left:
        # The socket itself stays one that waits: another thread reads from it.
        with contextlib.suppress(BlockingIOError):
            left = left[line.send(left, socket.MSG_DONTWAIT) :]
        if left:
            _await_room(line, until=until)


def _await_room(line: socket.socket, *, until: float) -> None:
    left_s, room = until - time.monotonic(), select.poll()
    room.register(line, select.POLLOUT)
    if left_s <= 0 or not room.poll(left_s * 1_000):
        raise TimeoutError


class SkillProcess:
    """A running skill. Safe to call from many threads; once it broke it stays broken (`is_alive`)."""

    def __init__(self, launch: Launch) -> None:
        """Start it. Returns when it has loaded; raises `SkillBroke` when it does not, or is not what it said."""
        self.launch = launch
        self.protections: Mapping[str, bool] = {}
        self.is_retired = False
        self._name = launch.manifest.name
        self._line, theirs = socket.socketpair()
        try:
            with theirs:
                self._child = _child_of(launch, theirs)
        except OSError as error:  # its folder is gone, or the machine is full
            self._line.close()
            raise SkillBroke(f"The skill {self._name!r} does not start: {error.strerror}.") from None
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._runs: dict[str, Run] = {}
        self._ended: deque[str] = deque(maxlen=_REMEMBERED_RUNS)
        self._strays = 0
        self._hello: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._broken: str | None = None
        # A handler of it came to its end: it does more than load.
        self.has_answered = False
        self.calls = ThreadPoolExecutor(max_workers=_CALL_THREADS, thread_name_prefix=f"skill-{self._name}")
        threading.Thread(target=self._listen, name=f"skill-{self._name}", daemon=True).start()
        self._await_hello()

    @property
    def is_alive(self) -> bool:
        """Whether it can be called."""
        return self._broken is None

    @property
    def pid(self) -> int:
        """The process, for operators."""
        return self._child.pid

    def begin(self, work: Work, desk: Desk, *, timeout_s: float) -> "Run":
        """Call a handler: iterate over the run for its replies, in a `with` block. Raises `SkillBroke`."""
        run = Run(self, desk, deadline=time.monotonic() + timeout_s)
        with self._lock:
            if self._broken is not None:
                raise SkillBroke(f"The skill {self._name!r} is gone: {self._broken}.")
            self._runs[run.name] = run
            self._strays = 0
        self.send({"is": "begin", "run": run.name, **asdict(work)})
        return run

    def send(self, message: dict[str, Any]) -> None:
        """Write to the skill; one that does not read is ended. Raises `BadFrame` for what cannot be sent."""
        data = wire.frame(message)
        try:
            with self._sending:
                write(self._line, data, timeout_s=_SEND_TIMEOUT_S)
        except (OSError, ValueError):  # a ValueError: it was closed in this moment
            self.end("it does not read what it is sent")

    def forget(self, run: "Run") -> None:
        """The run is over: whatever still comes of it is left unread."""
        with self._lock:
            if self._runs.pop(run.name, None) is not None:
                self._ended.append(run.name)
        self._end_retired()

    def retire(self) -> None:
        """End it once its last run is over; nothing new is to be begun in it."""
        self.is_retired = True
        self._end_retired()

    def _end_retired(self) -> None:
        if self.is_retired and not self._runs:
            self.end("another process has taken its place")

    def end(self, reason: str) -> None:
        """Kill it, and tell every run why. Safe to call any number of times, from any thread."""
        with self._lock:
            if self._broken is not None:
                return
            self._broken = reason
            runs, self._runs = list(self._runs.values()), {}
        self._child.kill()
        with contextlib.suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)
        self._hello.put(reason)
        for run in runs:
            run.put(SkillBroke(f"The skill {self._name!r} was ended: {reason}."))
        self.calls.shutdown(wait=False, cancel_futures=True)
        self._child.wait()

    # ---- what comes from the skill ----

    def _await_hello(self) -> None:
        try:
            problem = self._hello.get(timeout=START_TIMEOUT_S)
        except queue.Empty:
            problem = f"it did not load within {START_TIMEOUT_S:g} s"
        if problem is not None:
            self.end(problem)
            raise SkillBroke(f"The skill {self._name!r} does not start: {problem}.")

    def _listen(self) -> None:
        reason = "its process ended"
        try:
            while True:
                length = wire.length_of(self._exactly(wire.HEAD))
                body = self._exactly(length)
                self._take(wire.message_of(body), length)
        except (OSError, EOFError):
            pass
        except (wire.BadFrame, Nonsense, SkillMistake) as error:
            reason = str(error).rstrip(".") or "it sent what is no message"
        except Exception as error:  # its reader must never die silently: the runs would wait for nothing
            log.exception("skill_reader_broke", skill=self._name)
            reason = type(error).__name__
        self.end(reason)
        self._line.close()

    def _exactly(self, length: int) -> bytes:
        data = bytearray()
        while len(data) < length:
            part = self._line.recv(min(length - len(data), 1 << 16))
            if not part:
                raise EOFError
            data += part
        return bytes(data)

    def _take(self, message: dict[str, Any], size: int) -> None:
        kind, name = message.get("is"), message.get("run")
        if kind in {"hello", "broken"} and not self.protections:
            self._greet(message)
            return
        with self._lock:
            run = self._runs.get(name) if isinstance(name, str) else None
            is_late = name in self._ended
            self._strays += run is None
        if run is not None:
            run.take(message, size)
        elif not is_late or self._strays > _MOST_STRAY_FRAMES:
            raise Nonsense("it speaks in a run that is not its own")

    def _greet(self, message: dict[str, Any]) -> None:
        if message["is"] == "broken":
            raise Nonsense(f"{_word(message.get('error'))} at {_word(message.get('place'))}")
        held = message.get("protections")
        if not isinstance(held, dict):
            raise Nonsense("its greeting is none")
        # It comes from the skill's process, yet from before the skill could run.
        self.protections = {"started": True, **{str(key): value is True for key, value in held.items()}}
        actual = from_plain(message.get("manifest"))
        if lies := differences(self.launch.manifest, actual):
            raise Nonsense(f"its code is not what its manifest says (in: {', '.join(lies)})")
        self._hello.put(None)


class Run:
    """One call of a handler. Iterating gives its replies; leaving the `with` block ends it in the skill too."""

    def __init__(self, process: SkillProcess, desk: Desk, *, deadline: float) -> None:
        self.name = secrets.token_hex(16)
        # What a tool returned, once the iteration is over.
        self.value: Any = None
        self._process = process
        self._desk = desk
        self._deadline = deadline
        self._arrived: queue.SimpleQueue[Reply | SkillError | None] = queue.SimpleQueue()
        self._is_over = threading.Event()
        self._calls = self._replies = self._reply_bytes = 0
        self._open: set[int] = set()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cancel()

    def __iter__(self) -> Iterator[Reply]:
        """The replies as they come. Raises `SkillFailed`, `SkillBroke`, `SkillTimedOut`."""
        while not self._is_over.is_set():
            try:
                arrived = self._arrived.get(timeout=max(0.0, self._deadline - time.monotonic()))
            except queue.Empty:
                self._give_up()
                raise SkillTimedOut(f"The skill {self._skill!r} did not finish in time.") from None
            if isinstance(arrived, SkillError):
                self._close()
                raise arrived
            if arrived is None:
                self._close()
                return
            yield arrived

    def cancel(self) -> None:
        """End it, from any thread: the iteration ends, the skill's code is cancelled."""
        if not self._is_over.is_set():
            self._close()
            self._arrived.put(None)
            # Not by this thread: it may be the one that keeps every other answer of this worker alive, and a skill that
            # does not read would hold it up.
            with contextlib.suppress(RuntimeError):  # the process was ended in this moment
                self._process.calls.submit(self._process.send, {"is": "cancel", "run": self.name})

    def put(self, error: SkillError) -> None:
        """End the iteration with an error; for the process."""
        self._arrived.put(error)

    def take(self, message: dict[str, Any], size: int) -> None:
        """What the skill sent; for the process. Raises `Nonsense` for what no honest skill sends."""
        match message.get("is"):
            case "reply":
                self._reply(message.get("value"), size)
            case "call":
                self._call(message)
            case "drop":
                with self._lock:
                    self._open.discard(_number(message))
            case "done":
                self.value = message.get("value")
                self._process.has_answered = True
                self._arrived.put(None)
            case "failed":
                self._arrived.put(SkillFailed(self._skill, _word(message.get("error")), _word(message.get("place"))))
            case _:
                raise Nonsense("it sent a message of an unknown kind")

    @property
    def _skill(self) -> str:
        return self._process.launch.manifest.name

    def _reply(self, value: object, size: int) -> None:
        self._replies += 1
        self._reply_bytes += size
        if self._replies > _MOST_REPLIES or self._reply_bytes > _MOST_REPLY_BYTES:
            raise Nonsense("it answers without end")
        try:
            self._arrived.put(from_wire(value))
        except Invalid as error:
            raise Nonsense(str(error).rstrip(".")) from None

    def _call(self, message: dict[str, Any]) -> None:
        number = _number(message)
        capability, method, arguments = (message.get(key) for key in ("capability", "method", "arguments"))
        if not (isinstance(capability, str) and isinstance(method, str) and isinstance(arguments, dict)):
            raise Nonsense("it made a call that is none")
        # Numbers only rise: a call that was answered cannot be made once more under its number.
        if number <= self._calls or number > _MOST_CALLS:
            raise Nonsense("it numbers its calls wrongly, or makes too many")
        self._calls = number
        with self._lock:
            is_free = len(self._open) < _MOST_OPEN_CALLS
            self._open.add(number)
        if not is_free:
            self._answer(number, "refusal", code=TooMuch.code, message="Too many calls at once.")
            return
        with contextlib.suppress(RuntimeError):  # the process was ended in this moment
            self._process.calls.submit(self._work, number, capability, method, arguments)

    def _work(self, number: int, capability: str, method: str, arguments: Mapping[str, Any]) -> None:
        """Answer a call, in a thread of the process's own."""
        try:
            value = self._desk.call(capability, method, arguments)
            if isinstance(value, Iterator):
                self._pour(number, value)
            else:
                self._answer(number, "answer", value=value)
        except CapabilityError as error:
            self._answer(number, "refusal", code=error.code, message=str(error))
        except Exception as error:  # whatever goes wrong in the host is not for the skill to know
            log.exception("skill_call_broke", skill=self._skill, capability=capability, method=method)
            self._answer(number, "refusal", code=CapabilityError.code, message=f"It failed: {type(error).__name__}.")

    def _pour(self, number: int, pieces: Iterator[Any]) -> None:
        try:
            for piece in pieces:
                if not self._is_wanted(number):
                    return
                self._process.send({"is": "piece", "run": self.name, "call": number, "value": piece})
        finally:
            if close := getattr(pieces, "close", None):
                close()
        self._answer(number, "end")

    def _is_wanted(self, number: int) -> bool:
        return not self._is_over.is_set() and number in self._open

    def _answer(self, number: int, kind: str, **fields: Any) -> None:  # noqa: ANN401 (plain values)
        with self._lock:
            self._open.discard(number)
        if not self._is_over.is_set():
            self._process.send({"is": kind, "run": self.name, "call": number, **fields})

    def _give_up(self) -> None:
        """Cancel; a skill that does not even answer that hangs, and is ended."""
        self._process.send({"is": "cancel", "run": self.name})
        until = time.monotonic() + _CANCEL_PATIENCE_S
        while (left := until - time.monotonic()) > 0:
            try:
                arrived = self._arrived.get(timeout=left)
            except queue.Empty:
                break
            if arrived is None or isinstance(arrived, SkillError):
                self._close()
                return
        self._close()
        self._process.end("it hangs")

    def _close(self) -> None:
        self._is_over.set()
        self._process.forget(self)
        self._desk.close()


class _Child(Protocol):
    """A process, or what stands for one."""

    pid: int

    def kill(self) -> None: ...

    def wait(self) -> int: ...


def _child_of(launch: Launch, line: socket.socket) -> _Child:
    if not launch.is_inline:
        return _popen(launch, line)
    manifest = launch.manifest
    return InlineChild(manifest.entry_point, manifest.version, [str(path) for path in launch.paths], line)


def _popen(launch: Launch, line: socket.socket) -> "subprocess.Popen[bytes]":
    told = {
        "socket": line.fileno(),
        "paths": [str(path) for path in launch.paths],
        "entry_point": launch.manifest.entry_point,
        "version": launch.manifest.version,
        "is_confined": launch.is_confined,
        "limits": asdict(launch.limits),
    }
    # -I -S: neither the environment nor a .pth file of the skill's packages runs before the process is confined.
    command = [str(launch.python), "-I", "-S", "-B", "-X", "utf8", "-c", _BOOT, str(launch.runtime), json.dumps(told)]
    return subprocess.Popen(  # noqa: S603 (our own interpreter and our own code)
        command,
        env={},
        cwd="/",
        stdin=subprocess.DEVNULL,
        # What a skill prints may quote people.
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=[line.fileno()],
        start_new_session=True,
    )


def _number(message: Mapping[str, Any]) -> int:
    number = message.get("call")
    if not isinstance(number, int) or isinstance(number, bool):
        raise Nonsense("it made a call without a number")
    return number


def _word(value: object) -> str:
    """A class's name or a place from the skill, cut to what such things are made of."""
    text = value if isinstance(value, str) else ""
    return "".join(character for character in text[:80] if character.isalnum() or character in "._:-<>/") or "unknown"
