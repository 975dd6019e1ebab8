"""A person behind user ids: whoever linked their messengers was several users before."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from parlour.privacy.errors import PrivacyError
from parlour.store.models import User
from parlour.store.privacy_models import Erasure


class SubjectUnknown(PrivacyError):
    """There is no such person, conversation or workspace."""


def person_of(session: Session, user_id: UUID) -> frozenset[UUID]:
    """All user ids of the person with this one: those merged into it, and what it was merged into. Empty: unknown."""
    found: set[UUID] = set()
    waiting = set(session.scalars(select(User.id).where(User.id == user_id)))
    while waiting:
        found |= waiting
        rows = session.execute(
            select(User.id, User.merged_into).where(or_(User.id.in_(waiting), User.merged_into.in_(waiting)))
        ).all()
        waiting = {one for row in rows for one in row if one is not None} - found
    return frozenset(found)


def is_noted_as_erased(session: Session, person: Collection[UUID]) -> bool:
    """Whether any of these user ids was erased or is being erased: nothing stops it from there on."""
    noted = select(Erasure.subject_id).where(Erasure.subject_id.in_(person)).limit(1)
    return session.scalars(noted).first() is not None


def as_uuid(text: str) -> UUID | None:
    """The id that `text` is, None where it is none."""
    try:
        return UUID(text)
    except ValueError:
        return None
