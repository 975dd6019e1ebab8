"""How a worker waits for its broker: asking often, so that people who wrote meanwhile are not kept waiting."""

from functools import partial
from typing import Any, Final

from celery.worker.consumer import Consumer

# Celery's own is 2 s, then 2 s more each time, up to 30 s: after a long outage all would wait half a minute more.
_AGAIN_AFTER_S: Final = 1.0


class PromptConsumer(Consumer):
    """Celery's consumer, which tries to connect again every second."""

    def ensure_connected(self, conn: Any) -> Any:  # noqa: ANN401 (kombu's connection has no types)
        """The connection, connected, however long that takes."""
        every_second = {"interval_start": _AGAIN_AFTER_S, "interval_step": 0.0, "interval_max": _AGAIN_AFTER_S}
        conn.ensure_connection = partial(conn.ensure_connection, **every_second)
        return super().ensure_connected(conn)  # type: ignore[no-untyped-call]
