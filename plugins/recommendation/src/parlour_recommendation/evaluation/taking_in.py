"""A catalogue of a million rows with a broken one in the middle, taken in as a file is."""

import asyncio
import resource
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, Final

from parlour.sdk.testing import FakeStore
from parlour_recommendation.catalogue import Report, rows_of, take_in

_ROWS: Final = 1_000_000
_BROKEN: Final = _ROWS // 2
_PIECE_ROWS: Final = 5_000


def million_rows() -> Iterator[Mapping[str, Any]]:
    """How long it takes, and that the row is named and the others are kept."""
    store = FakeStore()
    started = time.perf_counter()
    report = asyncio.run(_taken(store))
    yield {
        "rows": _ROWS,
        "kept": report.kept,
        "not kept": ", ".join(f"row {one.number} {one.problem}" for one in report.first),
        "seconds": round(time.perf_counter() - started, 1),
        "pages": len([kind for kind, _ in store.documents if kind == "catalogue"]),
        "peak memory (MB)": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1_000,
    }


async def _taken(store: FakeStore) -> Report:
    return await take_in(store, rows_of(_pieces()), now=0.0)


async def _pieces() -> AsyncIterator[bytes]:
    yield b"id,title,tags,text\n"
    for start in range(2, _ROWS + 2, _PIECE_ROWS):
        yield "".join(map(_line, range(start, start + _PIECE_ROWS))).encode()


def _line(number: int) -> str:
    """The row at that line of the file."""
    if number == _BROKEN:
        return f'i{number},"Thing {number},no end\n'
    return f"i{number},Thing {number},kind {number % 50}|colour {number % 7},Something about {number % 1_000}\n"
