"""Files and buttons in Telegram."""

from dataclasses import replace

import pytest

from tests.integration.channels.contract import make_post, until
from tests.integration.channels.rich_contract import RichContract
from tests.integration.channels.test_telegram import TelegramHarness, harness, telegram

# Fixtures that this module shares.
__all__ = ["harness", "telegram"]


@pytest.fixture
def rich(harness: TelegramHarness) -> TelegramHarness:
    return harness


class TestTelegramRichContract(RichContract):
    """What every messenger must do with files and buttons."""


async def test_a_pressed_button_spins_no_longer_once_it_is_committed(harness: TelegramHarness) -> None:
    receipt = await harness.messenger.send(replace(make_post(harness.address, "More?"), buttons=("More",)))

    await harness.choose(harness.address, receipt.external_key, "More")
    await until(lambda: harness.telegram.journal("callback_answered"), "the press is answered")

    assert [press.text for press in harness.intake.committed] == ["0"]
    assert harness.telegram.journal("callback_answered")[0]["text"] is None
