"""llama.cpp with the small model against the contract, and files that are no model."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from parlour.engines.errors import ModelFileError
from parlour.engines.factory import build
from parlour.engines.host import EngineHost
from parlour.engines.llamacpp import LlamaCppEngine
from tests.integration.engines.contract import CAPITAL, DyingContract, ModelContract, ask, options, running
from tests.integration.engines.tool_contract import TEMPLATE, ToolContract

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def llamacpp(smollm2_gguf: Path) -> Iterator[EngineHost]:
    """One engine for all tests of the contract."""
    yield from running(EngineHost(build(options("llamacpp", model=str(smollm2_gguf)))))


class TestLlamaCpp(ModelContract):
    @pytest.fixture
    def host(self, llamacpp: EngineHost) -> EngineHost:
        return llamacpp

    def test_a_model_whose_template_knows_no_tools_calls_none(self, host: EngineHost) -> None:
        """They are asked of it by structured output instead."""
        assert not host.calls_tools


@pytest.fixture(scope="module")
def with_tools(smollm2_gguf: Path) -> Iterator[EngineHost]:
    """The same model with a template that knows tools."""
    yield from running(EngineHost(build(options("llamacpp", model=str(smollm2_gguf), chat_template=TEMPLATE))))


class TestLlamaCppCallsTools(ToolContract):
    @pytest.fixture
    def host(self, with_tools: EngineHost) -> EngineHost:
        return with_tools


def test_tools_by_structured_output_alone_where_the_operator_wants_it(smollm2_gguf: Path) -> None:
    wanted = options("llamacpp", model=str(smollm2_gguf), chat_template=TEMPLATE, tool_calls="schema")
    for host in running(EngineHost(build(wanted))):
        assert not host.calls_tools


def test_a_chat_template_that_is_not_there_is_named(smollm2_gguf: Path, tmp_path: Path) -> None:
    wanted = options("llamacpp", model=str(smollm2_gguf), chat_template=tmp_path / "none.jinja")

    with pytest.raises(ModelFileError, match=r"engine\.chat_template: .*none\.jinja"):
        EngineHost(build(wanted)).start()


class TestLlamaCppDies(DyingContract):
    """It lives in this process and can only be shut down."""

    @pytest.fixture
    def mortal(self, smollm2_gguf: Path) -> Iterator[EngineHost]:
        yield from running(EngineHost(build(options("llamacpp", model=str(smollm2_gguf)))))


@pytest.mark.parametrize("share", [0.0, 0.0001, 0.01, 0.5, 0.999999], ids=lambda share: f"{share:%} of it")
def test_a_model_file_that_is_cut_short_is_refused(smollm2_gguf: Path, tmp_path: Path, share: float) -> None:
    whole = smollm2_gguf.read_bytes()
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(whole[: int(len(whole) * share)])

    with pytest.raises(ModelFileError, match=r"cut\.gguf .*parlour model pull"):
        EngineHost(build(options("llamacpp", model=str(cut)))).start()


def test_a_damaged_file_that_looks_whole_is_refused_by_llama_cpp(smollm2_gguf: Path, tmp_path: Path) -> None:
    """The layer count is wrong, which only loading can find: the process lives on."""
    damaged = tmp_path / "damaged.gguf"
    whole = bytearray(smollm2_gguf.read_bytes())
    at = whole.index(b"llama.block_count") + len(b"llama.block_count") + 4
    whole[at : at + 4] = (31).to_bytes(4, "little")
    damaged.write_bytes(whole)

    with pytest.raises(ModelFileError, match="cannot load"):
        EngineHost(build(options("llamacpp", model=str(damaged)))).start()


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "picture.gguf"
    other.write_bytes(b"\x89PNG\r\n\x1a\n" * 1000)

    with pytest.raises(ModelFileError, match=r"picture\.gguf is not a GGUF file"):
        EngineHost(build(options("llamacpp", model=str(other)))).start()


def test_a_model_that_was_not_fetched_says_how_to_fetch_it(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="parlour model pull qwen"):
        EngineHost(build(options("llamacpp", model="qwen", models_dir=tmp_path))).start()


def test_an_engine_that_was_closed_can_start_again(smollm2_gguf: Path) -> None:
    host = EngineHost(build(options("llamacpp", model=str(smollm2_gguf))))
    host.start()
    host.close()

    host.start()

    assert ask(host, CAPITAL)[-1].finish == "stop"
    host.close()
    host.close()


def test_nobody_else_on_the_machine_can_use_its_server(smollm2_gguf: Path) -> None:
    """llama.cpp opens a port of its own; without its key, made up at each start, it answers nothing about content."""
    engine = build(options("llamacpp", model=str(smollm2_gguf)))
    assert isinstance(engine, LlamaCppEngine)
    host = EngineHost(engine)
    host.start()
    address = engine._server.listening_address

    import httpx  # noqa: PLC0415

    answers = {
        path: httpx.post(address + path, json={"messages": [], "content": ""}).status_code
        for path in ("/v1/chat/completions", "/completion", "/tokenize", "/slots")
    }
    host.close()

    assert address.startswith("http://127.0.0.1:")
    assert set(answers.values()) <= {401, 404}
