"""Counts of a day, without a word of what was said: what the report is made of."""

import asyncio
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final

from parlour.sdk import SharedStore

EVENTS: Final = ("asked", "answered", "clarified", "unknown", "handed", "good", "bad")
# A day has so many documents, one for some of the processes each, so that few processes write the same one.
_PARTS: Final = 8


@dataclass
class Counting:
    """Counts events. One for each process: within it, one document is changed at a time."""

    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def count(self, shared: SharedStore, now: datetime, *events: str) -> None:
        """Add one to each."""
        day, name = now.date().isoformat(), f"{now.date().isoformat()}-{os.getpid() % _PARTS}"
        async with self._lock:
            known = await shared.get("day", name) or {}
            added = {event: int(known.get(event, 0)) + 1 for event in events}
            await shared.put("day", {**known, **added, "day": day}, id=name)


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of some days: `days[i]` has `counts[i]`."""

    days: tuple[date, ...]
    counts: tuple["Counter[str]", ...]

    @property
    def total(self) -> "Counter[str]":
        """All days together."""
        return sum(self.counts, Counter())

    @property
    def deflection(self) -> float | None:
        """The share of questions after which nobody was called, None where none was asked."""
        total = self.total
        return 1 - min(1.0, total["handed"] / total["asked"]) if total["asked"] else None

    @property
    def rating(self) -> float | None:
        """The share of ratings that were good, None where there is none."""
        good, bad = self.total["good"], self.total["bad"]
        return good / (good + bad) if good + bad else None


async def tally(shared: SharedStore, today: date, days: int) -> Tally:
    """The counts of the last days, today among them."""
    wanted = tuple(today - timedelta(days=back) for back in range(days - 1, -1, -1))
    found: dict[str, Counter[str]] = {}
    for one in await shared.all("day"):
        counts = Counter({event: int(one.get(event, 0)) for event in EVENTS})
        found.setdefault(str(one["day"]), Counter()).update(counts)
    return Tally(wanted, tuple(found.get(one.isoformat(), Counter()) for one in wanted))


async def forget_before(shared: SharedStore, first: date, kinds: Sequence[str]) -> None:
    """Delete what is of earlier days."""
    for kind in kinds:
        for one in await shared.all(kind):
            if str(one["day"]) < first.isoformat():
                await shared.delete(kind, one["id"])
