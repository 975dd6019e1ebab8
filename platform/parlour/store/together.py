"""What goes to PostgreSQL together: a transaction's beginning, statements that nobody waits for yet, its end.

A small statement is carried out in less time than two processes take to wake each other for it. So what can wait is
sent along with what cannot. SQLite is a part of this process: there everything is carried out at once.
"""

from collections.abc import Sequence
from typing import Any, Final
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, event

from parlour.store.connect import driver_connection, raise_told


class Posted:
    """A statement on its way; once it was carried out, the rows that it told and how many it changed."""

    __slots__ = ("_parameters", "_tells_rows", "count", "is_done", "rows", "sql")

    rows: Sequence[Any]

    def __init__(self, sql: str, parameters: Any = None, *, tells_rows: bool = False) -> None:  # noqa: ANN401 (as the driver takes them)
        self.sql = sql
        self._parameters = parameters
        self._tells_rows = tells_rows
        self.is_done = False
        self.rows = ()
        self.count = 0

    @property
    def is_bracket(self) -> bool:
        """Whether it begins or ends a transaction, and so has no values."""
        return self._parameters is None

    def put(self, cursor: Any) -> Any:  # noqa: ANN401 (the driver's)
        """Hand it to the driver."""
        if self.is_bracket:
            return cursor.execute(self.sql, prepare=False)
        return cursor.execute(self.sql, self._parameters)

    def take(self, cursor: Any) -> None:  # noqa: ANN401 (the driver's)
        """Take its result from the driver. All rows: SQLite carries a statement out only as far as they are read."""
        if self._tells_rows:
            self.rows = cursor.fetchall()
        self.count = cursor.rowcount
        self.is_done = True
        cursor.close()


# By transaction. What a transaction that is rolled back has not sent is forgotten with it.
_waiting: Final[WeakKeyDictionary[Connection, list[Posted]]] = WeakKeyDictionary()
_READ_ONLY: Final = "is_read_only"


def gather(engine: Engine) -> Engine:
    """Have the transactions of a PostgreSQL engine begin with their first statement. Returns an engine to read with."""
    event.listen(engine, "connect", _leave_beginning_to_us)
    event.listen(engine, "begin", _begin)
    event.listen(engine, "before_cursor_execute", lambda connection, *_: send(connection))
    return engine.execution_options(**{_READ_ONLY: True})


def post(connection: Connection, posted: Posted) -> None:
    """Have the statement carried out before whatever comes next in its transaction."""
    if connection.dialect.name == "postgresql":
        _waiting.setdefault(connection, []).append(posted)
    else:
        _carry_out(connection, [posted])


def send(connection: Connection, *, last: Posted | None = None) -> None:
    """Carry out what waits, and `last` behind it. Raises what a session would."""
    waiting = _waiting.pop(connection, [])
    if last is not None:
        waiting.append(last)
    if waiting:
        _carry_out(connection, waiting)


def commit(connection: Connection) -> None:
    """Carry out what waits and commit, at once; where nothing waits, committing is left to the session."""
    # A beginning alone is forgotten: nothing has happened.
    if any(not posted.is_bracket for posted in _waiting.get(connection, [])):
        send(connection, last=Posted("COMMIT"))


def _begin(connection: Connection) -> None:
    is_read = connection.get_execution_options().get(_READ_ONLY, False)
    _waiting[connection] = [Posted("BEGIN READ ONLY" if is_read else "BEGIN")]


def _leave_beginning_to_us(connection: Any, _entry: object) -> None:  # noqa: ANN401 (the driver's own)
    # The driver would begin a transaction in a round trip of its own.
    connection.autocommit = True


def _carry_out(connection: Connection, waiting: list[Posted]) -> None:
    driver = driver_connection(connection)
    try:
        if len(waiting) == 1:
            cursors = [waiting[0].put(driver.cursor())]
        else:
            with driver.pipeline():
                cursors = [posted.put(driver.cursor()) for posted in waiting]
        for posted, cursor in zip(waiting, cursors, strict=True):
            posted.take(cursor)
    except connection.dialect.loaded_dbapi.Error as error:
        raise_told(connection, "; ".join(posted.sql for posted in waiting), error)
