"""Installations to test end to end, and the fakes around them."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.fakes.slack import FakeSlack
from tests.fakes.telegram import FakeTelegram
from tests.integration.e2e.layouts import Embedded, Layout, Production, Start, environment, production_environment

_PEOPLE = count(1_000)


@pytest.fixture
def telegram() -> Iterator[FakeTelegram]:
    """A Telegram of this test's own."""
    with FakeTelegram() as fake:
        yield fake


@pytest.fixture
def slack() -> Iterator[FakeSlack]:
    """A Slack of this test's own."""
    with FakeSlack() as fake:
        yield fake


@pytest.fixture(params=["embedded", "redis", "rabbitmq"])
def layout(request: pytest.FixtureRequest, tmp_path: Path) -> Start:
    """Starts an installation in each layout; `more` are further variables of its environment."""
    return _starter(request, request.param, tmp_path)


@pytest.fixture
def embedded(request: pytest.FixtureRequest, tmp_path: Path) -> Start:
    """Starts an embedded installation."""
    return _starter(request, "embedded", tmp_path)


@pytest.fixture
def production(request: pytest.FixtureRequest, tmp_path: Path) -> Start:
    """Starts a production installation on PostgreSQL and Redis."""
    return _starter(request, "redis", tmp_path)


@pytest.fixture
def person() -> int:
    """A Telegram user whom no other test knows."""
    return next(_PEOPLE)


def _starter(request: pytest.FixtureRequest, kind: str, folder: Path) -> Start:
    if kind == "embedded":
        return lambda **more: Embedded(environment(folder, **more), folder)
    databases = request.getfixturevalue("postgres_databases")
    broker_url = request.getfixturevalue(f"{kind}_url")

    def start(**more: str) -> Layout:
        return Production(production_environment(folder, databases, broker_url, **more), folder)

    return start


def telegram_variables(telegram: FakeTelegram) -> dict[str, str]:
    """The settings that make the fake the installation's Telegram."""
    return {"PARLOUR_TELEGRAM__TOKEN": telegram.token, "PARLOUR_TELEGRAM__BASE_URL": telegram.base_url}


def slack_variables(slack: FakeSlack, mode: str) -> dict[str, str]:
    """The same for Slack, by sockets or over HTTP."""
    return {
        "PARLOUR_SLACK__BOT_TOKEN": slack.bot_token,
        "PARLOUR_SLACK__APP_TOKEN": slack.app_token,
        "PARLOUR_SLACK__SIGNING_SECRET": slack.signing_secret,
        "PARLOUR_SLACK__MODE": mode,
        "PARLOUR_SLACK__BASE_URL": slack.base_url,
    }
