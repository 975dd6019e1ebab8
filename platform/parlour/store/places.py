"""Lists that show the newest first are read page by page: where a page ends, and what comes behind it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Self
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_
from sqlalchemy.orm import InstrumentedAttribute

# Rows that a page has at most.
MOST: Final = 200
# Databases count with 64 bits.
_MOST_DIGITS: Final = 18


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page of a list ends: the time and the id of its last row."""

    at: datetime
    id: UUID

    @property
    def word(self) -> str:
        """As it stands in an address."""
        return f"{self.at.isoformat()}~{self.id}"

    @classmethod
    def of(cls, word: str) -> Self | None:
        """The place that `word` stands for, None where it stands for none."""
        at, _, row_id = word.partition("~")
        try:
            moment = datetime.fromisoformat(at)
            return cls(moment.astimezone(UTC), UUID(row_id)) if moment.tzinfo else None
        except (ValueError, OverflowError):
            return None


def number_or_none(text: str) -> int | None:
    """The number in an address, None where there is none, or one that no row has."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None


def is_behind(
    at: InstrumentedAttribute[datetime], row_id: InstrumentedAttribute[UUID], place: Place
) -> ColumnElement[bool]:
    """Whether a row of a list, newest first, comes after that place."""
    # The first half bounds the walk along the index; databases see no bound in the second.
    return and_(at <= place.at, or_(at < place.at, row_id < place.id))
