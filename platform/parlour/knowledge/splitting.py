"""Blocks into passages: along headings and paragraphs first, between sentences where one is too long."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from parlour.knowledge.reading.blocks import Block

# As much as one or two paragraphs: an embedding of more means everything and nothing.
LONGEST = 900
# A Chinese character carries about as much as two and a half letters.
_WIDE = 2.5
_SENTENCE_END = re.compile(r"(?<=[。！？；…])|(?<=[.!?;])\s+|\n+")
_WIDE_CHARACTER = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]")


@dataclass(frozen=True, slots=True)
class Piece:
    """A passage to be, with its place in the document."""

    text: str
    headings: tuple[str, ...] = ()
    page: int | None = None
    row: int | None = None
    question: str | None = None

    @property
    def meaning(self) -> str:
        """What to embed: the question where it answers one, else the text under its headings."""
        return self.question or "\n".join([" > ".join(self.headings[-2:]), self.text]).strip()

    @property
    def words(self) -> str:
        """What full-text search finds it by."""
        return "\n".join([*self.headings, self.text])


def split(blocks: Iterable[Block], *, longest: int = LONGEST) -> Iterator[Piece]:
    """Pieces of up to `longest` letters (fewer Chinese characters); none spans two headings, pages or records."""
    gathered: list[Block] = []
    for block in blocks:
        if gathered and not _belongs(gathered, block, longest):
            yield from _pieces(gathered, longest)
            gathered = []
        if block.text.strip():
            gathered.append(block)
    if gathered:
        yield from _pieces(gathered, longest)


def width(text: str) -> float:
    """The text's length in letters, a Chinese character counting as more than one."""
    wide = len(_WIDE_CHARACTER.findall(text))
    return len(text) + wide * (_WIDE - 1)


def _belongs(gathered: list[Block], block: Block, longest: int) -> bool:
    last = gathered[-1]
    is_near = last.headings == block.headings and last.page == block.page
    is_record = last.is_record or block.is_record
    return is_near and not is_record and sum(width(one.text) for one in [*gathered, block]) <= longest


def _pieces(gathered: list[Block], longest: int) -> Iterator[Piece]:
    first = gathered[0]
    text = "\n\n".join(block.text for block in gathered)
    for part in filter(None, _parts(text, longest)):
        yield Piece(part, headings=first.headings, page=first.page, row=first.row, question=first.question)


def _parts(text: str, longest: int) -> Iterator[str]:
    """`text` in parts of whole sentences, some maybe empty; a sentence longer than `longest` is cut."""
    if width(text) <= longest:
        yield text.strip()
        return
    part: list[str] = []
    filled = 0.0
    for sentence in _sentences(text, longest):
        if part and filled + width(sentence) > longest:
            yield "".join(part).strip()
            part, filled = [], 0.0
        part.append(sentence)
        filled += width(sentence)
    yield "".join(part).strip()


def _sentences(text: str, longest: int) -> Iterator[str]:
    """Sentences with the space behind them, none longer than `longest`."""
    start = 0
    ends = [found.end() for found in _SENTENCE_END.finditer(text) if found.end() > 0]
    for end in [*ends, len(text)]:
        yield from _cut(text[start:end], longest)
        start = max(start, end)


def _cut(sentence: str, longest: int) -> Iterator[str]:
    if width(sentence) <= longest:
        if sentence:
            yield sentence
        return
    # At a space where there is one in the second half, so that no word is torn.
    step = max(1, int(longest / (_WIDE if _WIDE_CHARACTER.search(sentence) else 1)))
    start = 0
    while start < len(sentence):
        end = start + step
        space = sentence.rfind(" ", start + step // 2, end)
        if end < len(sentence) and space > 0:
            end = space + 1
        yield sentence[start:end]
        start = end
