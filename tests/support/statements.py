"""Statements compiled once for all the SQLite databases of a process.

SQLAlchemy keeps compiled statements by dialect, and every engine has a dialect of its own. A test opens half a dozen
engines, each of which would compile anew what the test before had compiled: a third of the test's time.
"""

from typing import Any

import sqlalchemy
from sqlalchemy import URL, Engine
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from parlour.store import connect

_COMPILED: dict[Any, Any] = {}


class _Alike(SQLiteDialect_pysqlite):
    """A dialect that is equal to all others of its kind."""

    supports_statement_cache = True

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self)

    def __hash__(self) -> int:
        return hash(type(self))


def share_compiled_statements() -> None:
    """From now on an engine of this process uses what another has compiled."""
    connect.create_engine = _create_engine  # type: ignore[assignment, attr-defined]


def _create_engine(url: URL, **options: Any) -> Engine:
    engine = sqlalchemy.create_engine(url, **options)
    if isinstance(engine.dialect, SQLiteDialect_pysqlite):
        engine.dialect.__class__ = _Alike
        engine.update_execution_options(compiled_cache=_COMPILED)
    return engine
