"""Telegram's webhook answered by two gateways: each update comes to both at the same time."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.chaos.crowd import Crowd
from tests.chaos.house import House, production
from tests.chaos.nursery import Nursery
from tests.fakes.telegram import FakeTelegram
from tests.services import PostgresDatabases

_SECRET = "a-long-random-word"


@pytest.fixture
def house(
    tmp_path: Path, postgres_databases: PostgresDatabases, redis_url: str, telegram: FakeTelegram, nursery: Nursery
) -> Iterator[House]:
    """With two gateways that wait to be called."""
    with production(
        tmp_path,
        postgres_databases,
        redis_url,
        telegram,
        gateways=2,
        nursery=nursery,
        PARLOUR_TELEGRAM__MODE="webhook",
        PARLOUR_TELEGRAM__WEBHOOK_SECRET=_SECRET,
    ) as running:
        yield running


@pytest.mark.timeout(600)
def test_what_two_gateways_are_told_of_at_once_is_answered_once(
    house: House, crowd: Crowd, telegram: FakeTelegram
) -> None:
    first, second = (_webhook(house, name) for name in ("gateway", "second gateway"))
    telegram.do("mirror", url=second)
    asked = {"url": first, "secret_token": _SECRET}
    assert httpx.post(f"{telegram.base_url}{telegram.token}/setWebhook", json=asked).is_success

    for _ in range(5):
        for person in crowd.people:
            crowd.say(person)

    verdict = crowd.settled(patience_s=60)
    assert verdict.is_clean, f"{verdict}\n{house.output[-6000:]}"
    told = [entry for entry in telegram.journal("webhook") if entry["status"] == 200]
    assert len(told) > verdict.accepted, "each came to one of them alone"


def _webhook(house: House, name: str) -> str:
    found = re.search(r"Gateway is ready: (\S+)", house.processes[name].output)
    assert found is not None
    return f"{found[1]}/telegram/webhook"
