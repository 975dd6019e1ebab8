"""The Telegram channel against the fake Bot API server, over real sockets."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from parlour.channels import telegram_text
from parlour.channels.protocol import Channel
from parlour.channels.telegram import TelegramChannel
from parlour.turns.ports import Address
from tests.fakes.intake import FakeAccounts, FakeIntake
from tests.fakes.telegram import FakeTelegram
from tests.integration.channels.contract import ChannelContract, ChannelHarness

PERSON = 7
GROUP = -100_500
COMMANDS = [("help", "What I can do", "我能做什么"), ("stop", "Stop", "停止")]


class TelegramHarness(ChannelHarness):
    def __init__(
        self, telegram: FakeTelegram, channel: TelegramChannel, intake: FakeIntake, accounts: FakeAccounts
    ) -> None:
        self.telegram = telegram
        self.channel = channel
        self.intake = intake
        self.accounts = accounts

    @property
    def address(self) -> Address:
        return Address(chat=str(PERSON))

    @property
    def group_address(self) -> Address:
        return Address(chat=str(GROUP), is_private=False)

    async def say(self, text: str) -> str:
        return str(self.telegram.say(PERSON, text)["message_id"])

    def unacknowledged(self) -> int:
        return len(self.telegram.state()["pending"])

    async def redeliver(self) -> None:
        self.telegram.do("redeliver", count=1)

    def texts(self, address: Address) -> list[str]:
        return self.telegram.texts(int(address.chat))

    def visible(self, part: str) -> str:
        return telegram_text.render(part).text

    def size(self, part: str) -> tuple[int, int]:
        return telegram_text.units(telegram_text.render(part).text), 4_096

    def throttle_next(self, retry_after_s: int) -> None:
        self.telegram.fault("throttle", method="sendMessage", retry_after=retry_after_s)

    def lose_next_answer(self) -> None:
        self.telegram.fault("lose", method="sendMessage")

    def lose_next_request(self) -> None:
        self.telegram.fault("reset", method="sendMessage")

    def vanish(self) -> None:
        self.telegram.stop()

    def with_bad_credentials(self) -> Channel:
        return TelegramChannel("123456:wrong", base_url=self.telegram.base_url)


@pytest.fixture
def telegram() -> Iterator[FakeTelegram]:
    with FakeTelegram() as server:
        server.do("group", chat=GROUP)
        yield server


@pytest.fixture
async def harness(telegram: FakeTelegram) -> AsyncIterator[TelegramHarness]:
    channel = TelegramChannel(telegram.token, base_url=telegram.base_url, commands=COMMANDS)
    intake, accounts = FakeIntake(), FakeAccounts()
    await channel.open(intake, accounts)
    # The person has opened the chat: a bot cannot write first.
    telegram.do("meet", user=PERSON)
    receiving = asyncio.create_task(channel.receive())
    yield TelegramHarness(telegram, channel, intake, accounts)
    receiving.cancel()
    await asyncio.gather(receiving, return_exceptions=True)
    await channel.close()


class TestTelegramContract(ChannelContract):
    """What every messenger must do."""
