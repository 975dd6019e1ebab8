"""Tables: CSV files, and rows of any kind as records."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from parlour.knowledge.reading.blocks import Block, Blocks, Warnings
from parlour.knowledge.reading.text import read_text

QUESTION = {"question", "q", "prompt", "问题", "问", "提问"}
ANSWER = {"answer", "a", "best answer", "best_answer", "completion", "response", "reply", "答案", "回答", "答"}
_SNIFFED_CHARS = 16_384
_LONGEST_FIELD = 1_000_000


def read_csv(path: Path, warnings: Warnings) -> Blocks:
    """Each row as a record; the first names the columns. Questions in one and answers in another make dialogues."""
    text = read_text(path)
    csv.field_size_limit(_LONGEST_FIELD)
    yield from records(_rows(text, warnings), warnings)


def records(rows: Iterable[tuple[int, Sequence[str]]], warnings: Warnings, headings: tuple[str, ...] = ()) -> Blocks:
    """Rows, with their numbers, as blocks that name the columns; a row that does not fit its head is told."""
    head: Sequence[str] = ()
    for number, row in rows:
        if not any(cell.strip() for cell in row):
            continue
        if not head:
            head = [cell.strip() or f"column {index}" for index, cell in enumerate(row, start=1)]
            continue
        if len(row) != len(head):
            warnings.add(f"row {number} has {len(row)} fields instead of {len(head)}")
        yield _record(head, row, number, headings)


def dialogue(question: str, answer: str, *, row: int, headings: tuple[str, ...] = ()) -> Block:
    """A question with its answer."""
    text = f"Question: {question.strip()}\nAnswer: {answer.strip()}"
    return Block(text, headings=headings, row=row, question=question.strip(), is_record=True)


def _record(head: Sequence[str], row: Sequence[str], number: int, headings: tuple[str, ...]) -> Block:
    cells = dict(zip(head, row, strict=False))
    question = next((cell for name, cell in cells.items() if name.casefold() in QUESTION and cell.strip()), None)
    answer = next((cell for name, cell in cells.items() if name.casefold() in ANSWER and cell.strip()), None)
    if question and answer:
        return dialogue(question, answer, row=number, headings=headings)
    # More fields than heads: kept, without a name.
    unnamed = [("", cell) for cell in row[len(head) :]]
    lines = [f"{name}: {cell.strip()}".removeprefix(": ") for name, cell in [*cells.items(), *unnamed] if cell.strip()]
    return Block("\n".join(lines), headings=headings, row=number, is_record=True)


def _rows(text: str, warnings: Warnings) -> Iterator[tuple[int, list[str]]]:
    """Rows with the number of the line that each ends on; a row that cannot be parted is left out with a warning."""
    reader = csv.reader(io.StringIO(text), delimiter=_delimiter(text))
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:
            warnings.add(f"line {reader.line_num} cannot be parted into fields (longer than {_LONGEST_FIELD})")
            continue
        yield reader.line_num, row


def _delimiter(text: str) -> str:
    """Which of the usual separators the first lines use: that of which the first line has most."""
    first = next((line for line in text[:_SNIFFED_CHARS].split("\n") if line.strip()), "")
    return max(",;\t|", key=first.count)
