"""One poll: read the sources, judge what is new, count it, and find surges in what is watched."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from parlour.sdk import Http
from parlour_finance_sentiment.items import Item, Judged
from parlour_finance_sentiment.judging import Judge
from parlour_finance_sentiment.repeats import Repeats
from parlour_finance_sentiment.shelf import Shelf, period_start
from parlour_finance_sentiment.sources import BadSource, Fetched, fetch, read_source
from parlour_finance_sentiment.surge import (
    HISTORY_DAYS,
    PERIOD_MINUTES,
    History,
    Surge,
    find_surge,
    is_calm,
)

PERIOD: Final = timedelta(minutes=PERIOD_MINUTES)
# The same news comes again for so long.
_REPEATED_FOR: Final = timedelta(days=2)
# Older news is history when it is read for the first time: it would be counted where nobody looks any more.
OLDEST: Final = timedelta(days=7)
_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of items that came: those kept, how many were there already, how many found no room."""

    kept: tuple[Judged, ...]
    repeated: int
    without_room: int


async def read_sources(shelf: Shelf, http: Http, lines: Sequence[str], now: datetime) -> list[Item]:
    """What all sources have now; how each one did is written down."""
    limit = asyncio.Semaphore(_AT_ONCE)

    async def read(line: str) -> tuple[str, Fetched | str]:
        try:
            source = read_source(line)
        except BadSource as error:
            return line[:200], str(error)
        async with limit:
            return source.url, await fetch(source, http, now)

    found = await asyncio.gather(*map(read, lines))
    states: dict[str, dict[str, Any]] = {}
    items: list[Item] = []
    for url, fetched in found:
        problem = fetched if isinstance(fetched, str) else fetched.problem
        of_source = () if isinstance(fetched, str) else fetched.items
        states[url] = {"problem": problem, "items": len(of_source), "at": now.isoformat()}
        items += of_source
    await shelf.put_sources(states)
    return items


async def take_in(shelf: Shelf, judge: Judge, items: Sequence[Item], now: datetime) -> Taken:
    """Judge and keep what is new among the items."""
    known = await shelf.since(now - OLDEST, now) if items else []
    recent = [one.item.title for one in known if one.item.at >= now - _REPEATED_FOR]
    repeats, ids = Repeats(recent), {one.item.id for one in known}
    new = [item for item in items if item.at >= now - OLDEST and item.id not in ids and repeats.is_new(item)]
    kept = await shelf.add(judge.judge(new))
    return Taken(tuple(kept), len(items) - len(new), len(new) - len(kept))


async def history_of(shelf: Shelf, subject: str, now: datetime) -> History:
    """Negative items of a subject, period by period, up to the last one that is over."""
    end = period_start(now)
    start = max(end - timedelta(days=HISTORY_DAYS + 1), period_start(await shelf.began(now)) + PERIOD)
    counts = [negative for negative, _, _ in await shelf.counts(subject, start, end)]
    surges = [_span(surge) for surge in await shelf.surges(subject) if not surge["is_open"]]
    excluded = {place for place in range(len(counts)) if any(a <= start + place * PERIOD < b for a, b in surges)}
    return History(counts, start.weekday(), (start.hour * 60 + start.minute) // PERIOD_MINUTES, excluded)


async def test(shelf: Shelf, subject: str, now: datetime, *, alarms_a_year: float) -> dict[str, Any] | None:
    """The subject's surge as it is now: newly found, still going on, or just over; None where there is none.

    A surge is found once: while it goes on, nothing else of the subject is.
    """
    history = await history_of(shelf, subject, now)
    surges = await shelf.surges(subject)
    current = surges[-1] if surges and surges[-1]["is_open"] else None
    if current is not None:
        if is_calm(history):
            current |= {"is_open": False, "until": now.isoformat()}
            await shelf.put_surges(subject, surges)
        return current
    found = find_surge(history, alarms_a_year=alarms_a_year)
    if found is None:
        return None
    current = _record(found, now)
    await shelf.put_surges(subject, [*surges, current])
    return current


async def behind(shelf: Shelf, subject: str, surge: dict[str, Any], *, most: int = 5) -> list[Judged]:
    """The negative items of a surge, the surest first."""
    start, until = _span(surge)
    found = [one for one in await shelf.since(start, until) if one.label == "negative" and is_about(one, subject)]
    return sorted(found, key=lambda one: (-one.sureness, one.item.at))[:most]


def is_about(judged: Judged, subject: str) -> bool:
    """Whether an item counts for a subject."""
    return subject == "all" or subject in judged.entities or subject in judged.topics


def _record(found: Surge, now: datetime) -> dict[str, Any]:
    return {
        "at": now.isoformat(), "until": now.isoformat(), "count": found.count, "expected": found.expected,
        "periods": found.periods, "hours": found.hours, "chance": found.chance, "days": found.days,
        "is_open": True, "is_told": False, "is_acknowledged": False,
    }  # fmt: skip


def _span(surge: dict[str, Any]) -> tuple[datetime, datetime]:
    at = datetime.fromisoformat(surge["at"])
    return period_start(at) - surge["periods"] * PERIOD, datetime.fromisoformat(surge["until"])
