"""How fast rows that are past their time go, from a small table and from a large one, and what turns feel of it."""

import statistics
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from parlour.bench.errors import BenchError
from parlour.bench.figures import milliseconds, spread
from parlour.bench.pipeline import Progress
from parlour.bench.privacy_house import House, database_on, furnished, say, settle
from parlour.bench.turns import SETTINGS, Turns, started
from parlour.bootstrap import platform
from parlour.privacy.retention import purge_expired
from parlour.settings import load

# Messages of this many people lie mixed in the table, as they do where people talk.
_PEOPLE: Final = 1_000
_MOST_DUE: Final = 50_000
_MOST_DUE_BESIDE: Final = 200_000
_MOST_BLOCKS: Final = 12
_AGE, _KEPT = timedelta(days=91), timedelta(days=90)
# Whatever is not yet compiled, connected or cached is so after these.
_WARM_UP_TURNS: Final = 40


@dataclass(frozen=True, slots=True)
class Purged:
    """What a table of so many rows came to: a row of each table of the report."""

    rates: dict[str, Any]
    turns: dict[str, Any]


def measure_purges(
    server: str, tables: Sequence[int], *, rounds: int, seconds: float, progress: Progress
) -> list[Purged]:
    """Purge messages from tables of so many rows, `rounds` times each after a first time that does not count.

    Before each round the rows that are due are put there, and PostgreSQL is let settle. The tables take turns, so that
    a machine which others use too treats them alike. Then turns are answered for about `seconds` beside purges, and as
    long with nothing beside them. Raises `BenchError`.
    """
    with ExitStack() as stack:
        progress.begin("filling", sum(tables))
        places = [_furnish(server, rows, stack, progress) for rows in tables]
        progress.begin("purging", (rounds + 1) * len(places))
        for _ in range(rounds + 1):
            for place in places:
                place.rates.append(place.due / _purge(place.house, place.due))
                progress.step()
        progress.begin("turns beside purges", len(places))
        return [
            Purged(place.told(), {"table_rows": place.rows, **_beside(place, seconds, progress)}) for place in places
        ]


@dataclass(slots=True)
class _Place:
    """One table, filled and ready, and how many rows a second went from it in each round."""

    rows: int
    house: House
    turns: Turns
    rates: list[float] = field(default_factory=list)

    @property
    def due(self) -> int:
        """How many rows are purged in a round."""
        return min(self.rows // 2, _MOST_DUE)

    def told(self) -> dict[str, Any]:
        """The steady rate: the median of the rounds after the first."""
        first, *rates = self.rates
        return {
            "table_rows": self.rows,
            "purged_a_round": self.due,
            "rounds": len(rates),
            "rows_per_s": statistics.median(rates),
            "slowest": min(rates),
            "fastest": max(rates),
            "first_round": first,
        }


def _furnish(server: str, rows: int, stack: ExitStack, progress: Progress) -> _Place:
    """A database whose table of messages has so many rows once those that are due are there."""
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="parlour-bench-"))
    url = stack.enter_context(database_on(server))
    settings = load({}, data_dir=Path(folder), database={"url": url}, **SETTINGS)
    parts = stack.enter_context(platform(settings, is_migrating=True))
    turns = Turns(parts, stack.enter_context(started(parts)))
    place = _Place(rows, furnished(parts.database, parts.privacy, _PEOPLE), turns)
    now = place.house.database.clock.now()
    say(place.house, rows - place.due, now, now + _KEPT)
    for _ in range(rows):
        progress.step()
    return place


def _purge(house: House, due: int) -> float:
    """How long so many take that are put there for it."""
    _put_due(house, due)
    now = house.database.clock.now()
    began = time.perf_counter()
    gone = purge_expired(house.database, now=now).get("messages", 0)
    took = time.perf_counter() - began
    if gone != due:
        raise BenchError(f"{gone:,} messages were purged, {due:,} were due.")
    return took


def _put_due(house: House, due: int) -> None:
    now = house.database.clock.now()
    say(house, due, now - _AGE, now - timedelta(days=1))
    settle(house)


def measure_turns(count: int) -> list[float]:
    """How many milliseconds each of so many turns takes on SQLite, of one person with 20 messages of history."""
    with tempfile.TemporaryDirectory(prefix="parlour-bench-") as folder:
        settings = load({}, data_dir=Path(folder), database={"url": ""}, **SETTINGS)
        with platform(settings, is_migrating=True) as parts, started(parts) as host:
            turns = Turns(parts, host, people=1)
            for _ in range(_WARM_UP_TURNS):
                turns.one()
            return milliseconds([turns.one() for _ in range(count)])


def _beside(place: _Place, seconds: float, progress: Progress) -> dict[str, Any]:
    """How long turns take while rows are purged, and how long right afterwards, by turns."""
    house, turns, due = place.house, place.turns, min(place.rows, _MOST_DUE_BESIDE)
    turns.until(lambda done: done < _WARM_UP_TURNS)
    alone: list[float] = []
    meanwhile: list[float] = []
    purged, spent = 0, 0.0
    with ThreadPoolExecutor(1, "purge") as scheduler:
        for _ in range(_MOST_BLOCKS):
            _put_due(house, due)
            now, began = house.database.clock.now(), time.perf_counter()
            purging = scheduler.submit(purge_expired, house.database, now=now)
            meanwhile += turns.until(lambda done, purging=purging: done < 1 or not purging.done())  # type: ignore[misc]
            purged += purging.result().get("messages", 0)
            took = time.perf_counter() - began
            settle(house)
            end = time.perf_counter() + took
            alone += turns.until(lambda done, end=end: done < 1 or time.perf_counter() < end)  # type: ignore[misc]
            spent += took
            if spent >= seconds:
                break
    progress.step()
    return {
        "table_rows": place.rows,
        "turns_alone": len(alone),
        "alone_p50_ms": statistics.median(alone),
        "alone_p99_ms": _p99(alone),
        "turns_purging": len(meanwhile),
        "purging_p50_ms": statistics.median(meanwhile),
        "purging_p99_ms": _p99(meanwhile),
        "purged_meanwhile": purged,
    }


def _p99(taken: list[float]) -> float:
    found = spread(taken)
    if found is None:
        raise BenchError("No turn was answered.")
    return found.p99
