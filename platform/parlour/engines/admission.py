"""Lets so many answers run at once, so many more wait in order of priority, and refuses the rest."""

import asyncio
import contextlib
import heapq
import itertools

from parlour.engines.errors import EngineBusy


class Admission:
    """Places for running answers. Belongs to one event loop; whoever gets a place gives it back with `leave`."""

    def __init__(self, *, places: int, max_queued: int) -> None:
        """`places` answers run, `max_queued` wait."""
        self._free = places
        self._places = places
        self._max_queued = max_queued
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._arrivals = itertools.count()

    async def enter(self, priority: int) -> None:
        """Return when there is a place; a lower priority goes first. Raises `EngineBusy` when too many wait."""
        if self._free and not self._waiting:
            self._free -= 1
            return
        if len(self._waiting) >= self._max_queued:
            raise EngineBusy(
                f"{self._places} answers run and {len(self._waiting)} wait. Try later, or raise engine.max_queued."
            )
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (priority, next(self._arrivals), place)
        heapq.heappush(self._waiting, entry)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.leave()  # it was given away in the same moment
            else:
                with contextlib.suppress(ValueError):
                    self._waiting.remove(entry)
                    heapq.heapify(self._waiting)
            raise

    def leave(self) -> None:
        """Give the place back: the first in line gets it."""
        while self._waiting:
            _, _, place = heapq.heappop(self._waiting)
            if not place.done():
                place.set_result(None)
                return
        self._free += 1
