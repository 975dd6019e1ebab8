"""One person in several messengers: a one-time code from one of them, typed in the other, makes two users one.

What was said before stays sealed under the key of the user that was merged, whose row and key live on: it can be read,
exported and erased with the person (`ids_of`), and nothing has to be written anew while turns flow. What is needed
for talking on, and what is remembered, is sealed under the key of the user that stays.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from parlour.people.errors import LinkRefused
from parlour.people.pairing import code_hash, spelled
from parlour.people.profile import Profiles
from parlour.people.states import ConsentState, Role, UserState
from parlour.privacy.service import Privacy
from parlour.store.ids import UserId, WorkspaceId
from parlour.store.models import Conversation, Identity, User, Workspace
from parlour.store.operator_models import Login
from parlour.store.people_models import Consent, UsageDay

LINK_LIFE: Final = timedelta(minutes=10)
_PURPOSE: Final = "link"


@dataclass(frozen=True, slots=True)
class LinkCode:
    """What to type in the other messenger, and until when."""

    code: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Offer:
    """Whose code it is: the user, and where they write from."""

    user_id: UserId
    name: str
    channels: tuple[str, ...]


def offer_link(session: Session, privacy: Privacy, user_id: UserId, *, now: datetime) -> LinkCode:
    """A new one-time code of this person; one that they had before is void. Only its keyed hash is stored."""
    code = spelled(secrets.randbits(256))
    until = now + LINK_LIFE
    hashed = code_hash(privacy.lookup, code, purpose=_PURPOSE)
    session.execute(update(User).where(User.id == user_id).values(link_hash=hashed, link_until=until))
    return LinkCode(code, until)


def find_offer(
    session: Session, privacy: Privacy, code: str, *, by: UserId, workspace_id: WorkspaceId, now: datetime
) -> Offer:
    """Who would be linked with `by`. Raises `LinkRefused`; the code itself is in no message."""
    user = _offering(session, privacy, code, workspace_id, now)
    if user.id == by:
        raise LinkRefused("That code is for the other messenger: type it there.")
    user_id = UserId(user.id)
    identities = session.scalars(select(Identity).where(Identity.user_id == user_id).order_by(Identity.id)).all()
    names = [
        privacy.sealer.open_text(user_id, Identity.name, one.id, one.name) for one in identities if one.name is not None
    ]
    return Offer(user_id, next((name for name in names if name), ""), tuple(one.channel for one in identities))


def link(
    session: Session,
    privacy: Privacy,
    profiles: Profiles,
    code: str,
    *,
    by: UserId,
    workspace_id: WorkspaceId,
    now: datetime,
) -> UserId:
    """Make `by`, who typed the code, one with the person who was given it, and return that person's id.

    The code is used up. The higher of both roles stays; of two preferences the newer; of two consents the newer.
    Raises `LinkRefused`.
    """
    # As for roles: one such change at a time in a workspace.
    session.execute(select(Workspace.id).where(Workspace.id == workspace_id).with_for_update(key_share=True))
    find_offer(session, privacy, code, by=by, workspace_id=workspace_id, now=now)
    stays = _offering(session, privacy, code, workspace_id, now)
    goes = session.get_one(User, by, with_for_update=True)
    _merge_rows(session, stays, goes)
    _move_identities(session, privacy, stays, goes)
    _move_conversations(session, privacy, stays, goes)
    _move_usage(session, stays, goes)
    _move_consent(session, profiles, stays, goes)
    session.flush()
    return UserId(stays.id)


def ids_of(session: Session, user_id: UserId) -> list[UserId]:
    """Every user that this person is or was: whatever is exported or erased is looked for under each of them."""
    found = [user_id]
    for one in found:
        merged = session.scalars(select(User.id).where(User.merged_into == one).order_by(User.id))
        found += [UserId(other) for other in merged if other not in found]
    return found


def who_is(session: Session, user_id: UserId) -> UserId:
    """The user that this one is now: itself, or the one that it was merged into."""
    while (into := session.scalar(select(User.merged_into).where(User.id == user_id))) is not None:
        user_id = UserId(into)
    return user_id


def _offering(session: Session, privacy: Privacy, code: str, workspace_id: WorkspaceId, now: datetime) -> User:
    user = session.scalars(
        select(User).where(
            User.link_hash == code_hash(privacy.lookup, code, purpose=_PURPOSE),
            User.link_until > now,
            User.workspace_id == workspace_id,
            User.state == UserState.ACTIVE.value,
        )
    ).one_or_none()
    if user is None:
        raise LinkRefused("No such code, or it was used, or it has expired. Get a new one with /link.")
    return user


def _merge_rows(session: Session, stays: User, goes: User) -> None:
    roles = list(Role)
    stays.role = max(stays.role, goes.role, key=lambda role: roles.index(Role(role)))
    stays.language = stays.language or goes.language
    goes.state, goes.merged_into, goes.role = UserState.MERGED.value, stays.id, Role.MEMBER.value
    goes.pairing_hash = goes.pairing_until = None
    for user in (stays, goes):
        user.link_hash = user.link_until = None
    # Whoever was merged into the one that goes now follows it.
    session.execute(update(User).where(User.merged_into == goes.id).values(merged_into=stays.id))
    session.execute(update(Login).where(Login.user_id == goes.id).values(user_id=stays.id))


def _move_identities(session: Session, privacy: Privacy, stays: User, goes: User) -> None:
    for row in session.scalars(select(Identity).where(Identity.user_id == goes.id)):
        row.external_id = _sealed_anew(privacy, Identity.external_id, row.id, row.external_id, goes.id, stays.id)
        if row.name is not None:
            row.name = _sealed_anew(privacy, Identity.name, row.id, row.name, goes.id, stays.id)
        row.user_id = stays.id


def _move_conversations(session: Session, privacy: Privacy, stays: User, goes: User) -> None:
    for row in session.scalars(select(Conversation).where(Conversation.user_id == goes.id).with_for_update()):
        row.address = _sealed_anew(privacy, Conversation.address, row.id, row.address, goes.id, stays.id)
        row.user_id = stays.id


def _sealed_anew(privacy: Privacy, column: object, row: UUID, sealed: bytes, old: UUID, new: UUID) -> bytes:
    opened = privacy.sealer.open(UserId(old), column, row, sealed)  # type: ignore[arg-type]
    return privacy.sealer.seal(UserId(new), column, row, opened)  # type: ignore[arg-type]


def _move_usage(session: Session, stays: User, goes: User) -> None:
    """Two half-used days make one that is used: linking is no way around a quota."""
    days = session.scalars(select(UsageDay).where(or_(UsageDay.user_id == stays.id, UsageDay.user_id == goes.id))).all()
    kept = {day.day: day for day in days if day.user_id == stays.id}
    for day in days:
        if day.user_id == stays.id:
            continue
        if day.day in kept:
            kept[day.day].turns += day.turns
            kept[day.day].tokens += day.tokens
            session.execute(delete(UsageDay).where(UsageDay.id == day.id))
        else:
            day.user_id = stays.id


def _move_consent(session: Session, profiles: Profiles, stays: User, goes: User) -> None:
    session.execute(update(Consent).where(Consent.user_id == goes.id).values(user_id=stays.id))
    session.flush()
    wanted = select(Consent.decision).where(Consent.user_id == stays.id).order_by(Consent.created_at, Consent.id)
    steps = list(session.scalars(wanted))
    decided = [step for step in steps if step != ConsentState.ASKED.value]
    stays.consent = decided[-1] if decided else (steps[-1] if steps else None)
    goes.consent = None
    if stays.consent == ConsentState.GIVEN.value:
        profiles.move(session, from_id=UserId(goes.id), to_id=UserId(stays.id))
    else:
        for one in (stays, goes):
            profiles.forget_all(session, UserId(one.id))
