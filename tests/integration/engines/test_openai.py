"""The OpenAI engine: the contract against llama.cpp's real server, faults against a fake one."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from parlour.engines.errors import EngineBusy, EngineDied, EngineUnavailable, NotSupported, PromptTooLong
from parlour.engines.factory import build
from parlour.engines.host import EngineHost
from parlour.engines.protocol import Message, Request, Sampling
from tests.fakes.openai import MODEL, WINDOW, FakeOpenAI, Script, fake_openai
from tests.integration.engines.contract import (
    CAPITAL,
    CONTEXT_TOKENS,
    LONG,
    PLACES,
    STORY,
    DyingContract,
    ModelContract,
    ask,
    options,
    request,
    running,
    text_of,
    until,
)


@pytest.fixture(scope="module")
def server_url(smollm2_gguf: Path) -> Iterator[str]:
    """llama.cpp's own HTTP server."""
    xllamacpp = pytest.importorskip("xllamacpp")
    params = xllamacpp.CommonParams()
    params.model.path = str(smollm2_gguf)
    params.model_alias = {"small"}
    params.n_ctx = CONTEXT_TOKENS * PLACES
    params.n_parallel = PLACES
    params.n_batch = 128
    params.verbosity = -1
    params.warmup = False
    params.api_keys = ["secret"]
    server = xllamacpp.Server(params)
    yield f"{server.listening_address}/v1"
    del server


@pytest.fixture(scope="module")
def real(server_url: str) -> Iterator[EngineHost]:
    """One engine for all tests of the contract."""
    yield from running(EngineHost(build(options("openai", model="small", base_url=server_url, api_key="secret"))))


@pytest.mark.model
class TestOpenAI(ModelContract):
    @pytest.fixture
    def host(self, real: EngineHost) -> EngineHost:
        return real


@pytest.fixture
def fake() -> Iterator[FakeOpenAI]:
    with fake_openai() as server:
        yield server


@pytest.fixture
def host(fake: FakeOpenAI) -> Iterator[EngineHost]:
    """An engine that asks the fake server."""
    yield from running(build_for(fake))


def build_for(fake: FakeOpenAI, **others: Any) -> EngineHost:
    given = {"model": MODEL, "base_url": fake.base_url, "api_key": "secret", "context_tokens": 0, **others}
    return EngineHost(build(options("openai", **given)))


class TestOpenAIDies(DyingContract):
    """The server's connection breaks, and the server does not come back."""

    @pytest.fixture
    def mortal(self, fake: FakeOpenAI, host: EngineHost) -> EngineHost:
        fake.script = Script(stalls_after=2)
        return host


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(Script(dies_after=2), id="the connection is cut"),
        pytest.param(Script(says_how_it_ended=False), id="it ends without a reason"),
        pytest.param(Script(garbage_after=2), id="it sends no JSON"),
    ],
)
def test_a_server_that_breaks_off_is_told_from_one_that_has_finished(
    fake: FakeOpenAI, host: EngineHost, script: Script
) -> None:
    fake.script = script
    pieces = host.stream(request(CAPITAL))

    taken = [next(pieces).text, next(pieces).text]
    with pytest.raises(EngineDied):
        list(pieces)

    assert taken == ["Once ", "upon "]
    fake.script = Script()
    assert text_of(ask(host, CAPITAL)) == "Once upon a time."


@pytest.mark.parametrize(
    ("script", "expected", "says"),
    [
        (Script(status=401), EngineUnavailable, r"engine\.api_key"),
        (Script(status=403), EngineUnavailable, r"engine\.api_key"),
        (Script(status=404), EngineUnavailable, r"engine\.model"),
        (Script(status=429), EngineBusy, "later"),
        (Script(status=503), EngineBusy, "later"),
        (Script(status=500), EngineUnavailable, "HTTP 500"),
        (Script(status=400), NotSupported, "HTTP 400"),
        (Script(status=400, error={"message": "no", "code": "context_length_exceeded"}), PromptTooLong, str(WINDOW)),
        (Script(status=400, error={"message": "maximum context length is 2048"}), PromptTooLong, str(WINDOW)),
        (Script(dies_after=0), EngineUnavailable, r"engine\.base_url"),
    ],
)
def test_what_the_server_refuses_is_told_with_the_remedy(
    fake: FakeOpenAI, host: EngineHost, script: Script, expected: type[Exception], says: str
) -> None:
    fake.script = script

    with pytest.raises(expected, match=says):
        next(host.stream(request(CAPITAL)))


