"""Turns in a database: what is timed where what lies in it matters, and no messenger does."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, Final

from parlour.bench.errors import BenchError
from parlour.bench.figures import milliseconds
from parlour.bootstrap import Platform
from parlour.engines.host import EngineHost
from parlour.from_settings import engine_host
from parlour.store.ids import AccountId
from parlour.turns.ports import Address, Incoming, IncomingKind, Sender

# Turns come at this pace, whatever becomes of those before: as people's do, and far from what one machine can take.
_TURNS_PER_S: Final = 20
SETTINGS: Final[dict[str, Any]] = {
    "access": {"policy": "open", "messages_per_minute": 1_000_000},
    "engine": {"kind": "echo"},
    "personalisation": {"is_on": False},
}


class Turns:
    """Turns from the event that comes in to the answer that is committed, with an engine that takes no time."""

    def __init__(self, parts: Platform, host: EngineHost, *, people: int = 50) -> None:
        self._parts = parts
        self._people = people
        self._answerer = parts.answerer(host)
        self._account_id = parts.accounts.register("telegram", "bench", "Bench")
        self._numbers = count(1)

    def until(self, goes_on: Callable[[int], bool]) -> list[float]:
        """So long a turn every twentieth of a second; how many milliseconds each took."""
        taken: list[float] = []
        next_at = time.perf_counter()
        while goes_on(len(taken)):
            next_at += 1 / _TURNS_PER_S
            time.sleep(max(0.0, next_at - time.perf_counter()))
            taken.append(self.one())
        return milliseconds(taken)

    def one(self) -> float:
        """One turn, and how many seconds it took."""
        number = next(self._numbers)
        name = f"person-{number % self._people}"
        event = Incoming(
            account_id=AccountId(self._account_id),
            event_id=f"event-{number}",
            kind=IncomingKind.MESSAGE,
            address=Address(name, is_private=True),
            sender=Sender(name, name, None),
            text="Does it rain?",
            message_key=f"key-{number}",
            sent_at=self._parts.clock.now(),
        )
        began = time.perf_counter()
        taken = self._parts.intake.receive(event)
        if taken.turn_id is None:
            raise BenchError("A turn was refused.")
        self._answerer.answer(taken.turn_id)
        return time.perf_counter() - began


@contextmanager
def started(parts: Platform) -> Iterator[EngineHost]:
    """The engine, running."""
    host = engine_host(parts.settings)
    host.start()
    try:
        yield host
    finally:
        host.close()
