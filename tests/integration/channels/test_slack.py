"""The Slack channel against the fake Slack, over real sockets: Socket Mode and HTTP."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator

import pytest

from parlour.channels.protocol import Channel
from parlour.channels.slack import SlackChannel
from parlour.channels.slack_text import PART_LIMIT, units
from parlour.turns.ports import Address
from tests.fakes.intake import FakeAccounts, FakeIntake
from tests.fakes.slack import FakeSlack
from tests.fakes.slack_world import shown
from tests.integration.channels.contract import ChannelContract
from tests.integration.channels.rich_contract import RichContract, RichHarness
from tests.integration.channels.slack_support import make_channel, running

PERSON = "U0PERSON"
CHANNEL = "C0GENERAL"


class SlackHarness(RichHarness):
    def __init__(self, slack: FakeSlack, channel: SlackChannel, intake: FakeIntake, accounts: FakeAccounts) -> None:
        self.slack = slack
        self.channel = channel
        self.intake = intake
        self.accounts = accounts
        self._direct = slack.say(PERSON, "before the app was there")["channel"]
        self._root = slack.say(PERSON, "a thread", channel=CHANNEL)["ts"]

    @property
    def address(self) -> Address:
        return Address(chat=self._direct)

    @property
    def group_address(self) -> Address:
        extra = {"team": self.slack.team, "user": PERSON}
        return Address(chat=CHANNEL, thread=self._root, is_private=False, extra=extra)

    async def say(self, text: str) -> str:
        return str(self.slack.say(PERSON, text)["ts"])

    def unacknowledged(self) -> int:
        return len(self.slack.state()["pending"])

    async def redeliver(self) -> None:
        self.slack.do("redeliver")

    def texts(self, address: Address) -> list[str]:
        return [
            self.visible(shown(message))
            for message in self.slack.messages(address.chat)
            if message.get("thread_ts") == address.thread and not message.get("files")
        ]

    def visible(self, part: str) -> str:
        return re.sub(r"\*\*|`", "", part)

    def size(self, part: str) -> tuple[int, int]:
        return units(part), PART_LIMIT

    def throttle_next(self, retry_after_s: int) -> None:
        self.slack.fault("throttle", method="chat.postMessage", retry_after=retry_after_s)

    def lose_next_answer(self) -> None:
        self.slack.fault("lose", method="chat.postMessage")

    def lose_next_request(self) -> None:
        self.slack.fault("reset", method="chat.postMessage")

    def files(self, address: Address) -> list[tuple[str, bytes]]:
        return [(file["title"], content) for file, content in self.slack.files(address.chat)]

    def lose_next_file_answer(self) -> None:
        self.slack.fault("lose", method="files.completeUploadExternal")

    def lose_next_file_request(self) -> None:
        self.slack.fault("reset", method="files.completeUploadExternal")

    def refuse_files(self) -> None:
        scopes = self.slack._call(lambda app: sorted(app.world.teams[self.slack.team].scopes - {"files:write"}))
        self.slack.do("grant", scopes=scopes)

    @property
    def place(self) -> Address:
        return Address(CHANNEL, is_private=False)

    def thread_of(self, address: Address, key: str) -> str | None:
        found: str | None = next(one.get("thread_ts") for one in self.slack.messages(address.chat) if one["ts"] == key)
        return found

    async def answer(self, address: Address, key: str, text: str) -> None:
        self.slack.do("grant", events=["message.channels"])
        self.slack.say(PERSON, text, channel=address.chat, thread_ts=key)

    async def choose(self, address: Address, key: str, label: str) -> None:
        await asyncio.to_thread(self.slack.do, "choose", user=PERSON, channel=address.chat, ts=key, label=label)

    def vanish(self) -> None:
        self.slack.stop()

    def with_bad_credentials(self) -> Channel:
        return make_channel(self.slack, bot_token="xoxb-wrong")


@pytest.fixture
def slack() -> Iterator[FakeSlack]:
    with FakeSlack() as server:
        # The bot's own messages are told to it as well, and would count among what is not acknowledged.
        server.do("timing", retry_delays_s=[0.05, 0.1, 0.2, 0.4, 1.0])
        server.do("add_user", user=PERSON, name="ana", locale="en-GB")
        server.do("add_channel", channel=CHANNEL)
        yield server


@pytest.fixture(params=["socket", "http"])
async def harness(request: pytest.FixtureRequest, slack: FakeSlack) -> AsyncIterator[SlackHarness]:
    channel = make_channel(slack, mode=request.param)
    slack.do("grant", events=[])
    intake, accounts = FakeIntake(), FakeAccounts()
    made = SlackHarness(slack, channel, intake, accounts)
    async with running(slack, channel, intake=intake, accounts=accounts):
        slack.do("grant", events=["message.im", "message.channels", "app_mention"])
        yield made


class TestSlackContract(ChannelContract):
    """What every messenger must do, in both modes."""


@pytest.fixture
async def rich(slack: FakeSlack) -> AsyncIterator[SlackHarness]:
    """By Socket Mode alone: files and presses go the same way in both."""
    channel = make_channel(slack)
    slack.do("grant", events=[])
    slack.do("timing", ack_timeout_s=0.5)
    intake, accounts = FakeIntake(), FakeAccounts()
    made = SlackHarness(slack, channel, intake, accounts)
    async with running(slack, channel, intake=intake, accounts=accounts):
        yield made


class TestSlackRichContract(RichContract):
    """What every messenger must do with files and buttons."""
