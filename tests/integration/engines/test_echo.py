"""The echo engine against the contract."""

from collections.abc import Iterator

import pytest

from parlour.engines.echo import EchoEngine
from parlour.engines.factory import build
from parlour.engines.host import EngineHost
from tests.integration.engines.contract import (
    CAPITAL,
    CONTEXT_TOKENS,
    PLACES,
    DyingContract,
    EngineContract,
    ask,
    options,
    running,
    text_of,
)


class TestEcho(EngineContract, DyingContract):
    """It needs no model, so each test has one of its own."""

    about_the_capital = CAPITAL.content

    @pytest.fixture
    def host(self) -> Iterator[EngineHost]:
        # As slow as a model, so that there is a middle of an answer.
        yield from running(EngineHost(EchoEngine(context_tokens=CONTEXT_TOKENS, max_concurrency=PLACES, pace_s=0.005)))

    @pytest.fixture
    def mortal(self, host: EngineHost) -> EngineHost:
        return host

    def test_the_factory_builds_it(self) -> None:
        assert isinstance(build(options("echo")), EchoEngine)

    def test_it_repeats_every_character(self, host: EngineHost) -> None:
        assert text_of(ask(host, CAPITAL)) == CAPITAL.content
