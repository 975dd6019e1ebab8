"""How much one person may send: a token bucket each, in this process's memory."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from uuid import UUID

_REMEMBERED = 50_000


class RateGate:
    """Lets a person through `per_minute` times a minute, with a burst of as many.

    Kept in memory on purpose: it protects this gateway from a flood, and a flood must not cost a write each.
    """

    def __init__(self, per_minute: int, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._capacity = float(per_minute)
        self._per_s = per_minute / 60.0
        self._monotonic = monotonic
        self._buckets: OrderedDict[UUID, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def admits(self, who: UUID) -> bool:
        """Whether one more is let through now; counts it when it is."""
        now = self._monotonic()
        with self._lock:
            level, at = self._buckets.pop(who, (self._capacity, now))
            level = min(self._capacity, level + (now - at) * self._per_s)
            admitted = level >= 1.0
            self._buckets[who] = (level - 1.0 if admitted else level, now)
            while len(self._buckets) > _REMEMBERED:
                self._buckets.popitem(last=False)
        return admitted
