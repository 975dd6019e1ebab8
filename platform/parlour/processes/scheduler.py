"""The scheduler's loops: what is due is published, round after round, whatever happens in one of them."""

import threading
import time
from collections.abc import Callable

import structlog

from parlour.bootstrap import Platform
from parlour.privacy.audit import anchor
from parlour.privacy.retention import date_undated, purge_expired, redate
from parlour.privacy.rotation import rewrap
from parlour.privacy.silence import erase_silent
from parlour.turns.stuck import LOOK_EVERY_S, StuckWatch
from parlour.turns.sweeper import SWEEP_EVERY_S

log = structlog.get_logger(__name__)

_ROUNDS_EVERY_S = 600.0
# What is at a round for longer is broken off: it goes on where it was, here or in another process.
_STOPS_WITHIN_S = 10.0


class Scheduler:
    """Sweeps until it is stopped. Any number may run: sweeping twice publishes a turn twice, which is harmless."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._stuck = StuckWatch(platform.database)
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def run(self) -> None:
        """Sweep until `stop`. What people asked for and what is done in rounds may take long: a thread each."""
        beside = [
            threading.Thread(target=work, name=f"scheduler-{name}", daemon=True)
            for name, work in (("requests", self._run_requests), ("rounds", self._run_rounds))
        ]
        for thread in beside:
            thread.start()
        next_look = 0.0
        while not self._stopped.wait(SWEEP_EVERY_S):
            self._try("sweep", self._platform.sweep)
            self._try("jobs", self._platform.sweep_jobs)
            if time.monotonic() >= next_look:
                next_look = time.monotonic() + LOOK_EVERY_S
                self._try("stuck", self._stuck.look)
        last = time.monotonic() + _STOPS_WITHIN_S
        for thread in beside:
            thread.join(timeout=max(0.0, last - time.monotonic()))

    def _run_requests(self) -> None:
        while not self._stopped.wait(SWEEP_EVERY_S):
            self._try("privacy_requests", self._platform.privacy_requests.carry_out)

    def _run_rounds(self) -> None:
        next_rounds = 0.0
        while not self._stopped.wait(SWEEP_EVERY_S):
            if time.monotonic() >= next_rounds:
                next_rounds = time.monotonic() + _ROUNDS_EVERY_S
                for what, work in self._rounds:
                    if not self._stopped.is_set():
                        self._try(what, work)

    @property
    def _rounds(self) -> list[tuple[str, Callable[[], object]]]:
        """What is done every ten minutes. Each goes on where it broke off, here or in another process."""
        parts = self._platform
        return [
            ("erasures", parts.eraser.resume),
            ("redate", lambda: redate(parts.database, parts.retention)),
            ("date_undated", lambda: date_undated(parts.database, parts.retention)),
            ("purge", self._purge),
            ("rewrap", lambda: rewrap(parts.privacy.key_store, parts.privacy.provider)),
            ("audit_anchor", lambda: anchor(parts.database, parts.privacy)),
        ]

    def _purge(self) -> None:
        parts, now = self._platform, self._platform.clock.now()
        gone = purge_expired(parts.database, now=now)
        silent = erase_silent(parts.database, parts.eraser, parts.retention, now=now)
        if gone or silent:
            log.info("expired_purged", people=silent, **gone)

    def _try(self, what: str, work: Callable[[], object]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 (the next round may succeed, and there is nobody else to do it)
            log.warning("round_failed", what=what, reason=type(error).__name__)

    def start(self) -> None:
        """Sweep in a thread of its own."""
        self._thread = threading.Thread(target=self.run, name="scheduler", daemon=True)
        self._thread.start()

    def ask_to_stop(self) -> None:
        """End the loops. Safe in a signal handler."""
        self._stopped.set()

    def stop(self) -> None:
        """End the loops and wait for their threads."""
        self.ask_to_stop()
        if self._thread is not None:
            self._thread.join(timeout=2 * _STOPS_WITHIN_S)
