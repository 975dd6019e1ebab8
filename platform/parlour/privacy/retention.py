"""Letting go of what has reached the end of its time."""

from datetime import datetime

from sqlalchemy import delete, select

from parlour.store.database import Database
from parlour.store.models import Attachment, Message


def purge_expired(database: Database, *, now: datetime, batch: int = 1_000) -> int:
    """Delete messages and attachments that are past their time and return how many rows went.

    Works in batches of `batch` rows, each a transaction of its own, so that a purge never holds a lock for long. It
    walks the index on expiry: its cost follows what expires, not what is stored. Deliveries of a message go with it.
    """
    return sum(_purge(database, table, now=now, batch=batch) for table in (Attachment, Message))


def _purge(database: Database, table: type[Attachment] | type[Message], *, now: datetime, batch: int) -> int:
    gone = 0
    while True:
        with database.begin() as session:
            due = select(table.id).where(table.expires_at <= now).order_by(table.expires_at).limit(batch)
            ids = session.scalars(due).all()
            if ids:
                session.execute(delete(table).where(table.id.in_(ids)))
        gone += len(ids)
        if len(ids) < batch:
            return gone
