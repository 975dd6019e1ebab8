"""What the tests of the Slack channel share: a fake Slack, a channel that receives from it, and waiting."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.applications import Starlette

from parlour.channels.slack import SlackChannel
from parlour.turns.ports import Incoming, Messenger
from tests.fakes.intake import FakeAccounts, FakeIntake
from tests.fakes.slack import FakeSlack
from tests.integration.channels.contract import until

COMMANDS = ("help", "skills", "new", "stop", "retry", "language", "mode", "memory", "privacy", "link", "approve")


def make_channel(slack: FakeSlack, **options: Any) -> SlackChannel:
    """A channel for the fake's workspace, by Socket Mode unless told otherwise."""
    given: dict[str, Any] = {
        "commands": COMMANDS,
        "bot_token": slack.bot_token,
        "app_token": slack.app_token,
        "signing_secret": slack.signing_secret,
        "base_url": slack.base_url,
        "settle_after_s": 0.2,
    }
    return SlackChannel(**(given | options))


@dataclass
class Running:
    """A channel that receives, and where it is served."""

    channel: SlackChannel
    intake: FakeIntake
    accounts: FakeAccounts
    slack: FakeSlack
    url: str

    @property
    def messenger(self) -> Messenger:
        """The messenger of the first workspace."""
        return self.channel.messengers()[0]

    async def incoming(self, count: int = 1) -> list[Incoming]:
        """What is committed, once there are `count`."""
        await until(lambda: len(self.intake.committed) >= count, f"{count} events are committed")
        return list(self.intake.committed)

    async def quiet(self) -> None:
        """Return when Slack has nothing more to send."""
        await until(lambda: not self.slack.state()["pending"], "all events are taken")


@asynccontextmanager
async def running(
    slack: FakeSlack, channel: SlackChannel, *, intake: FakeIntake | None = None, accounts: FakeAccounts | None = None
) -> AsyncIterator[Running]:
    """The channel open and receiving, its routes served, Slack sending to them in HTTP mode."""
    intake, accounts = intake or FakeIntake(), accounts or FakeAccounts()
    await channel.open(intake, accounts)
    config = uvicorn.Config(Starlette(routes=list(channel.routes())), port=0, log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    serving, receiving = asyncio.create_task(server.serve()), asyncio.create_task(channel.receive())
    await until(lambda: server.started, "the server listens")
    url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    if any(getattr(route, "path", "") == "/slack/events" for route in channel.routes()):
        slack.do("events_url", url=f"{url}/slack/events")
    try:
        yield Running(channel, intake, accounts, slack, url)
    finally:
        receiving.cancel()
        await asyncio.gather(receiving, return_exceptions=True)
        server.should_exit = True
        await serving
        await channel.close()
