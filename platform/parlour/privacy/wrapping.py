"""Wrapping beside retiring: no key-encryption key (KEK) is destroyed while something is being wrapped under it.

Whoever wraps says so before and stores what was wrapped in the same transaction; whoever retires waits for them, looks
at what is in use, and holds up who comes later until the KEK is gone, so that they wrap under another. On SQLite, with
one writer at a time, the transaction itself does that, in every process.
"""

from sqlalchemy import text
from sqlalchemy.orm import Session

from parlour.privacy.models import DataKeyRow, WrappedSecret


def begin_to_wrap(session: Session) -> None:
    """No KEK is retired from here to the commit. Others wrap meanwhile."""
    # The lock that writing takes anyway, only before the KEK is chosen.
    _lock(session, "ROW EXCLUSIVE")


def begin_to_retire(session: Session) -> None:
    """Nothing is wrapped from here to the commit, and all that was is committed."""
    _lock(session, "SHARE")


def _lock(session: Session, mode: str) -> None:
    if session.get_bind().dialect.name == "postgresql":
        tables = f"{DataKeyRow.__tablename__}, {WrappedSecret.__tablename__}"
        session.execute(text(f"LOCK TABLE {tables} IN {mode} MODE"))
