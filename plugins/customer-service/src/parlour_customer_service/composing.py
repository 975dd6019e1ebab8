"""Making an answer of passages, such that every sentence of it stands in one of them, and says in which."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

from parlour.sdk import CapabilityError, Model, Passage, Turn
from parlour_customer_service.texts import say
from parlour_customer_service.words import content_words, coverage, is_chinese, sentence_parts, sentences

_SHORT_PASSAGE: Final = 500
_MOST_QUOTED: Final = 3
_LONGEST_ANSWER_TOKENS: Final = 200
# A sentence of the model's stays when so much of what it says stands in one passage.
_SUPPORTED: Final = 0.6
# "Yes, of course." says nothing that a passage could bear out.
_EMPTY_PHRASE: Final = 2
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


async def answer(
    turn: Turn, model: Model, passages: Sequence[Passage], *, style: str, patience_s: float
) -> AsyncIterator[str]:
    """The answer with its citations and sources: written where that holds, else quoted."""
    last = 0
    if style == "write":
        async for one in written(turn, model, passages, patience_s=patience_s):
            yield f"{' ' if last else ''}{one.text} [{one.number}]"
            last = max(last, one.number)
    if not last:
        said = quoted(turn.text, passages)
        yield "\n".join(f"> {line}" for one in said for line in f"{one.text} [{one.number}]".splitlines())
        last = max(one.number for one in said)
    yield f"\n\n{sources(passages[:last], turn.language)}"


async def written(turn: Turn, model: Model, passages: Sequence[Passage], *, patience_s: float) -> AsyncIterator[Cited]:
    """What the model makes of the passages, sentence by sentence as they come, as far as the passages bear them out.

    Nothing where it fails, where none is borne out within `patience_s`, or where all is in the question: a model that
    repeats what it was asked has not answered. A model of which little is borne out is not heard to its end.
    """
    asked, hits, misses, held = set(content_words(turn.text)), 0, 0, list[Cited]()
    async for sentence in _sentences(turn, model, passages, patience_s=patience_s):
        if sentence.startswith(_QUOTE_BAR):
            return  # it repeats all that it was given to read
        number = _bearer(sentence, passages)
        if number:
            hits += 1
            held.append(Cited(sentence, number))
        elif len(content_words(sentence)) > _EMPTY_PHRASE or _NUMBER.search(sentence):
            misses += 1
        if misses > hits + 1:
            return
        if any(set(content_words(one.text)) - asked for one in held):
            asked = set()  # from here on, whatever is borne out is said
            for one in held:
                yield one
            held.clear()


async def _sentences(turn: Turn, model: Model, passages: Sequence[Passage], *, patience_s: float) -> AsyncIterator[str]:
    """The model's sentences, without the citations that it makes up; they end where it fails or is too slow."""
    pieces = model.stream(turn, grounded_in=passages, system=_SYSTEM, max_tokens=_LONGEST_ANSWER_TOKENS)
    loop = asyncio.get_running_loop()
    until, rest, is_over = loop.time() + patience_s, "", False
    try:
        while not is_over:
            piece = await asyncio.wait_for(anext(pieces, None), until - loop.time())
            is_over = piece is None
            *whole, rest = [*sentence_parts(f"{rest}{piece or ''}"), *([""] if is_over else [])]
            for one in whole:
                if bare := _CITED.sub("", one).strip():
                    yield bare
                    # It talks; every sentence has its own time.
                    until = loop.time() + patience_s
    except (CapabilityError, TimeoutError):
        return
    finally:
        if isinstance(pieces, AsyncGenerator):
            await pieces.aclose()


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
