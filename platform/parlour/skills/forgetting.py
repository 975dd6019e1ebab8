"""Skills' processes forget whoever was erased: a process that may have seen them is replaced."""

import threading
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy import func, select

from parlour.skills.supervisor import Supervisor
from parlour.store.database import Database
from parlour.store.errors import StoreError
from parlour.store.privacy_models import Erasure

log = structlog.get_logger(__name__)

# An erasure in whatever process is noticed so soon.
LOOK_EVERY_S: Final = 2.0


class Forgetting:
    """Looks for erasures while skills' processes run. What a skill has in memory is all that it can keep by itself."""

    def __init__(self, database: Database, supervisor: Supervisor, *, every_s: float = LOOK_EVERY_S) -> None:
        self._database = database
        self._supervisor = supervisor
        self._every_s = every_s
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._known: datetime | None = None

    def watch(self) -> None:
        """Look from now on. Call it before a process sees the first person; harmless when it looks already."""
        if self._thread is not None:
            return
        with self._lock:
            if self._thread is None:
                self._known = self._newest()
                self._thread = threading.Thread(target=self._look_on, name="skills-forget", daemon=True)
                self._thread.start()

    def look(self) -> None:
        """Replace the processes where somebody was erased since the last look."""
        newest = self._newest()
        if newest != self._known:
            self._known = newest
            self._supervisor.renew()
            log.info("skills_forget")

    def close(self) -> None:
        """Look no more."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def _newest(self) -> datetime | None:
        with self._database.read() as session:
            return session.scalar(select(func.max(Erasure.finished_at)))

    def _look_on(self) -> None:
        while not self._closing.wait(self._every_s):
            try:
                self.look()
            except StoreError as error:
                log.warning("skills_forget_later", reason=type(error).__name__)
