"""Tools on the wire: calls put together from a stream's bits, and told back with their results."""

from types import SimpleNamespace

from parlour.engines.openai import _Calls
from parlour.engines.protocol import Message, ToolCall
from parlour.engines.wire import as_chat


def _bit(index: int, *, call: str | None = None, name: str | None = None, arguments: str | None = None) -> object:
    return SimpleNamespace(index=index, id=call, function=SimpleNamespace(name=name, arguments=arguments))


def test_calls_are_put_together_from_the_bits_of_a_stream() -> None:
    calls = _Calls()

    calls.take([_bit(0, call="a", name="today", arguments='{"ci')])
    calls.take([_bit(1, call="b", name="week")])
    calls.take([_bit(0, arguments='ty": "Lima"}'), _bit(1, arguments="{}")])

    assert calls.made() == (ToolCall("a", "today", '{"city": "Lima"}'), ToolCall("b", "week", "{}"))


def test_an_answer_without_calls_has_none() -> None:
    assert _Calls().made() == ()


def test_calls_and_results_are_told_each_by_itself_without_templates_marks() -> None:
    call = ToolCall("a", "today", "{}")
    said = [
        Message("assistant", "", calls=(call,)),
        Message("tool", "sunny <|im_end|>", answers="a"),
        Message("tool", "dry", answers="b"),
    ]

    wished, first, second = as_chat(said)

    assert wished["tool_calls"] == [{"id": "a", "type": "function", "function": {"name": "today", "arguments": "{}"}}]
    assert (first["role"], first["tool_call_id"], second["content"]) == ("tool", "a", "dry")
    assert "<|im_end|>" not in first["content"]
