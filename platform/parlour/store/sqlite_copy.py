"""A copy of an SQLite database as it was at one moment, taken while others read and write."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from parlour.store.errors import BackupFailed, BackupRefused

# So many pages between two calls of `step`: some 4 MiB.
_PAGES = 1_024
_BUSY_TIMEOUT_S = 30


def copy_out(source: Path, target: Path, step: Callable[[int], object]) -> None:
    """Write the database as it is now into the new file `target`; `step` is told how many bytes went.

    SQLite's own online backup inside one read transaction: no writer waits for it, and none makes it begin anew.
    Raises `BackupFailed`.
    """
    try:
        with (
            closing(sqlite3.connect(_uri(source, "mode=ro"), uri=True, timeout=_BUSY_TIMEOUT_S)) as origin,
            closing(sqlite3.connect(target)) as copy,
        ):
            origin.isolation_level = None
            origin.execute("BEGIN")
            page_bytes = origin.execute("PRAGMA page_size").fetchone()[0]
            # The first read is what holds this moment still.
            left = origin.execute("PRAGMA page_count").fetchone()[0]

            def advance(_status: int, remaining: int, _total: int) -> None:
                nonlocal left
                step((left - remaining) * page_bytes)
                left = remaining

            origin.backup(copy, pages=_PAGES, progress=advance)
            # One file without a log beside it, which can be opened where nothing can be written.
            copy.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        problem = f"{source} could not be copied to {target.parent} ({_named(error)})."
        raise BackupFailed(
            f"{problem} Look at the room and the rights there; the database itself is untouched."
        ) from None


def problems_of(file: Path) -> list[str]:
    """What is wrong inside a copy, empty where nothing is."""
    try:
        with closing(_open(file)) as copy:
            found = [str(row[0]) for row in copy.execute("PRAGMA integrity_check(10)")]
            is_dangling = copy.execute("PRAGMA foreign_key_check").fetchone() is not None
    except sqlite3.Error as error:
        return [f"{file.name} does not open as an SQLite database ({_named(error)})"]
    problems = [f"{file.name} is damaged inside: {one}" for one in found if one != "ok"]
    return [*problems, *([f"{file.name} has rows that refer to nothing"] if is_dangling else [])]


def column_of(file: Path, query: str) -> list[str]:
    """The first column of what a query finds in a copy, as text. Raises `BackupFailed`."""
    try:
        with closing(_open(file)) as copy:
            return [str(row[0]) for row in copy.execute(query)]
    except sqlite3.Error as error:
        raise BackupFailed(f"{file} does not open ({_named(error)}). Take another backup.") from None


def refuse_occupied(path: Path) -> None:
    """Raises `BackupRefused` where a database, or the log of one, lies at `path`."""
    for there in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-journal")):
        if there.exists() and (there != path or _has_tables(path)):
            problem = f"{there} is there already, and a restore goes into an empty place only."
            raise BackupRefused(f"{problem} Move it away, or name another place (PARLOUR_DATA_DIR).")


def _has_tables(path: Path) -> bool:
    if not path.stat().st_size:
        return False
    try:
        with closing(_open(path)) as database:
            return database.execute("SELECT 1 FROM sqlite_master").fetchone() is not None
    except sqlite3.Error:
        # Whatever it is, it is not ours to overwrite.
        return True


def _open(file: Path) -> sqlite3.Connection:
    """Read only, and nothing is written beside it."""
    return sqlite3.connect(_uri(file, "mode=ro&immutable=1"), uri=True)


def _uri(path: Path, query: str) -> str:
    return f"{path.resolve().as_uri()}?{query}"


def _named(error: sqlite3.Error) -> str:
    return getattr(error, "sqlite_errorname", type(error).__name__)
