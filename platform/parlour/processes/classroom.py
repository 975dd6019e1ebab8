"""Where a worker learns from finished turns: one at a time, in a thread of its own, after people."""

import queue
import threading
import time

import structlog

from parlour.bootstrap import Platform
from parlour.engines.host import EngineHost
from parlour.store.ids import TurnId
from parlour.turns.learning import Learner  # noqa: TC001 (an annotation like the others)

log = structlog.get_logger(__name__)

# More waiting than this are let go: a worker that is never idle learns from some turns, not from all.
_MOST_WAITING = 200
# Learning lets running answers end first, so long at most; then it goes on at its low priority.
_PATIENCE_S = 60.0
_LOOK_EVERY_S = 0.2


class Classroom:
    """The learning half of an engine room. What waits in it when the process ends is not learned."""

    def __init__(self, platform: Platform, host: EngineHost) -> None:
        self._platform = platform
        self._host = host
        self._waiting: queue.Queue[TurnId] = queue.Queue(_MOST_WAITING)
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._learner: Learner | None = None

    def start(self) -> None:
        """Begin to wait for turns; where people are not remembered there is nothing to begin."""
        if self._platform.personal is None:
            return
        self._learner = self._platform.learner(self._host)
        self._thread = threading.Thread(target=self._run, name="learning", daemon=True)
        self._thread.start()

    def put(self, turn_id: TurnId) -> None:
        """Learn from this turn later. Never waits."""
        try:
            self._waiting.put_nowait(turn_id)
        except queue.Full:
            log.info("learning_skipped", turn_id=str(turn_id))

    def close(self) -> None:
        """End the thread; what it is in the middle of ends with the engine."""
        self._closed.set()

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                turn_id = self._waiting.get(timeout=_LOOK_EVERY_S)
            except queue.Empty:
                continue
            self._let_people_go_first()
            self._learn(turn_id)

    def _let_people_go_first(self) -> None:
        until = time.monotonic() + _PATIENCE_S
        while len(self._platform.running) and time.monotonic() < until:
            if self._closed.wait(_LOOK_EVERY_S):
                return

    def _learn(self, turn_id: TurnId) -> None:
        if self._learner is None or self._closed.is_set():
            return
        try:
            self._learner.learn(turn_id)
        except Exception as error:  # noqa: BLE001 (a thread begins here; the next turn may succeed)
            log.warning("learning_broke", turn_id=str(turn_id), reason=type(error).__name__)
