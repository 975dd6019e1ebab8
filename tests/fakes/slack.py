"""A fake Slack that real clients talk to, for tests and for trying things out: Web API, events, sockets, OAuth.

In a test, in a thread of its own:

    with FakeSlack() as slack:
        client = WebClient(slack.bot_token, base_url=slack.base_url)
        said = slack.say("U1", "Hello")
        slack.texts(said["channel"])

As a process, driven over HTTP (`GET /_fake/help` tells what there is):

    python tests/fakes/slack.py --port 8082
    curl -d '{"user": "U1", "text": "Hello"}' -H 'Content-Type: application/json' http://127.0.0.1:8082/_fake/say
    curl http://127.0.0.1:8082/_fake/channels
"""

import argparse
import asyncio
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

if not __package__:  # started as a script: its folder would hide the packages `slack` and `telegram`
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from aiohttp import web

from tests.fakes.faults import FaultKind
from tests.fakes.slack_http import SlackApp
from tests.fakes.slack_world import Json, World, shown

TEAM = "T0FAKE"
BOT_TOKEN = "xoxb-fake-bot-token"
APP_TOKEN = "xapp-fake-app-token"
SIGNING_SECRET = "fake-signing-secret"
CLIENT_ID = "1111.2222"
CLIENT_SECRET = "fake-client-secret"


class FakeSlack:
    """The server in a thread. Every method may be called from any thread, also from a running event loop."""

    def __init__(self, *, port: int = 0, seed: int = 0, now: Callable[[], float] | None = None) -> None:
        self.port = port
        self.team = TEAM
        self.bot_token = BOT_TOKEN
        self.app_token = APP_TOKEN
        self.signing_secret = SIGNING_SECRET
        self.client_id = CLIENT_ID
        self.client_secret = CLIENT_SECRET
        self._seed = seed
        self._now = now
        self._loop = asyncio.new_event_loop()
        self._thread: threading.Thread | None = None
        self._ready = threading.Event()
        self._done: asyncio.Event
        self._app: SlackApp
        self._failure: BaseException | None = None

    def start(self) -> Self:
        """Serve from now on."""
        self._thread = threading.Thread(target=self._serve, name="fake-slack", daemon=True)
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
        """What slack_sdk takes as `base_url`."""
        return f"{self.url}/api/"

    @property
    def bot_user_id(self) -> str:
        """The bot in the first workspace."""
        return str(self._call(lambda app: app.world.teams[self.team].bot_user_id))

    # ---- what people do, what goes wrong ------------------------------------------------------------------------

    def say(self, user: str, text: str, **options: Any) -> Json:
        """A person writes; see `People.say`. Returns `channel` and `ts`."""
        return self.do("say", user=user, text=text, **options)

    def do(self, what: str, **given: Any) -> Any:
        """Any deed of `People` or control by name, as over HTTP; waits for the app's answer where there is one."""

        async def run() -> Any:
            return await self._app.control(what, given)

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(60)

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

    def calls(self, method: str) -> list[Json]:
        """The arguments of every call of a method that was carried out."""
        return [entry["params"] for entry in self.journal("called") if entry["method"] == method]

    def messages(self, channel: str, *, of_bot: bool = True) -> list[Json]:
        """What stands in a channel now, oldest first: the bot's messages, or all."""

        def read(app: SlackApp) -> list[Json]:
            found = app.world.channels[channel]
            bot = app.world.teams[found.team].bot_user_id
            return [
                dict(message)
                for message in found.in_order()
                if not of_bot or (message.get("user") == bot and message.get("subtype") is None)
            ]

        return self._call(read)

    def texts(self, channel: str) -> list[str]:
        """What the bot's messages in a channel show, oldest first."""
        return [shown(message) for message in self.messages(channel)]

    def files(self, channel: str) -> list[tuple[Json, bytes]]:
        """The files that the bot shared in a channel, oldest first, with their bytes."""

        def read(app: SlackApp) -> list[tuple[Json, bytes]]:
            shared = [file for message in app.world.channels[channel].in_order() for file in message.get("files") or ()]
            return [(file, app.world.files[file["id"]].content) for file in shared]

        return self._call(read)

    def state(self) -> Json:
        """Where the server stands; see `SlackApp.control_state`."""
        return self.do("state")

    def sign(self, body: bytes, *, timestamp: int | None = None) -> Json:
        """The headers by which Slack shows that a request is its own."""
        return self._call(lambda app: app.delivery.sign(body, timestamp=timestamp))

    # ---- the thread ---------------------------------------------------------------------------------------------

    def _call(self, work: Callable[[SlackApp], Any]) -> Any:
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
        world = World(
            app_token=self.app_token,
            signing_secret=self.signing_secret,
            client_id=self.client_id,
            client_secret=self.client_secret,
            **({"now": self._now} if self._now else {}),
        )
        world.add_team(self.team, "Fake Workspace", bot_token=self.bot_token)
        # The port is known once it is bound, and addresses of files need it.
        self._app = SlackApp(world, base_url="", seed=self._seed)
        runner = web.AppRunner(self._app.build(), shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self.port)
        await site.start()
        self.port = runner.addresses[0][1]
        self._app.base_url = self._app.people.base_url = world.base_url = self.url
        self._ready.set()
        await self._done.wait()
        await runner.cleanup()


def main() -> None:
    """Serve as a process until interrupted."""
    parser = argparse.ArgumentParser(description="A fake Slack.")
    parser.add_argument("--port", type=int, default=8082)
    parser.add_argument("--seed", type=int, default=0, help="of the faults' dice")
    parser.add_argument("--limits", choices=("on", "off"), default="off", help="Slack's documented limits")
    parser.add_argument("--events-url", default="", help="send events here over HTTP instead of over sockets")
    options = parser.parse_args()
    slack = FakeSlack(port=options.port, seed=options.seed).start()
    slack.do("limits", on=options.limits == "on")
    slack.do("events_url", url=options.events_url)
    where = f"Slack's fake listens on {slack.url} (Web API: {slack.base_url}, control: {slack.url}/_fake/help)"
    secrets = f"bot token {slack.bot_token}, app token {slack.app_token}, signing secret {slack.signing_secret}"
    print(where, secrets, sep="\n", flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        slack.stop()


if __name__ == "__main__":
    main()
