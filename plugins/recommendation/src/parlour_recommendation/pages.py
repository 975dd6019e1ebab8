"""Large things in a store of small documents: pages under a version, and a head that says which version counts.

A version is written whole before the head names it, so that a reader sees the old one or the new one, and a file that
breaks off in the middle leaves the old one as it was.
"""

import base64
import zlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any, Final

from parlour.sdk import SharedStore

# A document holds 64 KB as JSON; base64 makes four bytes of three.
PAGE_BYTES: Final = 45_000


@dataclass(frozen=True, slots=True)
class Head:
    """Which pages count, and what they amount to."""

    version: int = 0
    pages: int = 0
    size: int = 0
    at: float = 0.0


async def head(shared: SharedStore, kind: str) -> Head:
    """The head of what is kept under `kind`; version 0 where there is nothing yet."""
    found = await shared.get("state", kind)
    return Head(**{name: found[name] for name in ("version", "pages", "size", "at")}) if found else Head()


async def read(shared: SharedStore, kind: str, which: Head) -> AsyncIterator[bytes]:
    """The pages, in order."""
    for number in range(which.pages):
        found = await shared.get(kind, _name(which.version, number))
        if found is None:  # replaced while it was read: the next reader finds the new one
            raise LookupError(f"{kind} was replaced")
        yield zlib.decompress(base64.b85decode(found["data"]))


class Writer:
    """Writes a new version, page by page."""

    def __init__(self, shared: SharedStore, kind: str, before: Head) -> None:
        self._shared = shared
        self._kind = kind
        self._before = before
        self._version = before.version + 1
        self._pages = 0

    async def add(self, page: bytes) -> None:
        """The next page, already small enough when compressed (`fits`)."""
        data = base64.b85encode(zlib.compress(page, 6)).decode("ascii")
        await self._shared.put(self._kind, {"data": data}, id=_name(self._version, self._pages))
        self._pages += 1

    async def finish(self, *, size: int, at: float) -> Head:
        """Let it count, and delete what counted before."""
        made = Head(self._version, self._pages, size, at)
        state: dict[str, Any] = {"version": made.version, "pages": made.pages, "size": size, "at": at}
        await self._shared.put("state", state, id=self._kind)
        for number in range(self._before.pages):
            await self._shared.delete(self._kind, _name(self._before.version, number))
        return made

    async def drop(self) -> None:
        """Take back what was written: it does not count."""
        for number in range(self._pages):
            await self._shared.delete(self._kind, _name(self._version, number))


def fits(page: bytes) -> bool:
    """Whether a page is small enough to be stored."""
    return len(page) <= PAGE_BYTES or len(zlib.compress(page, 6)) <= PAGE_BYTES


def slices(data: bytes) -> Iterator[bytes]:
    """Pages of something that is not text by line."""
    for start in range(0, len(data), PAGE_BYTES):
        yield data[start : start + PAGE_BYTES]


def _name(version: int, number: int) -> str:
    return f"{version}-{number:05}"
