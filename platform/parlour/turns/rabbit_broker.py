"""The broker on RabbitMQ: kombu's, which waits for ever for the answers of one that is full or frozen."""

from typing import Any

from kombu.transport import pyamqp

# Such a broker keeps its connections open and says nothing. Consumers name a wait of their own.
_ANSWER_S = 5.0
_GLANCE_S = 0.01


class Connection(pyamqp.Connection):
    """Gives up an answer that does not come."""

    def blocking_read(self, timeout: float | None = None) -> Any:  # noqa: ANN401 (amqp's)
        """Read one frame. Raises `TimeoutError`."""
        return super().blocking_read(_ANSWER_S if timeout is None else timeout)


class Transport(pyamqp.Transport):
    """RabbitMQ, for Celery's `broker_transport`.

    A broker that is full reads nothing more from whoever publishes, not even that a connection was closed: closing it
    and opening another would heap them up there. So a connection that is blocked is kept until the broker frees it.
    """

    Connection = Connection
    is_blocked = False

    def establish_connection(self) -> Any:  # noqa: ANN401 (kombu's)
        """A new connection; what the broker says of it is noted."""
        self.is_blocked = False
        made = super().establish_connection()  # type: ignore[no-untyped-call]
        made.on_blocked, made.on_unblocked = self._blocked, self._unblocked
        return made

    def verify_connection(self, connection: Any) -> bool:  # noqa: ANN401 (kombu's)
        """Whether it can be used. Raises `TimeoutError` while it is blocked."""
        if self.is_blocked:
            self._until_free(connection)
            # The late word on the last message would be taken for that on the next.
            connection.collect()
        return bool(connection.connected)

    def _until_free(self, connection: Any) -> None:  # noqa: ANN401 (kombu's)
        while self.is_blocked:
            connection.blocking_read(_GLANCE_S)

    def _blocked(self, *_: object) -> None:
        self.is_blocked = True

    def _unblocked(self) -> None:
        self.is_blocked = False


class SSLTransport(Transport, pyamqp.SSLTransport):
    """The same over TLS."""
