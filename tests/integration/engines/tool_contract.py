"""What an engine does with tools whose model has a chat template that knows them."""

import json
from pathlib import Path

from parlour.engines.host import EngineHost
from parlour.engines.protocol import Message, Request, Sampling, Tool, ToolCall
from tests.integration.engines.contract import CAPITAL, ask, text_of

# Ours, in the notation that many models have learnt: the small model's own knows no tools.
TEMPLATE = Path(__file__).parents[2] / "support" / "chatml_with_tools.jinja"
WEATHER = Tool(
    "weather",
    "The weather in a city",
    {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
)
COLD = Sampling(temperature=0.0, max_tokens=60)


class ToolContract:
    """A class for an engine inherits this and gives `host`."""

    def test_it_says_that_it_calls_tools(self, host: EngineHost) -> None:
        assert host.calls_tools

    def test_the_models_own_words_become_a_call_and_none_of_them_is_shown(self, host: EngineHost) -> None:
        """The small model was not taught to call tools; what it did four times before, it does again."""
        pieces = list(host.stream(Request("calls", _habit("Paris"), COLD, tools=[WEATHER])))

        (call,) = pieces[-1].calls
        assert (call.name, json.loads(call.arguments)) == ("weather", {"city": "Paris"})
        assert call.id
        assert text_of(pieces) == ""
        assert pieces[-1].completion_tokens > 0

    def test_a_call_that_is_broken_off_is_none(self, host: EngineHost) -> None:
        short = Sampling(temperature=0.0, max_tokens=8)

        pieces = list(host.stream(Request("short", _habit("Paris"), short, tools=[WEATHER])))

        assert pieces[-1].finish == "length"
        assert all(not _is_json(call.arguments) for call in pieces[-1].calls)
        assert text_of(pieces) == ""

    def test_a_result_is_read_and_answered_in_words(self, host: EngineHost) -> None:
        said = [CAPITAL, *_wish("0", "Paris"), Message("tool", "Paris is sunny.", answers="0")]

        pieces = list(host.stream(Request("result", said, COLD, tools=[WEATHER])))

        assert pieces[-1].calls == ()
        assert text_of(pieces).strip()

    def test_tools_take_room_in_the_prompt_and_only_where_they_are_given(self, host: EngineHost) -> None:
        with_tools = list(host.stream(Request("with", [CAPITAL], COLD, tools=[WEATHER])))
        without = ask(host, CAPITAL)

        assert without[-1].prompt_tokens == host.count_tokens([CAPITAL])
        assert with_tools[-1].prompt_tokens > without[-1].prompt_tokens + 30


def _habit(city: str) -> list[Message]:
    """Four calls and a question that wants a fifth."""
    said: list[Message] = []
    for number, other in enumerate(("Lima", "Oslo", "Rome", "Cairo")):
        said += [Message("user", f"Weather in {other}?"), *_wish(str(number), other)]
    return [*said, Message("user", f"Weather in {city}?")]


def _wish(call_id: str, city: str) -> list[Message]:
    return [Message("assistant", "", calls=(ToolCall(call_id, "weather", json.dumps({"city": city})),))]


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
