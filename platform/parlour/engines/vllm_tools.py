"""vLLM's own parsers of tool calls: what the model says is parted into text for people and calls."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from parlour.engines.calls import described
from parlour.engines.errors import EngineUnavailable
from parlour.engines.protocol import Tool, ToolCall


class ToolReader:
    """Reads one answer. `take` gives the text that may be shown so far; `end` what is left, and the calls."""

    def __init__(self, parser: type[Any], tokenizer: Any, tools: Sequence[Tool]) -> None:  # noqa: ANN401 (vLLM's classes)
        """`parser` is a class of `vllm.tool_parsers`."""
        from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest  # noqa: PLC0415 (heavy)

        request = ChatCompletionRequest(
            model="", messages=[{"role": "user", "content": ""}], tools=[described(tool) for tool in tools]
        )
        # One reads what comes piece by piece, the other the whole: each keeps where it is.
        self._streaming, self._whole = (parser(tokenizer, request.tools) for _ in range(2))
        self._request = self._streaming.adjust_request(request)
        self._text, self._said = "", ""
        self._token_ids: list[int] = []
        self._has_called = False

    @property
    def skips_special_tokens(self) -> bool:
        """Whether the model's marks may be left out of its text; some are what calls are found by."""
        return bool(self._request.skip_special_tokens)

    def take(self, text: str, token_ids: Sequence[int]) -> str:
        """What of this piece is for people to read, now."""
        before, before_ids = self._text, list(self._token_ids)
        self._text += text
        self._token_ids += token_ids
        delta = self._streaming.extract_tool_calls_streaming(
            before, self._text, text, before_ids, self._token_ids, list(token_ids), self._request
        )
        if delta is None:
            return ""
        self._has_called = self._has_called or bool(delta.tool_calls)
        said = delta.content or ""
        self._said += said
        return said

    def end(self, *, is_whole: bool = True) -> tuple[str, tuple[ToolCall, ...]]:
        """What was held back and is text after all, and the calls. The whole answer is read once more for them.

        Read piece by piece, a call that is broken off (the answer is not `is_whole`) would be half of one.
        """
        found = self._whole.extract_tool_calls(self._text, self._request)
        content = found.content or ""
        calls = found.tool_calls if found.tools_called else ()
        # A call that was broken off is no text for people.
        is_text = content.startswith(self._said) and (bool(calls) or (is_whole and not self._has_called))
        rest = content[len(self._said) :] if is_text else ""
        return rest, tuple(ToolCall(one.id, one.function.name, one.function.arguments) for one in calls)


def find_parser(name: str) -> type[Any]:
    """The parser of that name. Raises `EngineUnavailable` with the names there are."""
    from vllm.tool_parsers import ToolParserManager  # noqa: PLC0415 (heavy)

    try:
        found: type[Any] = ToolParserManager.get_tool_parser(name)
    except KeyError:
        known = ", ".join(sorted({*ToolParserManager.lazy_parsers, *ToolParserManager.tool_parsers}))
        raise EngineUnavailable(f"engine.tool_parser: this vLLM has no parser '{name}'. It has: {known}.") from None
    return found


def with_objects(chat: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The chat with calls' arguments as objects: templates of Hugging Face models take them so, never as text."""
    return [
        {**message, "tool_calls": [_with_object(call) for call in message["tool_calls"]]}
        if "tool_calls" in message
        else dict(message)
        for message in chat
    ]


def _with_object(call: Mapping[str, Any]) -> dict[str, Any]:
    function = call["function"]
    try:
        arguments = json.loads(function["arguments"] or "{}")
    except ValueError:
        # What the model wrote was no JSON; its call was refused, and it is told so by the result.
        arguments = {}
    is_object = isinstance(arguments, dict)
    return {**call, "function": {**function, "arguments": arguments if is_object else {}}}
