"""A fake of Telegram's Bot API server that real clients talk to, for tests and for trying things out.

In a test, in a thread of its own:

    with FakeTelegram() as telegram:
        bot = Bot(telegram.token, base_url=telegram.base_url, base_file_url=telegram.base_file_url)
        telegram.say(7, "Hello")

As a process, driven over HTTP (`GET /_fake/help` tells what there is):

    python tests/fakes/telegram.py --port 8081 --token 123456:TEST
    curl -d '{"user": 7, "text": "Hello"}' http://127.0.0.1:8081/_fake/say
    curl http://127.0.0.1:8081/_fake/chats
"""

import argparse
import asyncio
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

if not __package__:  # started as a script: its folder would hide the real `telegram` package
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import uvloop
from aiohttp import web

from tests.fakes.faults import FaultKind
from tests.fakes.telegram_http import TelegramApp
from tests.fakes.telegram_world import Json, World

TOKEN = "123456:TEST-token-of-the-fake"


class FakeTelegram:
    """The server in a thread. Every method may be called from any thread, also from a running event loop."""

    def __init__(
        self, *, token: str = TOKEN, port: int = 0, seed: int = 0, now: Callable[[], float] | None = None
    ) -> None:
        self.token = token
        self.port = port
        self._seed = seed
        self._now = now
        # It shares the machine with what is tested and measured, which this leaves more to.
        self._loop = uvloop.new_event_loop()
        self._thread: threading.Thread | None = None
        self._ready = threading.Event()
        self._done: asyncio.Event
        self._app: TelegramApp
        self._failure: BaseException | None = None

    def start(self) -> Self:
        """Serve from now on."""
        self._thread = threading.Thread(target=self._serve, name="fake-telegram", daemon=True)
        self._thread.start()
        self._ready.wait(60)
        if self._failure is not None:
            raise self._failure
        return self

    def stop(self) -> None:
        """Close everything; connections in use are cut."""
        if self._thread is None:
            return
        self._loop.call_soon_threadsafe(self._done.set)
        self._thread.join(60)
        self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # ---- where it is --------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """Where the server listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def base_url(self) -> str:
        """What python-telegram-bot takes as `base_url`."""
        return f"{self.url}/bot"

    @property
    def base_file_url(self) -> str:
        """What python-telegram-bot takes as `base_file_url`."""
        return f"{self.url}/file/bot"

    # ---- what people do, what goes wrong ------------------------------------------------------------------------

    def say(self, user: int, text: str, **options: Any) -> Json:
        """A person writes; see `People.say`. Returns `update_id`, `message_id` and `chat`."""
        return self.do("say", user=user, text=text, **options)

    def do(self, what: str, **given: Any) -> Any:
        """Any deed of `People` or control by name, as over HTTP."""
        return self._call(lambda app: app.control(what, given))

    def fault(self, kind: FaultKind, **options: Any) -> None:
        """Put a fault in force; see `faults.Fault`."""
        self.do("fault", kind=kind, **options)

    def heal(self) -> None:
        """Take all faults away."""
        self.do("heal")

    # ---- what there is to see -----------------------------------------------------------------------------------

    def journal(self, *whats: str) -> list[Json]:
        """All that happened, in order; only the kinds in `whats` where some are given."""
        entries = self._call(lambda app: list(app.world.journal))
        return [entry for entry in entries if not whats or entry["what"] in whats]

    def messages(self, chat: int, *, of_bot: bool = True) -> list[Json]:
        """What stands in a chat now: the bot's messages, or all."""
        bot_id = int(self.token.split(":", maxsplit=1)[0])
        found: list[Json] = next(
            (one["messages"] for one in self._call(lambda app: app.world.snapshot()) if one["id"] == chat), []
        )
        return [message for message in found if not of_bot or message.get("from", {}).get("id") == bot_id]

    def texts(self, chat: int) -> list[str]:
        """The texts of the bot's messages in a chat, oldest first, files left out."""
        return [message["text"] for message in self.messages(chat) if "text" in message]

    def files(self, chat: int) -> list[tuple[Json, bytes]]:
        """The bot's messages that are files or pictures, oldest first, with their bytes."""
        media = [
            (message, one)
            for message in self.messages(chat)
            for one in (message.get("document"), *(message.get("photo") or ())[-1:])
            if one
        ]
        # Looked up behind the messages: a file that comes meanwhile is one of a message that is not listed yet.
        stored: Json = self._call(lambda app: dict(app.world.files))
        return [(message, stored[one["file_id"]].content) for message, one in media]

    def drafts(self, chat: int) -> list[Json]:
        """The drafts that a person sees now."""
        return next((one["drafts"] for one in self._call(lambda app: app.world.snapshot()) if one["id"] == chat), [])

    def state(self) -> Json:
        """Where the server stands; see `TelegramApp.state`."""
        return self._call(lambda app: app.state())

    # ---- the thread ---------------------------------------------------------------------------------------------

    def _call(self, work: Callable[[TelegramApp], Any]) -> Any:
        async def run() -> Any:
            return work(self._app)

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(60)

    def _serve(self) -> None:
        try:
            self._loop.run_until_complete(self._serve_until_done())
        except BaseException as error:  # noqa: BLE001 (handed to whoever called start)
            self._failure = error
        finally:
            self._ready.set()
            self._loop.close()

    async def _serve_until_done(self) -> None:
        self._done = asyncio.Event()
        world = World(token=self.token, now=self._now or time.time)
        self._app = TelegramApp(world, seed=self._seed)
        # No access log: it would have the token in it.
        runner = web.AppRunner(self._app.build(), shutdown_timeout=0.1, handler_cancellation=True, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self.port)
        await site.start()
        self.port = runner.addresses[0][1]
        self._ready.set()
        await self._done.wait()
        await runner.cleanup()


def main() -> None:
    """Serve as a process until interrupted."""
    parser = argparse.ArgumentParser(description="A fake of Telegram's Bot API server.")
    parser.add_argument("--port", type=int, default=8081)
    parser.add_argument("--token", default=TOKEN)
    parser.add_argument("--seed", type=int, default=0, help="of the faults' dice")
    parser.add_argument("--limits", choices=("on", "off"), default="off", help="Telegram's documented send limits")
    options = parser.parse_args()
    telegram = FakeTelegram(token=options.token, port=options.port, seed=options.seed).start()
    telegram.do("limits", on=options.limits == "on")
    where = f"Bot API: {telegram.base_url}, control: {telegram.url}/_fake/help"
    sys.stdout.write(f"Telegram's fake listens on {telegram.url} ({where})\n")
    sys.stdout.flush()
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        telegram.stop()


if __name__ == "__main__":
    main()
