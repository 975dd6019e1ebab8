"""The broker of one process: kombu's in memory, its consumer woken by what comes instead of looking all the time."""

import threading
import time
from queue import Empty
from typing import Any, Final

from kombu.transport import memory

# What else may let a message through, an acknowledgement that makes room for the next, wakes nobody.
_LOOK_EVERY_S: Final = 0.05
_arrived: Final = threading.Event()


class Channel(memory.Channel):
    """Puts a message into a queue of this process, and says so."""

    def _put(self, queue: str, message: Any, **kwargs: Any) -> None:  # noqa: ANN401 (kombu's)
        super()._put(queue, message, **kwargs)  # type: ignore[no-untyped-call]
        _arrived.set()


class Transport(memory.Transport):
    """Queues in this process's memory, for Celery's `broker_transport`."""

    Channel = Channel

    def drain_events(self, connection: Any, timeout: float | None = None) -> None:  # type: ignore[override]  # noqa: ANN401 (kombu's two base classes differ)
        """Deliver one message. Raises `TimeoutError` where none comes in time, as kombu wants it."""
        del connection
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            # Before looking: what is put from here on is either seen or ends the waiting.
            _arrived.clear()
            try:
                self._look(timeout)
            except Empty:
                if deadline is not None and time.monotonic() >= deadline:
                    raise TimeoutError from None
                _arrived.wait(_LOOK_EVERY_S)
            else:
                return

    def _look(self, timeout_s: float | None) -> None:
        if self.cycle is None:
            raise Empty
        self.cycle.get(self._deliver, timeout=timeout_s)
