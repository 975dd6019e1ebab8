"""Lists: a page at a time by the key of its last row, and the same rows as CSV."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final, Generic, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from starlette.responses import Response, StreamingResponse

from parlour.store.places import MOST

T = TypeVar("T")

PAGE_ROWS: Final = 50
# So many rows of a file are read at once.
CSV_BATCH: Final = MOST
# What spreadsheets take for a formula where a cell begins with it, the wide forms of East Asian keyboards included.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows of a list, and where the next ones are."""

    rows: Sequence[T]
    # The address's query of the next page, None on the last one.
    next_query: str | None


def cut(found: Sequence[T], key: str, filters: dict[str, str], *, size: int = PAGE_ROWS) -> Page[T]:
    """The first `size` of what was found, which is asked for with one more to know whether there are.

    `key` is the attribute that the list goes on behind; `filters` go with it, empty ones left out.
    """
    rows = found[:size]
    if len(found) <= size:
        return Page(rows, None)
    told = {name: value for name, value in filters.items() if value}
    return Page(rows, urlencode({**told, "after": getattr(rows[-1], key)}))


def uuid_or_none(text: str) -> UUID | None:
    """The id in an address, None where there is none or it is not one."""
    try:
        return UUID(text)
    except ValueError:
        return None


def day_of(text: str) -> datetime | None:
    """The beginning of that day in UTC, or that moment; None for what is no date, or none in UTC."""
    try:
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def wrong_days(typed: Mapping[str, str]) -> dict[str, str]:
    """Keys of texts by the field, for those of `since` and `until` that hold no date."""
    return {name: "list_date_wrong" for name in ("since", "until") if typed[name] and day_of(typed[name]) is None}


def all_of(read: Callable[[T | None, int], Sequence[T]]) -> Iterator[T]:
    """Every row of a list: `read` is asked for the first so many, then for those behind the last, until fewer come."""
    last: T | None = None
    while True:
        found = read(last, CSV_BATCH)
        yield from found
        if len(found) < CSV_BATCH:
            return
        last = found[-1]


def csv_file(name: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Response:
    """The rows as a CSV file that no spreadsheet takes for formulas. It is sent while it is read, however long it is.

    What fails at the first rows is told by a page of its own; later the file breaks off, which browsers call failed.
    """
    coming = iter(rows)
    first = list(islice(coming, CSV_BATCH))
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"', "Cache-Control": "no-store"}
    return StreamingResponse(_written(header, first, coming), media_type="text/csv; charset=utf-8", headers=headers)


def _written(header: Sequence[str], first: Sequence[Sequence[Any]], coming: Iterator[Sequence[Any]]) -> Iterator[str]:
    # With the mark by which spreadsheets know UTF-8.
    yield "\ufeff" + _lines([header])
    rows = first
    while rows:
        yield _lines([_cell(value) for value in row] for row in rows)
        rows = list(islice(coming, CSV_BATCH))


def _lines(rows: Iterable[Sequence[str]]) -> str:
    written = io.StringIO()
    csv.writer(written).writerows(rows)
    return written.getvalue()


def _cell(value: Any) -> str:  # noqa: ANN401 (whatever a column holds)
    text = "" if value is None else str(value)
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text
