"""What is done with people: see them, admit by code, block, give roles."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from parlour.people.consent import ConsentStep, history
from parlour.people.doer import Doer
from parlour.people.errors import (
    CodeUnknown,
    LastOwner,
    NotActive,
    NotBlocked,
    RoleUnknown,
    UserUnknown,
)
from parlour.people.finding import find_user
from parlour.people.linking import LinkCode, ids_of, offer_link
from parlour.people.pairing import code_hash
from parlour.people.quotas import QuotaRules, UsedToday, used_today
from parlour.people.states import ADMITTED_AS, Role, UserState
from parlour.privacy.errors import KeyShredded, KeysMissing
from parlour.privacy.logins import have_last_owner
from parlour.privacy.service import Privacy
from parlour.privacy.withdrawing import is_in_use
from parlour.store.database import Database
from parlour.store.ids import UserId, WorkspaceId
from parlour.store.models import Identity, User, Workspace
from parlour.store.people_models import ProfileEntry


@dataclass(frozen=True, slots=True)
class IdentityView:
    """A person in a messenger. Id and name are None where their key is gone."""

    channel: str
    external_id: str | None
    name: str | None


@dataclass(frozen=True, slots=True)
class UserView:
    """A person, as people who run Parlour see them."""

    user_id: UserId
    workspace_id: WorkspaceId
    role: Role
    state: UserState
    language: str | None
    created_at: datetime
    identities: tuple[IdentityView, ...]
    consent: str | None
    # The user that this one was merged into by linking.
    merged_into: UserId | None
    # These are told of one person, not of each in a list.
    profile_entries: int | None = None
    consent_steps: tuple[ConsentStep, ...] | None = None
    used_today: tuple[UsedToday, ...] | None = None


def list_users(
    database: Database,
    privacy: Privacy,
    *,
    state: UserState | None = None,
    role: Role | None = None,
    after: UserId | None = None,
    limit: int = 100,
    workspace_id: WorkspaceId | None = None,
) -> list[UserView]:
    """People in order of arrival, at most `limit` from behind `after`, those in one state or all who are somebody now.

    Users that were merged into another one are listed only where that state is asked for. `workspace_id`, here as
    below, leaves out whoever is in another one, as if there were no such user.
    """
    wanted = select(User).order_by(User.id).limit(limit)
    wanted = wanted.where(User.state == state if state is not None else User.state != UserState.MERGED)
    if role is not None:
        wanted = wanted.where(User.role == role)
    if workspace_id is not None:
        wanted = wanted.where(User.workspace_id == workspace_id)
    if after is not None:
        wanted = wanted.where(User.id > after)
    with database.read() as session:
        users = session.scalars(wanted).all()
        identities = _identities(session, [user.id for user in users])
    privacy.keyring.gather([UserId(user.id) for user in users])
    return [_view(privacy, user, identities.get(user.id, [])) for user in users]


def show_user(
    database: Database,
    privacy: Privacy,
    who: str,
    *,
    workspace_id: WorkspaceId | None = None,
    quotas: QuotaRules | None = None,
) -> UserView:
    """The person, what they agreed to, what is used of `quotas` today, and how much is remembered of them, never what.

    `who` is a user's id, or a messenger's as `telegram:12345`. Raises `UserUnknown`.
    """
    user_id = find_user(database, privacy, who, workspace_id=workspace_id)
    with database.read() as session:
        user = session.get_one(User, user_id)
        identities = _identities(session, [user_id])
        counted = select(func.count()).where(ProfileEntry.user_id == user_id, is_in_use(ProfileEntry.expires_at))
        entries = session.scalars(counted).one()
        steps, now = history(session, user_id), database.clock.now()
        used = used_today(
            session, quotas or QuotaRules(), user_id=user_id, workspace_id=WorkspaceId(user.workspace_id), now=now
        )
    return replace(
        _view(privacy, user, identities.get(user_id, [])),
        profile_entries=entries,
        consent_steps=steps,
        used_today=used,
    )


def set_role(database: Database, user_id: UserId, role: str, *, by: Doer | None = None) -> None:
    """Give the person a role. Raises `UserUnknown`, `RoleUnknown`, `LastOwner`.

    `by`, here as below, is who does it: where they are told, it is written into the audit log.
    """
    if role not in list(Role):
        raise RoleUnknown(f"No role named {role!r}. There are: {', '.join(Role)}.")
    with database.begin() as session:
        user = _change(session, user_id)
        if role != Role.OWNER:
            _keep_an_owner(session, user)
        user.role = role
        _note(session, by, f"user.role.{role}", user, database)


def block(database: Database, user_id: UserId, *, by: Doer | None = None) -> None:
    """Let nothing from this person through any more. Raises `UserUnknown`, `LastOwner`."""
    with database.begin() as session:
        user = _change(session, user_id)
        _keep_an_owner(session, user)
        if have_last_owner(session, ids_of(session, user_id)):
            raise LastOwner(f"User {user_id} is the last owner who can sign in. Add another one first.")
        if user.state != UserState.BLOCKED:
            user.blocked_from = user.state
        user.state, user.pairing_hash, user.pairing_until = UserState.BLOCKED, None, None
        _note(session, by, "user.block", user, database)


def unblock(database: Database, user_id: UserId, *, by: Doer | None = None) -> UserState:
    """Take a block away; what the person is now. Raises `UserUnknown`, `NotBlocked`.

    Whoever may talk when they are blocked may do so again. A stranger who was never let in is not by this: they wait
    again, with a new code when they next write.
    """
    with database.begin() as session:
        user = _change(session, user_id)
        if user.state != UserState.BLOCKED:
            raise NotBlocked(f"User {user_id} is not blocked but {user.state}. Nothing to undo.")
        user.state, user.blocked_from = UserState(user.blocked_from or UserState.ACTIVE), None
        _note(session, by, "user.unblock", user, database)
        return UserState(user.state)


def approve(
    database: Database,
    privacy: Privacy,
    code: str,
    *,
    now: datetime,
    role: Role = Role.MEMBER,
    workspace_id: WorkspaceId | None = None,
    by: Doer | None = None,
) -> UserId:
    """Admit the person who was told this pairing code, and return their id. Raises `CodeUnknown`, `RoleUnknown`."""
    with database.begin() as session:
        return admit_by_code(session, privacy, code, now=now, role=role, workspace_id=workspace_id, by=by)


def admit_by_code(
    session: Session,
    privacy: Privacy,
    code: str,
    *,
    now: datetime,
    role: Role = Role.MEMBER,
    workspace_id: WorkspaceId | None = None,
    by: Doer | None = None,
) -> UserId:
    """As `approve`, in the caller's transaction; an admin of one workspace admits nobody to another."""
    if role not in ADMITTED_AS:
        admitted = " or ".join(ADMITTED_AS)
        raise RoleUnknown(f"A code admits a {admitted}, no {role}. Give another role afterwards: parlour user role.")
    wanted = select(User).where(
        User.pairing_hash == code_hash(privacy.lookup, code),
        User.pairing_until > now,
        User.state == UserState.PENDING,
    )
    if workspace_id is not None:
        wanted = wanted.where(User.workspace_id == workspace_id)
    user = session.scalars(wanted).one_or_none()
    if user is None:
        # The code itself is left out: it might be somebody else's, mistyped by one letter.
        raise CodeUnknown("No one waits with that code, or it has expired. They get a new one when they write again.")
    user.state, user.role, user.pairing_hash, user.pairing_until = UserState.ACTIVE, role, None, None
    if by is not None:
        by.note(session, "user.approve", user, now=now)
    return UserId(user.id)


