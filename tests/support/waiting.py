"""Who waits for whom in a PostgreSQL database."""

from sqlalchemy import text

from parlour.store.database import Database

_WAITING = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")


def is_somebody_waiting(database: Database) -> bool:
    """Whether a transaction waits for what another one has locked."""
    with database.read() as session:
        return bool(session.scalar(_WAITING))
