"""Past dialogues as JSON lines: questions with their answers."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from parlour.knowledge.errors import DocumentUnreadable
from parlour.knowledge.reading.blocks import Blocks, Warnings
from parlour.knowledge.reading.tables import ANSWER, QUESTION, dialogue
from parlour.knowledge.reading.text import read_text

_SHAPES = '{"question": "…", "answer": "…"} or {"messages": [{"role": "user", "content": "…"}, …]}'


def read_dialogues(path: Path, warnings: Warnings) -> Blocks:
    """Every question that got an answer. A broken line is told and left out, the rest is kept."""
    is_empty = True
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        pairs = list(_pairs(line))
        if not pairs:
            warnings.add(f"line {number} is no dialogue")
        for question, answer in pairs:
            is_empty = False
            yield dialogue(question, answer, row=number)
    if is_empty:
        raise DocumentUnreadable(f"holds no dialogue. Each line has to be like {_SHAPES}")


def _pairs(line: str) -> Iterator[tuple[str, str]]:
    try:
        found = json.loads(line)
    # A number of a million digits is a ValueError too, brackets nested a million deep a RecursionError.
    except (ValueError, RecursionError):
        return
    if not isinstance(found, dict):
        return
    messages = found.get("messages")
    if isinstance(messages, list):
        yield from _of_messages(messages)
        return
    question = _first(found, QUESTION)
    answer = _first(found, ANSWER)
    if question and answer:
        yield question, answer


def _of_messages(messages: list[Any]) -> Iterator[tuple[str, str]]:
    """What a person said last before each answer, with the answer."""
    asked = ""
    for message in messages:
        if not isinstance(message, dict) or not isinstance(message.get("content"), str):
            continue
        role, content = message.get("role"), message["content"].strip()
        if role == "user":
            asked = content
        elif role == "assistant" and asked and content:
            yield asked, content
            asked = ""


def _first(found: Mapping[str, Any], names: set[str]) -> str:
    texts = (value for name, value in found.items() if name.casefold() in names and isinstance(value, str))
    return next((text for text in texts if text.strip()), "")