def make_link_code(
    database: Database, privacy: Privacy, user_id: UserId, *, now: datetime, by: Doer | None = None
) -> LinkCode:
    """A one-time code for this person to type in another messenger. Raises `UserUnknown`, `NotActive`."""
    with database.begin() as session:
        user = _change(session, user_id)
        if user.state != UserState.ACTIVE:
            raise NotActive(f"User {user_id} is {user.state}: only somebody who may talk can link a messenger.")
        made = offer_link(session, privacy, user_id, now=now)
        _note(session, by, "user.link-code", user, database)
        return made


def _note(session: Session, by: Doer | None, action: str, user: User, database: Database) -> None:
    if by is not None:
        session.flush()
        by.note(session, action, user, now=database.clock.now())


def _change(session: Session, user_id: UserId) -> User:
    """The user's row, to be changed. One such change at a time in a workspace: two owners may demote each other."""
    its_workspace = select(User.workspace_id).where(User.id == user_id).scalar_subquery()
    session.execute(select(Workspace.id).where(Workspace.id == its_workspace).with_for_update(key_share=True))
    user = session.get(User, user_id, with_for_update=True)
    if user is None or user.state in {UserState.ERASED, UserState.MERGED}:
        raise UserUnknown(f"No user {user_id}. See all with: parlour user list")
    return user


def _keep_an_owner(session: Session, user: User) -> None:
    """Refuse to go on where this person is the last owner who can act."""
    if user.role != Role.OWNER or user.state != UserState.ACTIVE:
        return
    is_owner = (User.workspace_id == user.workspace_id, User.role == Role.OWNER, User.state == UserState.ACTIVE)
    if session.scalars(select(func.count()).where(*is_owner)).one() <= 1:
        raise LastOwner(f"User {user.id} is the last owner. Make someone else owner first.")


def _identities(session: Session, user_ids: Sequence[UUID]) -> dict[UUID, list[Identity]]:
    found: dict[UUID, list[Identity]] = {}
    for identity in session.scalars(select(Identity).where(Identity.user_id.in_(user_ids)).order_by(Identity.id)):
        found.setdefault(identity.user_id, []).append(identity)
    return found


def _view(privacy: Privacy, user: User, identities: Sequence[Identity]) -> UserView:
    return UserView(
        user_id=UserId(user.id),
        workspace_id=WorkspaceId(user.workspace_id),
        role=Role(user.role),
        state=UserState(user.state),
        language=user.language,
        created_at=user.created_at,
        consent=user.consent,
        merged_into=UserId(user.merged_into) if user.merged_into else None,
        identities=tuple(_identity_view(privacy, identity) for identity in identities),
    )


def _identity_view(privacy: Privacy, identity: Identity) -> IdentityView:
    user_id = UserId(identity.user_id)
    open_text = privacy.sealer.open_text
    try:
        external_id = open_text(user_id, Identity.external_id, identity.id, identity.external_id)
        name = open_text(user_id, Identity.name, identity.id, identity.name) if identity.name is not None else None
    except (KeyShredded, KeysMissing):
        return IdentityView(identity.channel, None, None)
    return IdentityView(identity.channel, external_id, name)
