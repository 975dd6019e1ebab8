"""The catalogue: taken in row by row, stored in pages, held in memory in little room."""

import json
import zlib
from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

import numpy as np

from parlour.sdk import SharedStore
from parlour_recommendation.behaviour import Ints
from parlour_recommendation.content import Content, ContentMaker
from parlour_recommendation.items import Item, item_of, packed, unpacked
from parlour_recommendation.pages import Head, Writer, fits, head, read
from parlour_recommendation.rows import Broken, Row, Rows

_ITEMS_A_PAGE: Final = 400
_MOST_ITEMS: Final = 1_000_000
_SHOWN_PROBLEMS: Final = 10
_PAGES_OPEN: Final = 16


@dataclass
class Report:
    """What came of a file: how many were kept, and what is wrong with how many others."""

    kept: int = 0
    broken: int = 0
    first: list[Broken] = field(default_factory=list)

    def refuse(self, one: Broken) -> None:
        """Count it; the first ones are told."""
        self.broken += 1
        if len(self.first) < _SHOWN_PROBLEMS:
            self.first.append(one)


async def rows_of(pieces: AsyncIterator[bytes]) -> AsyncIterator[Row | Broken]:
    """The rows of a file that comes in pieces."""
    rows = Rows()
    async for piece in pieces:
        for row in rows.feed(piece):
            yield row
    for row in rows.finish():
        yield row


async def take_in(shared: SharedStore, rows: AsyncIterator[Row | Broken], *, now: float) -> Report:
    """Make these rows the catalogue, in the place of the one before; that stays where no row is good."""
    writer, report = Writer(shared, "catalogue", await head(shared, "catalogue")), Report()
    known: set[int] = set()
    waiting: list[Item] = []
    async for row in rows:
        one = item_of(row) if isinstance(row, Row) else row
        if isinstance(one, Item) and hash(one.id) in known:
            one = Broken(row.number, "has an id that stands above already")
        if isinstance(one, Item) and report.kept >= _MOST_ITEMS:
            one = Broken(row.number, f"is more than {_MOST_ITEMS:,} items, which is the most")
        if isinstance(one, Broken):
            report.refuse(one)
            continue
        known.add(hash(one.id))
        waiting.append(one)
        report.kept += 1
        if len(waiting) == _ITEMS_A_PAGE:
            await _write(writer, waiting)
            waiting = []
    if not report.kept:
        return report
    await _write(writer, waiting)
    await writer.finish(size=report.kept, at=now)
    return report


async def put_in(shared: SharedStore, items: Iterable[Item], *, now: float) -> int:
    """Add these items to the catalogue, in the place of those that have their ids; how many it has then."""
    fresh = {item.id: item for item in items}
    before = await head(shared, "catalogue")
    writer, size, waiting = Writer(shared, "catalogue", before), 0, list[Item]()
    kept = [one async for page in read(shared, "catalogue", before) for one in _items(page) if one.id not in fresh]
    for one in chain(kept, fresh.values()):
        waiting.append(one)
        size += 1
        if len(waiting) == _ITEMS_A_PAGE:
            await _write(writer, waiting)
            waiting = []
    await _write(writer, waiting)
    await writer.finish(size=size, at=now)
    return size


async def _write(writer: Writer, items: list[Item]) -> None:
    page = json.dumps([packed(item) for item in items], ensure_ascii=False).encode("utf-8", "surrogatepass")
    if not fits(page) and len(items) > 1:
        await _write(writer, items[: len(items) // 2])
        await _write(writer, items[len(items) // 2 :])
    elif items:
        await writer.add(page)


def _items(page: bytes) -> Iterator[Item]:
    return map(unpacked, json.loads(page.decode("utf-8", "surrogatepass")))


class Catalogue:
    """All items by their places. Their texts stay in the pages they came in, and are read when one is shown."""

    def __init__(self) -> None:
        self._pages: list[bytes] = []
        self._starts: list[int] = []
        self._names = array("q")
        self._added = array("l")
        self._maker = ContentMaker()
        self._open: OrderedDict[int, list[Item]] = OrderedDict()

    @classmethod
    async def load(cls, shared: SharedStore, which: Head) -> "Catalogue":
        """What is stored. Raises `LookupError` when it is replaced meanwhile."""
        made = cls()
        async for page in read(shared, "catalogue", which):
            made.add_page(page)
        made.close()
        return made

    @classmethod
    def of(cls, items: Iterable[Item]) -> "Catalogue":
        """A catalogue of items at hand."""
        made, everything = cls(), list(items)
        for start in range(0, len(everything), _ITEMS_A_PAGE):
            part = everything[start : start + _ITEMS_A_PAGE]
            made.add_page(json.dumps([packed(item) for item in part]).encode())
        made.close()
        return made

    def add_page(self, page: bytes) -> None:
        """The next page."""
        self._starts.append(len(self._names))
        self._pages.append(zlib.compress(page))
        for item in _items(page):
            self._names.append(hash(item.id))
            self._added.append(item.added)
            self._maker.add(item)

    def close(self) -> None:
        """All pages were added: make it ready to be searched."""
        self.added = np.array(self._added, np.int64)
        self.content: Content = self._maker.content()
        del self._maker
        names = np.frombuffer(self._names, np.int64) if self._names else np.empty(0, np.int64)
        self._order = np.argsort(names, kind="stable").astype(np.int32)
        self._sorted = names[self._order]

    def __len__(self) -> int:
        return len(self._names)

    def places(self, names: Iterable[str]) -> Ints:
        """The places of these ids, -1 for what is not (or no longer) in the catalogue."""
        wanted = np.array([hash(name) for name in names], np.int64)
        if not len(wanted) or not len(self):
            return np.full(len(wanted), -1, np.int32)
        found = np.minimum(np.searchsorted(self._sorted, wanted), len(self) - 1)
        return np.where(self._sorted[found] == wanted, self._order[found], -1).astype(np.int32)

    def item(self, place: int) -> Item:
        """The item at a place."""
        number = bisect_right(self._starts, place) - 1
        if number not in self._open:
            self._open[number] = list(_items(zlib.decompress(self._pages[number])))
            if len(self._open) > _PAGES_OPEN:
                self._open.popitem(last=False)
        return self._open[number][place - self._starts[number]]

    def find(self, name: str) -> Item | None:
        """The item of that id, None where there is none."""
        (place,) = self.places([name])
        return None if place < 0 else self.item(int(place))
