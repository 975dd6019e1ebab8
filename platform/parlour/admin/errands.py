"""Work that a page starts and does not wait for: one of each name at a time, how far it is, and how it ended.

It belongs to this process: after a restart it is started again, which everything done here can stand.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Lock, Thread
from typing import Any

import structlog
from starlette.responses import Response

log = structlog.get_logger(__name__)

Step = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Errand:
    """Where it stands. `outcome` is what it returned; `error` the kind of what it raised."""

    done: int = 0
    is_running: bool = True
    outcome: Any = None
    error: str = ""


def coming_again(shown: Response, *, is_running: bool) -> Response:
    """The page, which asks for itself again every few seconds while an errand runs; it works without a script."""
    if is_running:
        shown.headers["Refresh"] = "2"
    return shown


class Errands:
    """The errands of one process. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._errands: dict[str, Errand] = {}

    def start(self, name: str, work: Callable[[Step], Any]) -> bool:
        """Have a thread do the work, which counts by its `step`; False while one of the name is running."""
        with self._lock:
            if (known := self._errands.get(name)) is not None and known.is_running:
                return False
            self._errands[name] = Errand()
        Thread(target=self._run, args=(name, work), name=f"errand-{name}", daemon=True).start()
        return True

    def find(self, name: str) -> Errand | None:
        """The one of that name that runs or ran last, None where there was none."""
        with self._lock:
            return self._errands.get(name)

    def _run(self, name: str, work: Callable[[Step], Any]) -> None:
        try:
            outcome = work(lambda rows: self._count(name, rows))
        except Exception as error:  # noqa: BLE001 (whatever it was: the page has to tell that it ended)
            log.error("errand_failed", errand=name.partition(":")[0], error=type(error).__name__)  # noqa: TRY400
            self._end(name, error=type(error).__name__)
        else:
            self._end(name, outcome=outcome)

    def _count(self, name: str, rows: int) -> None:
        with self._lock:
            known = self._errands[name]
            self._errands[name] = replace(known, done=known.done + rows)

    def _end(self, name: str, *, outcome: Any = None, error: str = "") -> None:  # noqa: ANN401 (what the work returned)
        with self._lock:
            self._errands[name] = replace(self._errands[name], is_running=False, outcome=outcome, error=error)
