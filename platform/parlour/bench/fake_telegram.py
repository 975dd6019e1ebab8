"""The fake Telegram as a process of its own, and this benchmark's line to it."""

import asyncio
import contextlib
import socket
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import aiohttp

from parlour.bench.children import Child
from parlour.bench.errors import BenchError
from parlour.bench.machine import checkout

TOKEN: Final = "700000:fake-token-of-the-benchmark-not-a-secret"  # noqa: S105 (of a fake)
Entry = dict[str, Any]


class TelegramLine:
    """Speaks for the people and follows the fake's journal. For one event loop."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open_session().close()

    async def say(self, user: int, text: str) -> int:
        """A person writes; the id of the update that tells the bot."""
        async with self._open_session().post(f"{self._url}/_fake/say", json={"user": user, "text": text}) as answer:
            told = await answer.json()
        if not told["ok"]:
            raise BenchError(f"the fake Telegram refused a message: {told['description']}")
        return int(told["result"]["update_id"])

    async def journal(self, *, after: int, wait_s: float) -> list[Entry]:
        """What happened behind entry number `after`, as soon as there is something."""
        query = {"after": str(after), "wait": f"{wait_s:g}"}
        async with self._open_session().get(f"{self._url}/_fake/journal", params=query) as answer:
            entries: list[Entry] = await answer.json()
        return entries

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("the line is not open")
        return self._session


@contextmanager
def fake_telegram(folder: Path) -> Iterator[str]:
    """A fake Telegram in a fresh process; yields its address. Raises `BenchError` where there is no checkout."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, str(_script()), "--port", str(port), "--token", TOKEN]
    with Child("telegram", command, folder, settings={}) as fake:
        fake.wait_for(lambda: _answers(url), what="the fake Telegram to listen")
        yield url


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def bot_is_polling(line: TelegramLine, *, timeout_s: float = 30.0) -> None:
    """Return when the bot has answered a first message of nobody's. Raises `BenchError`."""
    greeter = 1
    await line.say(greeter, "ready?")
    after = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            while True:
                for entry in await line.journal(after=after, wait_s=1):
                    after = int(entry["seq"])
                    if entry["what"] == "bot_sent" and entry["chat"] == greeter:
                        return
    raise BenchError(f"no answer came within {timeout_s:g} s; the logs of the processes say why")


def _script() -> Path:
    root = checkout()
    script = root / "tests" / "fakes" / "telegram.py" if root else None
    if script is None or not script.is_file():
        raise BenchError(
            "The fake Telegram is not here: it is part of the source checkout, not of the installed package. "
            "Run this from a checkout, installed with: make setup"
        )
    return script


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/_fake/state", timeout=2) as answer:  # noqa: S310 (an address made here)
            return bool(answer.status == 200)  # noqa: PLR2004 (OK)
    except OSError:
        return False
