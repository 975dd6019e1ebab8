"""Where the next page of a list begins: opaque, and good for that list of that workspace alone."""

import base64
import binascii
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Final, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

from parlour.admin.api.problems import Problem
from parlour.privacy.lookup import Lookup
from parlour.store.ids import WorkspaceId
from parlour.store.places import Place

T = TypeVar("T")
V = TypeVar("V", bound=BaseModel)

_MAC_BYTES: Final = 16
MOST: Final = 100

Limit = Annotated[int, Query(ge=1, le=MOST, description="At most so many.")]
Cursor = Annotated[
    str | None, Query(max_length=600, description="`next` of the page before; the filters must stay the same.")
]


class Page(BaseModel, Generic[V]):
    """A page of a list. `next` is the cursor of the following page, null on the last one."""

    items: list[V]
    next: str | None = Field(None, examples=["MDFhMjA1ZGMtMjg0Yy03NmY1.5pJ0kq"])


@dataclass(frozen=True, slots=True)
class Cursors:
    """Writes and reads the cursors of one list. `filters` are what else was asked for, in a fixed order."""

    lookup: Lookup
    workspace_id: WorkspaceId
    what: str
    filters: tuple[object, ...] = ()

    def page(
        self, found: Sequence[T], limit: int, *, position: Callable[[T], object], shown: Callable[[T], V]
    ) -> Page[V]:
        """The page made of `limit + 1` rows that were read: the one too many says that there is a next page."""
        there = found[:limit]
        following = self.write(str(position(there[-1]))) if len(found) > limit and there else None
        return Page(items=[shown(one) for one in there], next=following)

    def write(self, position: str) -> str:
        """The cursor of what comes behind this position."""
        return base64.urlsafe_b64encode(self._mac(position) + position.encode()).decode().rstrip("=")

    def read(self, cursor: str | None) -> str | None:
        """The position, None for the first page. Raises `Problem` for what is no cursor of this list."""
        if cursor is None:
            return None
        try:
            raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
            position = raw[_MAC_BYTES:].decode()
        except (binascii.Error, ValueError):
            raise self._strange() from None
        # The whole word, not the bytes it stands for: base64 has several words for the same bytes.
        if not hmac.compare_digest(self.write(position).encode(), cursor.encode()):
            raise self._strange()
        return position

    def read_place(self, cursor: str | None) -> Place | None:
        """The place in a list that goes by time. Raises `Problem` as `read` does."""
        position = self.read(cursor)
        return None if position is None else Place.of(position)

    def _strange(self) -> Problem:
        remedy = f"Give `next` of a page of {self.what} as it was, with the same filters."
        return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"The cursor is none of this list. {remedy}")

    def _mac(self, position: str) -> bytes:
        asked = [str(one) for one in self.filters]
        return self.lookup.hash("cursor", str(self.workspace_id), self.what, position, *asked)[:_MAC_BYTES]
