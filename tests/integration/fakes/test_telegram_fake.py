"""The fake Telegram, checked with two real clients: python-telegram-bot and aiogram."""

from collections.abc import AsyncIterator, Iterator

import pytest
from aiogram import Bot as Aiogram
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from telegram import Bot

from tests.fakes.telegram import FakeTelegram


@pytest.fixture
def telegram() -> Iterator[FakeTelegram]:
    with FakeTelegram() as server:
        yield server


@pytest.fixture
async def bot(telegram: FakeTelegram) -> AsyncIterator[Bot]:
    async with Bot(telegram.token, base_url=telegram.base_url, base_file_url=telegram.base_file_url) as client:
        yield client


@pytest.fixture
async def aiogram(telegram: FakeTelegram) -> AsyncIterator[Aiogram]:
    session = AiohttpSession(api=TelegramAPIServer.from_base(telegram.url))
    async with Aiogram(telegram.token, session=session) as client:
        yield client


async def test_ptb(telegram: FakeTelegram, bot: Bot) -> None:
    telegram.say(7, "hello @you /x")
    (u,) = await bot.get_updates(timeout=1)
    assert u.message.text == "hello @you /x"
    m = await bot.send_message(7, "<b>hi</b> there", parse_mode="HTML")
    assert m.text == "hi there"
    assert m.entities[0].length == 2


async def test_aio(telegram: FakeTelegram, aiogram: Aiogram) -> None:
    telegram.say(7, "hello @you /x")
    (u,) = await aiogram.get_updates(timeout=1)
    assert u.message.text == "hello @you /x"
    m = await aiogram.send_message(7, "<b>hi</b> there", parse_mode="HTML")
    assert m.text == "hi there"
