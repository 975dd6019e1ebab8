"""SQLAlchemy engines as this project wants them, for SQLite and PostgreSQL."""

import select
import sqlite3
import time
from enum import Enum
from pathlib import Path
from typing import Any, NoReturn, cast

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import URL, ExceptionContext
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from parlour.store.errors import DatabaseUnavailable, StoreError
from parlour.store.translate import translate

_WAIT_FOR_CONNECTION_S = 30.0
_CONNECT_TIMEOUT_S = 5
_PAUSE_S = 0.02


def place_of(url: str | URL) -> str:
    """Where the database is, as people are told: its file, or its server and name. Never the password."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return str(parsed.database)
    return parsed.set(query={}).render_as_string(hide_password=True)


class Use(Enum):
    """What an SQLite connection is for."""

    WRITE = "write"  # takes the write lock at the start of a transaction, waits for the disk at its end
    SWIFT = "swift"  # the same without waiting for the disk
    READ = "read"  # takes no lock and refuses to write


def connect(url: str | URL, *, pool_size: int, busy_timeout_s: float, use: Use = Use.WRITE) -> Engine:
    """An engine whose errors are `StoreError`s. Connects at the first use. `use` is for SQLite."""
    parsed = make_url(url)
    place = place_of(parsed)
    shared: dict[str, Any] = {
        # A statement's values never get into an exception.
        "hide_parameters": True,
        "pool_size": pool_size,
        "max_overflow": pool_size,
        "pool_timeout": _WAIT_FOR_CONNECTION_S,
    }
    if parsed.get_backend_name() == "sqlite":
        arguments: dict[str, Any] = {"check_same_thread": False, "timeout": busy_timeout_s, "isolation_level": None}
        engine = create_engine(parsed, connect_args=arguments, **shared)
        _prepare_sqlite(engine, use, busy_timeout_s)
    else:
        engine = create_engine(parsed, connect_args={"connect_timeout": _CONNECT_TIMEOUT_S}, **shared)
        event.listen(engine, "checkout", _look_whether_open)

    def on_error(context: ExceptionContext) -> StoreError | None:
        error = context.sqlalchemy_exception
        if not isinstance(error, DBAPIError):
            return None
        return translate(error, place=place, is_connection_lost=context.is_disconnect)

    event.listen(engine, "handle_error", on_error, retval=True)
    return engine


def driver_connection(connection: Connection) -> Any:  # noqa: ANN401 (the driver's own)
    """The driver's connection behind SQLAlchemy's, for what is to cost no more than the driver takes."""
    return connection.connection.driver_connection


def raise_told(connection: Connection, sql: str, error: Exception) -> NoReturn:
    """Raise for the driver's error what a session would: a `StoreError`, or SQLAlchemy's own for the caller's fault."""
    dialect = connection.dialect
    # Every driver's errors come from DBAPI's `Error`, whatever their types say.
    is_lost = dialect.is_disconnect(cast("Any", error), driver_connection(connection), None)
    told = DBAPIError.instance(
        sql, None, error, dialect.loaded_dbapi.Error, hide_parameters=True, connection_invalidated=is_lost,
        dialect=dialect,
    )  # fmt: skip
    if is_lost:
        connection.invalidate(error)
    if not isinstance(told, DBAPIError):
        raise told from None
    raise translate(told, place=place_of(connection.engine.url), is_connection_lost=is_lost) or told from None


def make_file(url: str | URL) -> None:
    """Create an SQLite file and its folder where they are missing, for their owner alone.

    Raises `DatabaseUnavailable`.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return
    path = Path(parsed.database)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
    except OSError as error:
        problem = f"The database {path} cannot be made ({error.strerror})."
        raise DatabaseUnavailable(f"{problem} Make its folder writable, or set PARLOUR_DATA_DIR to another.") from None


def _look_whether_open(connection: Any, _entry: ConnectionPoolEntry, _proxy: PoolProxiedConnection) -> None:  # noqa: ANN401 (the driver's own)
    """Notice a server that was restarted before a caller's statement does.

    An idle server says nothing but that it goes, which shows at the socket. Asking it would take a question and an
    answer for every transaction, more than the rest of a small one.
    """
    idle = select.poll()
    try:
        idle.register(connection.fileno(), select.POLLIN)
        has_spoken = bool(idle.poll(0))
    except connection.OperationalError:
        has_spoken = True
    if has_spoken:
        raise DisconnectionError


def _prepare_sqlite(engine: Engine, use: Use, busy_timeout_s: float) -> None:
    is_read = use is Use.READ

    def on_connect(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA synchronous = {'FULL' if use is Use.WRITE else 'NORMAL'}")
        # What is deleted is overwritten: in the key store that is the whole point, in the content it costs little.
        connection.execute("PRAGMA secure_delete = ON")
        # Fails on a file that cannot be written; then it can still be read, and the first write says what is wrong.
        if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal" and not _is_read_only(connection):
            _turn_to_wal(connection, busy_timeout_s)
        connection.execute(f"PRAGMA query_only = {'ON' if is_read else 'OFF'}")

    def on_begin(connection: Connection) -> None:
        # Begun by hand: sqlite3 would begin late and without the write lock, and two readers could both turn writers.
        # And past SQLAlchemy, which takes as long for it as for all the rest of a small transaction.
        begin = "BEGIN" if is_read else "BEGIN IMMEDIATE"
        try:
            driver_connection(connection).execute(begin)
        except sqlite3.Error as error:
            raise_told(connection, begin, error)

    event.listen(engine, "connect", on_connect)
    event.listen(engine, "begin", on_begin)


def _turn_to_wal(connection: sqlite3.Connection, busy_timeout_s: float) -> None:
    """Give the file a write-ahead log. SQLite itself does not wait here while another connection does the same."""
    deadline = time.monotonic() + busy_timeout_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE_S)
        else:
            return


def _is_read_only(connection: sqlite3.Connection) -> bool:
    """Whether the file can only be read."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_READONLY
    return False
