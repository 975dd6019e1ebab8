"""The turns this worker is answering: their leases renewed, their stop requests seen, all by one thread."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum

import structlog

from parlour.store.errors import StoreError
from parlour.turns.metrics import Metrics
from parlour.turns.order import Claim, Order

log = structlog.get_logger(__name__)

# Half of the second within which a stop must reach the engine.
LOOK_EVERY_S = 0.4
# What a model writes within its limit of tokens is done by then, on a slow CPU too. Past it something hangs: the turn
# goes to whoever is next, as a try that failed.
LONGEST_ANSWER_S = 1_800.0


class Halt(StrEnum):
    """Why an answer in the making has to end early."""

    STOP = "stop"  # its person said so; what was said so far is the answer
    LOST = "lost"  # the lease ran out or was taken over; nothing may be written
    HAND_BACK = "hand_back"  # this worker is going away; another one starts the turn afresh
    OVERDUE = "overdue"  # it came to no end; it is tried afresh, and given up after the usual tries


class Watch:
    """One answer in the making, as the watching thread sees it."""

    def __init__(self, claim: Claim, *, renewed_at: float) -> None:
        self.claim = claim
        self.began_at = self.renewed_at = renewed_at
        self.halt: Halt | None = None
        self._lock = threading.Lock()
        self._cancel: Callable[[], None] | None = None

    def on_halt(self, cancel: Callable[[], None]) -> None:
        """Have `cancel` called, from another thread, when the answer has to end; at once if it already has to."""
        with self._lock:
            self._cancel = cancel
            halted = self.halt is not None
        if halted:
            cancel()

    def end(self, halt: Halt) -> None:
        """End the answer. The first reason counts, except that a lost lease beats all."""
        with self._lock:
            if self.halt is None or halt is Halt.LOST:
                self.halt = halt
            cancel = self._cancel
        if cancel is not None:
            cancel()


class Running:
    """All answers in the making in this process."""

    def __init__(self, order: Order, metrics: Metrics, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._order = order
        self._metrics = metrics
        self._monotonic = monotonic
        self._watches: dict[Claim, Watch] = {}
        self._changed = threading.Condition()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the watching thread."""
        self._thread = threading.Thread(target=self._run, name="turns-watch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop the watching thread; call it when nothing runs any more."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    @contextmanager
    def watching(self, claim: Claim) -> Iterator[Watch]:
        """Keep `claim` alive for the block; `watch.halt` tells when to end early."""
        watch = Watch(claim, renewed_at=self._monotonic())
        with self._changed:
            self._watches[claim] = watch
        try:
            yield watch
        finally:
            with self._changed:
                self._watches.pop(claim, None)
                self._changed.notify_all()

    def hand_back_all(self) -> None:
        """End all answers so that another worker takes them: the drain time of a shutdown is over."""
        for watch in self._snapshot():
            watch.end(Halt.HAND_BACK)

    def wait_until_idle(self, timeout_s: float) -> bool:
        """Wait for every answer to end; False when the time ran out first."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._watches, timeout=timeout_s)

    def __len__(self) -> int:
        return len(self._watches)

    def _snapshot(self) -> list[Watch]:
        with self._changed:
            return list(self._watches.values())

    def _run(self) -> None:
        # By the clock alone: to be woken by every turn that begins or ends would cost each of them a look into SQL.
        while not self._closed.wait(LOOK_EVERY_S):
            try:
                self.look()
            except Exception:  # a thread begins here, and without it every lease of this worker runs out
                log.exception("watching_broke")

    def look(self) -> None:
        """Renew what is due and pass on what was asked to stop. Called by the thread; tests call it by hand."""
        watches = self._snapshot()
        if not watches:
            return
        self._end_overdue(watches)
        try:
            self._renew(watches)
            asked = self._order.stop_requested([watch.claim for watch in watches])
        except StoreError as error:
            log.warning("leases_not_renewed", reason=type(error).__name__)
            self._drop_expired(watches)
            return
        for watch in watches:
            if watch.claim.turn_id in asked:
                watch.end(Halt.STOP)

    def _end_overdue(self, watches: list[Watch]) -> None:
        now = self._monotonic()
        for watch in watches:
            if watch.halt is None and now - watch.began_at >= LONGEST_ANSWER_S:
                log.warning("answer_overdue", turn_id=str(watch.claim.turn_id), attempt=watch.claim.attempt)
                watch.end(Halt.OVERDUE)

    def _renew(self, watches: list[Watch]) -> None:
        now = self._monotonic()
        period_s = self._order.lease.total_seconds() / 3
        # One that does not even end when it is told to keeps its turn no longer than its lease.
        due = [one for one in watches if now - one.renewed_at >= period_s and one.halt is not Halt.OVERDUE]
        if not due:
            return
        held = self._order.renew([watch.claim for watch in due])
        for watch in due:
            if watch.claim in held:
                watch.renewed_at = now
            elif watch.claim in self._watches:  # else it ended by itself a moment ago, and let the lease go
                self._lose(watch)

    def _drop_expired(self, watches: list[Watch]) -> None:
        """Without the database nobody can say that a lease still stands: past its time it does not."""
        now = self._monotonic()
        for watch in watches:
            if now - watch.renewed_at >= self._order.lease.total_seconds():
                self._lose(watch)

    def _lose(self, watch: Watch) -> None:
        if watch.halt is not Halt.LOST:
            log.warning("lease_lost", turn_id=str(watch.claim.turn_id), fence=watch.claim.fence)
            self._metrics.lease_lost()
        watch.end(Halt.LOST)
