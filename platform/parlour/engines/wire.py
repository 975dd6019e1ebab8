"""Chat messages in the form that every model's template takes."""

import re
from collections.abc import Sequence
from typing import Any

from parlour.engines.protocol import Message

# What chat templates use to part the speakers, and tools, calls and their results from what people say. In a person's
# text it would let them speak as someone else, so it is broken up with a zero-width space, which reads the same.
_CONTROL = re.compile(
    r"<(?=\|[^<>|\s]{1,40}[|>]|/?s>|(?:start|end)_of_turn>|/?think>|\uff5c[^<>]{1,40}\uff5c>"
    r"|/?tool(?:s|_[a-z]{1,20})\|?>)"
    r"|\[(?=/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_[A-Z]{1,20})\])"
)
_LONE_SURROGATES = re.compile("[\ud800-\udfff]")


def as_chat(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """`messages` as role and content, safe for any template.

    Neighbours of one role become one message, since many templates refuse to see a role twice in a row. Lone surrogates
    cannot be encoded and become U+FFFD.
    """
    chat: list[dict[str, Any]] = []
    for message in messages:
        content = clean(message.content)
        if message.calls or message.answers:
            chat.append(_about_tools(message, content))
        elif chat and chat[-1]["role"] == message.role:
            chat[-1]["content"] += f"\n\n{content}"
        else:
            chat.append({"role": message.role, "content": content})
    return chat


def _about_tools(message: Message, content: str) -> dict[str, Any]:
    if message.answers:
        return {"role": "tool", "tool_call_id": message.answers, "content": content}
    calls = [
        {"id": one.id, "type": "function", "function": {"name": one.name, "arguments": clean(one.arguments)}}
        for one in message.calls
    ]
    return {"role": message.role, "content": content, "tool_calls": calls}


def clean(text: str) -> str:
    """`text` without what a template would take for its own marks, encodable as UTF-8."""
    return _CONTROL.sub(lambda found: f"{found[0]}\u200b", _LONE_SURROGATES.sub("\ufffd", text))
