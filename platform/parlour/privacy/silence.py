"""People who were not heard of for the time that a rule gives identities: found, and erased."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, and_, exists, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from parlour.privacy.classes import DataClass, kept
from parlour.privacy.erasure import SYSTEM, AlreadyErased, Eraser, LastOwnerStays
from parlour.privacy.holds import Held, UnderHold, held
from parlour.privacy.logins import is_last_owner_of_all
from parlour.privacy.persons import SubjectUnknown, person_of
from parlour.privacy.retention import POSTPONED, Retention, read_policy
from parlour.store.database import Database
from parlour.store.models import Message, Turn, User
from parlour.store.privacy_models import Erasure

log = structlog.get_logger(__name__)

_BATCH: Final = 1_000
# Neither what somebody was before they linked their messengers nor who is being erased already.
_ARE_PEOPLE: Final = (User.merged_into.is_(None), ~exists().where(Erasure.subject_id == User.id))


def erase_silent(
    database: Database, eraser: Eraser, retention: Retention, *, now: datetime, batch: int = _BATCH
) -> int:
    """Erase people who were not heard of for the time that a rule gives identities; return how many.

    Their date is only a reminder to look: whoever wrote since gets a new one, so that nothing is written per message.
    Whoever a hold or their being the last owner keeps is looked at again a day later, and keeps nobody else.
    """
    gone = 0
    while True:
        with database.read() as session:
            holds = held(session)
            (its,) = kept(DataClass.IDENTITY)
            free = [holds.lets_go(its)] if holds else []
            due = select(User.id, User.workspace_id).where(User.expires_at <= now, *_ARE_PEOPLE, *free)
            rows = session.execute(due.limit(batch)).all()
            policy = read_policy(session, retention.defaults)
            last = {user_id: _last_heard(session, user_id) for user_id, _ in rows}
        for user_id, workspace_id in rows:
            until = policy.until(DataClass.IDENTITY, last[user_id], workspace_id)
            if until is None or until > now:
                _look_again(database, user_id, until)
            else:
                gone += _erase(database, eraser, user_id, now=now)
        if len(rows) < batch:
            return gone


def is_silent(until: ColumnElement[Any], holds: Held) -> ColumnElement[bool]:
    """As a condition on users: not heard of since `until`, in any messenger that they linked, and free to go.

    It says of each alone whether a workspace would be left without an owner; of two who could both go, one stays.
    """
    was, heard, wrote, own = aliased(User), aliased(User), aliased(Message), Turn.user_id == User.id
    ids = or_(wrote.user_id == User.id, wrote.user_id.in_(select(was.id).where(was.merged_into == User.id)))
    return and_(
        *_ARE_PEOPLE,
        func.coalesce(User.heard_at, User.created_at) <= until,
        User.created_at <= until,
        ~exists().where(heard.merged_into == User.id, or_(heard.created_at > until, heard.heard_at > until)),
        ~exists().where(own, Turn.received_at > until),
        ~exists().where(was.merged_into == User.id, Turn.user_id == was.id, Turn.received_at > until),
        ~exists().where(ids, wrote.conversation_id.in_(holds.conversations)),
        ~is_last_owner_of_all(),
    )


def _erase(database: Database, eraser: Eraser, user_id: UUID, *, now: datetime) -> bool:
    try:
        eraser.erase(user_id, actor=SYSTEM, reason="not heard of for the time that identities are kept")
    except (UnderHold, LastOwnerStays, AlreadyErased, SubjectUnknown) as error:
        log.info("silent_person_stays", user_id=str(user_id), reason=type(error).__name__)
        _look_again(database, user_id, now + POSTPONED)
        return False
    return True


def _look_again(database: Database, user_id: UUID, at: datetime | None) -> None:
    with database.begin() as session:
        session.execute(update(User).where(User.id == user_id).values(expires_at=at))


def _last_heard(session: Session, user_id: UUID) -> datetime:
    """When the person was last heard of, in any messenger that they linked; what they never used counts from its start.

    Erasing takes all that they are or were, so what they were before says nothing by itself.
    """
    person = person_of(session, user_id)
    told = session.execute(select(func.max(User.created_at), func.max(User.heard_at)).where(User.id.in_(person))).one()
    turns = select(func.max(Turn.received_at)).where(Turn.user_id.in_(person))
    return max(at for at in (*told, session.scalars(turns).one()) if at is not None)
