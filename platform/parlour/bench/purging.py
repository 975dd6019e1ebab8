"""How fast rows that are past their time go, from a small table and from a large one, and what turns feel of it."""

import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from parlour.bench.errors import BenchError
from parlour.bench.figures import milliseconds, spread
from parlour.bench.privacy_house import House, database_on, furnished, say, settle
from parlour.bench.turns import SETTINGS, Turns, started
from parlour.bootstrap import platform
from parlour.privacy.retention import purge_expired
from parlour.settings import load

# Messages of this many people lie mixed in the table, as they do where people talk.
_PEOPLE: Final = 1_000
_MOST_DUE: Final = 200_000
_AGE, _KEPT = timedelta(days=91), timedelta(days=90)
# Whatever is not yet compiled, connected or cached is so after these.
_WARM_UP_TURNS: Final = 40


@dataclass(frozen=True, slots=True)
class Purged:
    """What a table of so many rows came to: a row of each table of the report."""

    rates: dict[str, Any]
    turns: dict[str, Any]


def measure_purge(server: str, rows: int, *, rounds: int, seconds: float) -> Purged:
    """Purge a tenth of a table of `rows` messages, `rounds` times after a first one that does not count.

    Before each round as many rows that are due are put back, and PostgreSQL is let settle. Then turns are answered for
    `seconds` with nothing beside them, and as long while purges go on. Raises `BenchError`.
    """
    with tempfile.TemporaryDirectory(prefix="parlour-bench-") as folder, database_on(server) as url:
        settings = load({}, data_dir=Path(folder), database={"url": url}, **SETTINGS)
        with platform(settings, is_migrating=True) as parts, started(parts) as host:
            house = furnished(parts.database, parts.privacy, _PEOPLE)
            rates = _rates(house, rows, rounds)
            return Purged(
                rates, {"table_rows": rows, **_Turns(parts, host).beside(house, min(rows, _MOST_DUE), seconds)}
            )


def _rates(house: House, rows: int, rounds: int) -> dict[str, Any]:
    """The steady rate: the median of the rounds after the first."""
    due, now = min(rows // 10, _MOST_DUE), house.database.clock.now()
    say(house, rows - due, now, now + _KEPT)
    taken = [_purge(house, due) for _ in range(rounds + 1)]
    rates = [due / seconds for seconds in taken[1:]]
    return {
        "table_rows": rows,
        "purged_a_round": due,
        "rounds": rounds,
        "rows_per_s": statistics.median(rates),
        "slowest": min(rates),
        "fastest": max(rates),
        "first_round": due / taken[0],
    }


def _purge(house: House, due: int) -> float:
    """How long so many take that are put there for it."""
    now = house.database.clock.now()
    say(house, due, now - _AGE, now - timedelta(days=1))
    settle(house)
    began = time.perf_counter()
    gone = purge_expired(house.database, now=now).get("messages", 0)
    took = time.perf_counter() - began
    if gone != due:
        raise BenchError(f"{gone:,} messages were purged, {due:,} were due.")
    return took


def measure_turns(count: int) -> list[float]:
    """How many milliseconds each of so many turns takes on SQLite, of one person with 20 messages of history."""
    with tempfile.TemporaryDirectory(prefix="parlour-bench-") as folder:
        settings = load({}, data_dir=Path(folder), database={"url": ""}, **SETTINGS)
        with platform(settings, is_migrating=True) as parts, started(parts) as host:
            turns = _Turns(parts, host, people=1)
            for _ in range(_WARM_UP_TURNS):
                turns.one()
            return milliseconds([turns.one() for _ in range(count)])


class _Turns(Turns):
    """Turns while rows go."""

    def beside(self, house: House, due: int, seconds: float) -> dict[str, Any]:
        """How long turns take alone, and while rows are purged."""
        self.until(lambda done: done < _WARM_UP_TURNS)
        end = time.perf_counter() + seconds
        alone = self.until(lambda _: time.perf_counter() < end)
        purging = _Purging(house, due)
        with purging.going_on():
            end = time.perf_counter() + seconds
            meanwhile = self.until(lambda _: time.perf_counter() < end)
        return {
            "turns": len(alone) + len(meanwhile),
            "alone_p50_ms": statistics.median(alone),
            "alone_p99_ms": _p99(alone),
            "purging_p50_ms": statistics.median(meanwhile),
            "purging_p99_ms": _p99(meanwhile),
            "purged_meanwhile": purging.gone,
        }


class _Purging:
    """Purges one after the other in a thread, as a scheduler beside the workers does."""

    def __init__(self, house: House, due: int) -> None:
        self.gone = 0
        self._house = house
        self._due = due
        self._is_over = threading.Event()

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Rows go while the block runs, at least one batch of them."""
        now = self._house.database.clock.now()
        say(self._house, self._due, now - _AGE, now - timedelta(days=1))
        settle(self._house)
        thread = threading.Thread(target=self._go, name="purge", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            thread.join()

    def _go(self) -> None:
        while not self._is_over.is_set():
            now = self._house.database.clock.now()
            self.gone += purge_expired(self._house.database, now=now).get("messages", 0)
            say(self._house, self._due, now - _AGE, now - timedelta(days=1))


def _p99(taken: list[float]) -> float:
    found = spread(taken)
    if found is None:
        raise BenchError("No turn was answered. Give --seconds of at least 1.")
    return found.p99
