"""The scheduler's loop: what is due is published, round after round, whatever happens in one of them."""

import threading
import time
from collections.abc import Callable

import structlog

from parlour.bootstrap import Platform
from parlour.privacy.retention import purge_expired
from parlour.turns.sweeper import SWEEP_EVERY_S

log = structlog.get_logger(__name__)

_PURGE_EVERY_S = 600.0


class Scheduler:
    """Sweeps until it is stopped. Any number may run: sweeping twice publishes a turn twice, which is harmless."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def run(self) -> None:
        """Sweep until `stop`."""
        next_purge = 0.0
        while not self._stopped.wait(SWEEP_EVERY_S):
            self._try("sweep", self._platform.sweep)
            self._try("jobs", self._platform.sweep_jobs)
            if time.monotonic() >= next_purge:
                next_purge = time.monotonic() + _PURGE_EVERY_S
                self._try("purge", self._purge)

    def _purge(self) -> None:
        gone = purge_expired(self._platform.database, now=self._platform.clock.now())
        if gone:
            log.info("expired_purged", rows=gone)

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
        """End the loop after the round it is in. Safe in a signal handler."""
        self._stopped.set()

    def stop(self) -> None:
        """End the loop and wait for its thread."""
        self.ask_to_stop()
        if self._thread is not None:
            self._thread.join(timeout=10)
