"""Driver errors of SQLite and PostgreSQL as `StoreError`s, in one place."""

import sqlite3

from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from parlour.store.errors import (
    DatabaseDamaged,
    DatabaseFull,
    DatabaseLocked,
    DatabaseReadOnly,
    DatabaseUnavailable,
    StoreError,
)

_BUSY = "Something holds it: a backup, a migration, another program. Try again when that is done."
_ROOM = "Make room on its disk (or raise its quota) and it goes on by itself."
_ACCESS = "Make the file and its folder writable for this user; on PostgreSQL, connect to the primary server."
_REACH = "Check that it runs and that its URL, user and password are right."

# Primary result codes of SQLite: https://www.sqlite.org/rescode.html
_SQLITE: dict[int, tuple[type[StoreError], str, str]] = {
    sqlite3.SQLITE_BUSY: (DatabaseLocked, "is locked", _BUSY),
    sqlite3.SQLITE_LOCKED: (DatabaseLocked, "is locked", _BUSY),
    sqlite3.SQLITE_READONLY: (DatabaseReadOnly, "is read-only", _ACCESS),
    sqlite3.SQLITE_PERM: (DatabaseReadOnly, "is not writable", _ACCESS),
    sqlite3.SQLITE_FULL: (DatabaseFull, "is full", _ROOM),
    sqlite3.SQLITE_IOERR: (DatabaseUnavailable, "cannot be read or written", "Check the disk under it."),
    sqlite3.SQLITE_CANTOPEN: (DatabaseUnavailable, "cannot be opened", "Check that its folder exists and is writable."),
    sqlite3.SQLITE_CORRUPT: (DatabaseDamaged, "is damaged", "Restore it from a backup."),
    sqlite3.SQLITE_NOTADB: (DatabaseDamaged, "is no SQLite database", "Check its path, or restore it from a backup."),
}
# SQLSTATE codes and classes: https://www.postgresql.org/docs/current/errcodes-appendix.html
_POSTGRES: dict[str, tuple[type[StoreError], str, str]] = {
    "25006": (DatabaseReadOnly, "is read-only", _ACCESS),
    "53100": (DatabaseFull, "is full", _ROOM),
    "53300": (DatabaseUnavailable, "has no connection left", "Lower database.pool_size or raise max_connections."),
    "40001": (DatabaseLocked, "is locked", _BUSY),
    "40P01": (DatabaseLocked, "is locked", _BUSY),
    "55P03": (DatabaseLocked, "is locked", _BUSY),
    "08": (DatabaseUnavailable, "cannot be reached", _REACH),
    "28": (DatabaseUnavailable, "refuses the user or password", _REACH),
    "3D": (DatabaseUnavailable, "does not exist on that server", "Create it with: createdb NAME"),
    "57014": (DatabaseLocked, "took longer than its statement_timeout", _BUSY),
    "57": (DatabaseUnavailable, "is shutting down or starting", "Wait until it is up."),
}


def translate(error: DBAPIError, *, place: str, is_connection_lost: bool) -> StoreError | None:
    """The error as a `StoreError` about the database at `place`, None for what is the caller's own fault.

    The driver's words are left out: PostgreSQL puts values of the row into them.
    """
    if isinstance(error, IntegrityError):
        return None
    if isinstance(error.orig, sqlite3.Error):
        found = _of_sqlite(error.orig)
    else:
        found = _of_postgres(error, is_connection_lost=is_connection_lost)
    if found is None:
        return None
    kind, problem, remedy = found
    return kind(f"The database {place} {problem}. {remedy}")


def _of_sqlite(error: sqlite3.Error) -> tuple[type[StoreError], str, str] | None:
    code = getattr(error, "sqlite_errorcode", None)
    # The lower byte is the primary code, the rest says more of the same.
    return None if code is None else _SQLITE.get(code & 0xFF)


def _of_postgres(error: DBAPIError, *, is_connection_lost: bool) -> tuple[type[StoreError], str, str] | None:
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return _POSTGRES.get(state) or _POSTGRES.get(state[:2])
    # Without a state the server never answered: no connection could be made, or it broke.
    is_lost = is_connection_lost or isinstance(error, OperationalError)
    return _POSTGRES["08"] if is_lost else None
