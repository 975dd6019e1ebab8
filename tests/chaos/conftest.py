"""Servers and messengers to break."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.crowd import Crowd
from tests.chaos.house import PACE_S, House, production
from tests.chaos.nursery import Nursery
from tests.fakes.telegram import FakeTelegram
from tests.services import PostgresDatabases

PEOPLE = 4


@pytest.fixture
def telegram() -> Iterator[FakeTelegram]:
    """A Telegram of this test's own."""
    with FakeTelegram() as fake:
        yield fake


@pytest.fixture
def crowd(telegram: FakeTelegram) -> Crowd:
    """A few people."""
    return Crowd(telegram, people=PEOPLE, dice=random.Random(1), has_group=True)


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Where houses' processes come from: one that has loaded everything."""
    with Nursery() as running:
        yield running


@pytest.fixture
def pace() -> str:
    """How many seconds the engine takes for a word, where a test does not say otherwise."""
    return PACE_S


@pytest.fixture
def broker_url(request: pytest.FixtureRequest) -> str:
    """Redis, or what a test names by its fixture."""
    return str(request.getfixturevalue(getattr(request, "param", "redis_url")))


@pytest.fixture
def house(
    tmp_path: Path,
    postgres_databases: PostgresDatabases,
    broker_url: str,
    telegram: FakeTelegram,
    nursery: Nursery,
    pace: str,
) -> Iterator[House]:
    """The production layout on PostgreSQL and a broker, running."""
    with production(tmp_path, postgres_databases, broker_url, telegram, nursery=nursery, pace=pace) as running:
        yield running
