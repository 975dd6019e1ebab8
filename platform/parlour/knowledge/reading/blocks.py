"""What every reader gives: blocks of text, each with its place in the document."""

from collections.abc import Iterator
from dataclasses import dataclass, field

# How many broken rows are told one by one; more are only counted.
_TOLD_WARNINGS = 20


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, a list, a table's row, a page, or a question with its answer."""

    text: str
    headings: tuple[str, ...] = ()
    page: int | None = None
    row: int | None = None
    question: str | None = None
    """What the block answers: it is found by this rather than by its text."""
    is_record: bool = False
    """Whether it stands for itself, like a row, and is never joined with its neighbours."""


@dataclass(slots=True)
class Warnings:
    """What was left out while reading, for people."""

    told: list[str] = field(default_factory=list)
    untold: int = 0

    def add(self, warning: str) -> None:
        """Note one."""
        if len(self.told) < _TOLD_WARNINGS:
            self.told.append(warning)
        else:
            self.untold += 1

    def lines(self) -> list[str]:
        """All of them, the last line counting those that were too many."""
        return [*self.told, *([f"and {self.untold} more"] if self.untold else [])]


Blocks = Iterator[Block]


def under(headings: list[tuple[int, str]], level: int, title: str) -> list[tuple[int, str]]:
    """The path of headings after one of `level`: those above it, and itself."""
    return [*(one for one in headings if one[0] < level), (level, " ".join(title.split()))]