def test_a_refusal_never_repeats_the_prompt(fake: FakeOpenAI, host: EngineHost) -> None:
    fake.script = Script(status=400, error={"message": "I do not like: SECRET-WORDS"})

    with pytest.raises(NotSupported) as refused:
        next(host.stream(request(Message("user", "SECRET-WORDS"))))

    assert "SECRET-WORDS" not in str(refused.value)


def test_a_cancelled_answer_hangs_up_on_the_server(fake: FakeOpenAI, host: EngineHost) -> None:
    """A server stops generating when its client goes away."""
    fake.script = Script(stalls_after=2)
    pieces = host.stream(request(STORY, sampling=LONG))
    next(pieces)

    pieces.cancel()

    until(lambda: fake.broken_off == 1)


def test_a_wrong_key_is_found_at_the_start(fake: FakeOpenAI) -> None:
    fake.script = Script(status=401)

    with pytest.raises(EngineUnavailable, match=r"engine\.api_key"):
        build_for(fake).start()


def test_a_model_that_the_server_has_not_is_found_at_the_start(fake: FakeOpenAI) -> None:
    with pytest.raises(EngineUnavailable, match=f"It serves: {MODEL}"):
        build_for(fake, model="another").start()


def test_a_server_that_is_not_there_is_found_at_the_start() -> None:
    host = EngineHost(build(options("openai", model=MODEL, base_url="http://127.0.0.1:9/v1")))

    with pytest.raises(EngineUnavailable, match=r"engine\.base_url"):
        host.start()


def test_the_window_is_the_servers_unless_a_smaller_one_is_set(fake: FakeOpenAI) -> None:
    for wanted, expected in ((0, WINDOW), (100, 100), (10**6, WINDOW)):
        with closing(build_for(fake, context_tokens=wanted)) as host:
            host.start()

            assert host.context_tokens == expected


def test_vllm_gets_what_only_vllm_takes(fake: FakeOpenAI) -> None:
    fake.script = Script(owner="vllm")
    with closing(build_for(fake)) as host:
        host.start()

        list(host.stream(Request("x", [CAPITAL], Sampling(repetition_penalty=1.3), cache_salt="salt")))
        counted = host.count_tokens([CAPITAL])

    assert fake.requests[-1]["cache_salt"] == "salt"
    assert fake.requests[-1]["repetition_penalty"] == 1.3
    assert counted == len(CAPITAL.content.split()) + 4


def test_an_adapter_is_asked_for_by_the_name_that_the_server_lists(fake: FakeOpenAI) -> None:
    fake.script = Script(owner="vllm", models=(MODEL, "greenhouse"))
    with closing(build_for(fake)) as host:
        host.start()

        list(host.stream(Request("x", [CAPITAL], lora="greenhouse")))

    assert fake.requests[-1]["model"] == "greenhouse"


def test_others_get_only_words_of_openais_own_api(fake: FakeOpenAI, host: EngineHost) -> None:
    """It refuses what it does not know."""
    list(host.stream(Request("x", [CAPITAL], Sampling(seed=1, stop=("x",)), cache_salt="salt")))

    assert set(fake.requests[-1]) == {
        *("model", "messages", "stream", "stream_options", "max_tokens", "temperature", "top_p", "seed", "stop")
    }
    assert fake.keys == ["Bearer secret"]


def test_it_counts_on_the_safe_side_where_the_server_does_not(host: EngineHost) -> None:
    assert host.count_tokens([Message("user", "a" * 300)]) >= 100
    assert host.count_tokens([Message("user", "字" * 300)]) >= 300


def test_it_embeds_where_the_server_can(host: EngineHost) -> None:
    assert host.embed(["one", "two"]) == [[0.0, 1.0], [1.0, 1.0]]
