"""One time for all processes: the database's own."""

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock
from time import monotonic
from typing import Protocol


class Clock(Protocol):
    """Tells the time that leases, expiry and due dates are measured by."""

    def now(self) -> datetime:
        """The time, aware, in UTC."""
        ...


class DatabaseClock:
    """The database's time, carried on by the monotonic clock, so that a wall-clock jump in one process moves no lease.

    The database's own transactions set it again every `refresh_s` seconds (`is_stale`, `set`): asking here would take a
    second connection while the caller may hold the last one. `ask` is for the time before the first transaction.
    """

    def __init__(
        self, ask: Callable[[], datetime], *, refresh_s: float = 10.0, elapsed: Callable[[], float] = monotonic
    ) -> None:
        self._ask = ask
        self._refresh_s = refresh_s
        self._elapsed = elapsed
        self._lock = Lock()
        # The database's time, and what `elapsed` said then.
        self._known: tuple[datetime, float] | None = None

    def now(self) -> datetime:
        """The database's time. Only the very first call can fail, with what the database raises."""
        known = self._known or self.set(self._ask)
        return known[0] + timedelta(seconds=self._elapsed() - known[1])

    @property
    def is_set(self) -> bool:
        """Whether the database was asked before."""
        return self._known is not None

    @property
    def is_stale(self) -> bool:
        """Whether it is time to ask the database again."""
        known = self._known
        return known is None or self._elapsed() - known[1] >= self._refresh_s

    def set(self, ask: Callable[[], datetime]) -> tuple[datetime, float]:
        """Set the clock by `ask`; its answer is taken to be from the middle of the time that it took."""
        before = self._elapsed()
        told = ask()
        known = (told, (before + self._elapsed()) / 2)
        with self._lock:
            self._known = known
        return known
