"""Making an answer of passages, such that every sentence of it stands in one of them, and says in which."""

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

from parlour.sdk import CapabilityError, Model, Passage, Turn
from parlour_customer_service.texts import say
from parlour_customer_service.words import content_words, coverage, is_chinese, sentences

_SHORT_PASSAGE: Final = 500
_MOST_QUOTED: Final = 3
_LONGEST_ANSWER_TOKENS: Final = 300
# A sentence of the model's stays when so much of what it says stands in one passage.
_SUPPORTED: Final = 0.6
_NUMBER: Final = re.compile(r"\d+(?:[.,:]\d+)*")
# How a host shows passages to a model.
_QUOTE_BAR: Final = "|"
_CITED: Final = re.compile(r"\s*[\[【]\d+[\]】]")
_SYSTEM: Final = (
    "Answer the customer's question in the customer's language, in at most three sentences, from the quoted passages "
    "alone. If they do not answer it, say that you do not know."
)


@dataclass(frozen=True, slots=True)
class Cited:
    """A sentence, and the number of the passage that it stands in."""

    text: str
    number: int


def sources(passages: Sequence[Passage], language: str) -> str:
    """The list of what was cited."""
    lines = [f"[{number}] {origin(one)}" for number, one in enumerate(passages, start=1)]
    return "\n".join([say("sources", language), *(f"- {line}" for line in lines)])


def origin(passage: Passage) -> str:
    """Document and place, for people."""
    return ", ".join(part for part in (passage.source, passage.place) if part)


def quoted(question: str, passages: Sequence[Passage]) -> list[Cited]:
    """The sentences that have most to do with the question, word for word; short passages whole."""
    if not passages:
        return []
    first = passages[0].text.strip()
    if len(first) <= _SHORT_PASSAGE:
        return [Cited(first, 1)]
    parts = sentences(first)
    # In a text of another language no word is shared: then the beginning is as good as anything.
    ranked = sorted(range(len(parts)), key=lambda at: (-coverage(question, parts[at]), at))[:_MOST_QUOTED]
    return [Cited(parts[at], 1) for at in sorted(ranked)]


async def written(turn: Turn, model: Model, passages: Sequence[Passage]) -> list[Cited]:
    """What the model makes of the passages, as far as they bear it out; nothing where they do not, or it fails."""
    try:
        pieces = model.stream(turn, grounded_in=passages, system=_SYSTEM, max_tokens=_LONGEST_ANSWER_TOKENS)
        text = "".join([piece async for piece in pieces])
    except CapabilityError:
        return []
    return supported(turn.text, text, passages)


def supported(question: str, text: str, passages: Sequence[Passage]) -> list[Cited]:
    """The sentences of `text` that a passage bears out, each with its number.

    None at all where fewer than half are borne out, or where they say nothing beyond the question: a model that repeats
    what it was asked has not answered. Nor has one that repeats all that it was given to read.
    """
    if any(line.startswith(_QUOTE_BAR) for line in text.splitlines()):
        return []
    said = [_CITED.sub("", one).strip() for one in sentences(text)]
    said = [one for one in said if content_words(one)]
    kept = [Cited(one, number) for one in said if (number := _bearer(one, passages))]
    asked = set(content_words(question))
    is_new = any(set(content_words(one.text)) - asked for one in kept)
    return kept if is_new and 2 * len(kept) >= len(said) else []


def _bearer(sentence: str, passages: Sequence[Passage]) -> int:
    """The number of the passage that bears the sentence out best, 0 where none does: all its numbers stand there."""
    if sentence.rstrip().endswith(("?", "？")):
        return 0
    numbers = set(_NUMBER.findall(sentence))
    best, of_it = 0, _SUPPORTED
    for number, one in enumerate(passages, start=1):
        whole = f"{one.place} {one.text}"
        share = coverage(sentence, whole)
        if share >= of_it and numbers <= set(_NUMBER.findall(whole)) and is_chinese(sentence) == is_chinese(whole):
            best, of_it = number, share
    return best


async def answer(turn: Turn, model: Model, passages: Sequence[Passage], *, style: str) -> AsyncIterator[str]:
    """The answer with its citations and sources: written where that holds, else quoted."""
    said = await written(turn, model, passages) if style == "write" else []
    if said:
        yield " ".join(f"{one.text} [{one.number}]" for one in said)
    else:
        said = quoted(turn.text, passages)
        yield "\n".join(f"> {line}" for one in said for line in f"{one.text} [{one.number}]".splitlines())
    last = max(one.number for one in said)
    yield f"\n\n{sources(passages[:last], turn.language)}"
