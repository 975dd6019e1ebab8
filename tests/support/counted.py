"""What the database is asked meanwhile: statements, and round trips to a PostgreSQL server."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from sqlalchemy import Engine, event

from parlour.store.together import Posted


@contextmanager
def counted() -> Iterator[list[str]]:
    """The statements that are executed meanwhile, those that are prepared and all others; not what begins and ends."""
    statements: list[str] = []
    put = Posted.put

    def note(_: object, __: object, statement: str, *___: object) -> None:
        statements.append(statement)

    def note_posted(posted: Posted, cursor: Any) -> Any:
        if not posted.is_bracket:
            statements.append(posted.sql)
        return put(posted, cursor)

    event.listen(Engine, "before_cursor_execute", note)
    Posted.put = note_posted  # type: ignore[method-assign,assignment]
    try:
        yield statements
    finally:
        Posted.put = put  # type: ignore[method-assign]
        event.remove(Engine, "before_cursor_execute", note)


class Line:
    """A line to a server that counts how often a client speaks up after the server did: its round trips."""

    def __init__(self, url: str, listener: socket.socket) -> None:
        address = urlsplit(url)
        self._server = (address.hostname or "127.0.0.1", address.port or 5432)
        self._listener = listener
        user, _, _ = address.netloc.rpartition("@")
        here = f"127.0.0.1:{listener.getsockname()[1]}"
        self.url = urlunsplit(address._replace(netloc=f"{user}@{here}" if user else here))
        self.round_trips = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._server)
                spoke_last = [server]
                for ends in ((client, server), (server, client)):
                    threading.Thread(target=self._carry, args=(*ends, server, spoke_last), daemon=True).start()

    def _carry(
        self, source: socket.socket, target: socket.socket, server: socket.socket, spoke_last: list[socket.socket]
    ) -> None:
        with contextlib.suppress(OSError), closing(source):
            while said := source.recv(65_536):
                self.round_trips += source is not server and spoke_last[0] is server
                spoke_last[0] = source
                target.sendall(said)
        # Not closed alone: the thread that listens there would keep it open.
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)


@contextmanager
def line_to(url: str) -> Iterator[Line]:
    """A line to the server at `url`; its own `url` leads there."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield Line(url, listener)
