"""Tools and calls on the wire, in the form of OpenAI's chat API, which llama.cpp and chat templates share."""

from collections.abc import Mapping
from typing import Any

from parlour.engines.protocol import Tool, ToolCall
from parlour.engines.wire import clean


def described(tool: Tool) -> dict[str, Any]:
    """The tool as servers and chat templates take it."""
    function = {"name": tool.name, "description": clean(tool.about), "parameters": _cleaned(dict(tool.arguments))}
    return {"type": "function", "function": function}


def _cleaned(value: Any) -> Any:  # noqa: ANN401 (JSON)
    """A schema with its texts cleaned: whoever wrote the skill must not end the template's quotation either."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {key: _cleaned(one) for key, one in value.items()}
    return [_cleaned(one) for one in value] if isinstance(value, list | tuple) else value


class Calls:
    """Puts calls together from the bits that a stream brings them in."""

    def __init__(self) -> None:
        self._parts: dict[int, list[str]] = {}

    def take(self, index: int, *, call_id: str | None, name: str | None, arguments: str | None) -> None:
        """Take one bit; what it does not have is None."""
        parts = self._parts.setdefault(index, ["", "", ""])
        parts[0] = call_id or parts[0]
        parts[1] += name or ""
        parts[2] += arguments or ""

    def made(self) -> tuple[ToolCall, ...]:
        """All of them, in the model's order."""
        return tuple(ToolCall(*parts) for _, parts in sorted(self._parts.items()))
