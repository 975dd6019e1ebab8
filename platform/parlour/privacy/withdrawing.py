"""Taking back what a person wants gone, under a legal hold too: out of use at once, deleted when no hold stands."""

from datetime import UTC, datetime
from typing import Any, Final, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, delete, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from parlour.privacy.holds import held
from parlour.store.changes import changed_rows
from parlour.store.models import User
from parlour.store.people_models import ProfileEntry
from parlour.store.skill_models import SkillDocument

# The date of what was withdrawn while a hold stood: past for whoever reads and for the purge, and never changed by a
# rule. So the row is in no prompt, page or list any more, and the first purge that no hold stops deletes it.
WITHDRAWN: Final = datetime(1970, 1, 1, tzinfo=UTC)

Row = TypeVar("Row", ProfileEntry, SkillDocument)


def withdraw(session: Session, table: type[Row], user_id: UUID, *which: ColumnElement[bool]) -> int:
    """Delete the person's rows, all or those that fit, and return how many; under a hold only take them out of use."""
    if not is_held(session, user_id):
        return changed_rows(session, delete(table).where(table.user_id == user_id, *which))
    rows = session.scalars(select(table).where(table.user_id == user_id, is_in_use(table.expires_at), *which)).all()
    for row in rows:
        set_aside(row)
    session.flush()
    return len(rows)


def set_aside(row: ProfileEntry | SkillDocument) -> None:
    """Take a row out of use and keep it as it is sealed."""
    row.expires_at = WITHDRAWN
    # What it is found by is free for another: nothing that is written later may take its place.
    row.lookup_hash = row.id.bytes * 2


def is_held(session: Session, user_id: UUID) -> bool:
    """Whether a hold stands on the person or their workspace."""
    holds = held(session)
    if not holds:
        return False
    workspace_id = session.scalars(select(User.workspace_id).where(User.id == user_id)).one()
    return holds.keeps(workspace_id, None, user_id)


def is_in_use(expires_at: InstrumentedAttribute[Any]) -> ColumnElement[bool]:
    """As a condition: the row was not withdrawn."""
    return or_(expires_at.is_(None), expires_at != WITHDRAWN)
