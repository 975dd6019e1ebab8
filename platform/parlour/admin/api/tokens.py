"""Tokens of the API: made, shown once, limited, revoked. Only a keyed hash of each is stored."""

import json
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from parlour.admin.rights import CONTENT, RIGHTS, Right, may
from parlour.people.states import Role
from parlour.privacy.audit import Deed, record
from parlour.privacy.logins import is_open
from parlour.privacy.service import Privacy
from parlour.store.api_models import ApiToken
from parlour.store.database import Database
from parlour.store.ids import WorkspaceId, new_id
from parlour.store.operator_models import Login

PREFIX: Final = "parlour_"
MOST_DAYS: Final = 3_650
USUAL_DAYS: Final = 90
LONGEST_NAME: Final = 100
_BYTES: Final = 32
# What a program has no use for: these are about the person who is asked.
_OF_PERSONS: Final = frozenset({Right.BE_REMEMBERED, Right.HAVE_ACCOUNT})
# A token that is used all the time costs one write a minute for it.
_USED_TO: Final = timedelta(minutes=1)


class TokenUnknown(Exception):
    """There is no such token in this workspace, or it was revoked."""


class TokenRefused(Exception):
    """A token may be no more than its maker, and for a time that ends."""


@dataclass(frozen=True, slots=True)
class Maker:
    """Who makes or revokes a token, and the most that it may be."""

    workspace_id: WorkspaceId
    actor: str
    role: Role
    rights: frozenset[Right]

    @classmethod
    def at_command_line(cls, workspace_id: WorkspaceId, actor: str) -> "Maker":
        """Whoever can open the databases is bound by nothing."""
        return cls(workspace_id, actor, Role.OWNER, rights_of(Role.OWNER))


@dataclass(frozen=True, slots=True)
class TokenView:
    """A token as it is listed. `rights` are those that it has now: none where its maker is nobody any more."""

    id: UUID
    name: str
    role: Role
    rights: frozenset[Right]
    made_by: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Holder:
    """What a token that was shown stands for."""

    token_id: UUID
    workspace_id: WorkspaceId
    role: Role
    rights: frozenset[Right]

    @property
    def actor(self) -> str:
        """Who the audit log names."""
        return f"token:{self.token_id}"


def rights_of(role: Role) -> frozenset[Right]:
    """What a token of that role may do where nothing narrower is said."""
    return RIGHTS[role] - _OF_PERSONS


def most_of(role: Role) -> frozenset[Right]:
    """The same with what may be given to it by name: an admin's token opens content only where that is said."""
    return rights_of(role) | (CONTENT if role is Role.ADMIN else frozenset())


def create_token(
    database: Database,
    privacy: Privacy,
    maker: Maker,
    *,
    name: str,
    role: Role,
    scopes: Collection[Right] | None = None,
    days: int = USUAL_DAYS,
) -> tuple[TokenView, str]:
    """A new token, and what to show for it: told here and never again. Raises `TokenRefused`."""
    _refuse(maker, name, role, scopes, days)
    token = PREFIX + secrets.token_urlsafe(_BYTES)
    now, token_id = database.clock.now(), new_id()
    row = ApiToken(
        id=token_id,
        workspace_id=maker.workspace_id,
        name=privacy.sealer.seal(maker.workspace_id, ApiToken.name, token_id, name.strip()),
        lookup_hash=_hash(privacy, token),
        role=role.value,
        scopes=None if scopes is None else json.dumps(sorted(scopes)),
        made_by=maker.actor,
        created_at=now,
        expires_at=now + timedelta(days=days),
    )
    with database.begin() as session:
        session.add(row)
        _note(session, privacy, maker, "token.create", token_id, now)
    return _view(privacy, row, _rights(row)), token


def list_tokens(
    database: Database, privacy: Privacy, workspace_id: WorkspaceId, *, after: UUID | None = None, limit: int = 100
) -> list[TokenView]:
    """The workspace's tokens, oldest first, those revoked too."""
    wanted = select(ApiToken).where(ApiToken.workspace_id == workspace_id).order_by(ApiToken.id).limit(limit)
    if after is not None:
        wanted = wanted.where(ApiToken.id > after)
    now = database.clock.now()
    with database.read() as session:
        found = [(row, left_of(session, row, now)) for row in session.scalars(wanted)]
    return [_view(privacy, row, rights) for row, rights in found]


def revoke_token(database: Database, privacy: Privacy, maker: Maker, token_id: UUID) -> None:
    """Let the token open nothing any more, from its next request on. Raises `TokenUnknown`."""
    now = database.clock.now()
    with database.begin() as session:
        row = session.get(ApiToken, token_id, with_for_update=True)
        if row is None or row.workspace_id != maker.workspace_id or row.revoked_at is not None:
            raise TokenUnknown(f"No token {token_id} that could be revoked. See all with: parlour token list")
        row.revoked_at = now
        _note(session, privacy, maker, "token.revoke", token_id, now)


def holder_of(database: Database, privacy: Privacy, token: str) -> Holder | None:
    """Whom the token stands for; None: unknown, expired, revoked or its maker gone, which are not told apart."""
    now = database.clock.now()
    with database.read() as session:
        row = session.scalars(select(ApiToken).where(ApiToken.lookup_hash == _hash(privacy, token))).one_or_none()
        rights = left_of(session, row, now) if row is not None else frozenset[Right]()
    if row is None or not rights:
        return None
    if row.last_used_at is None or row.last_used_at <= now - _USED_TO:
        with database.begin(is_durable=False) as session:
            session.execute(update(ApiToken).where(ApiToken.id == row.id).values(last_used_at=now))
    return Holder(row.id, WorkspaceId(row.workspace_id), Role(row.role), rights)


def left_of(session: Session, token: ApiToken, now: datetime) -> frozenset[Right]:
    """The rights that a token has now: no more than its maker has now, and whoever made that one.

    None where it or one of those was revoked, removed, blocked or is past its time; whoever was at the command line
    is bound by nothing.
    """
    rights, row = rights_of(Role.OWNER) | CONTENT, token
    while row.revoked_at is None and row.expires_at > now:
        rights &= _rights(row)
        kind, _, maker = row.made_by.partition(":")
        if kind == "command":
            return rights
        if kind == "login":
            return rights & _rights_of_login(session, UUID(maker))
        parent = session.get(ApiToken, UUID(maker)) if kind == "token" else None
        if parent is None:
            break
        row = parent
    return frozenset()


def _rights_of_login(session: Session, login_id: UUID) -> frozenset[Right]:
    login = session.scalar(select(Login).where(Login.id == login_id, is_open()))
    if login is None:
        return frozenset()
    return frozenset(right for right in Right if may(login.role, right, opens_content=login.opens_content))


def _refuse(maker: Maker, name: str, role: Role, scopes: Collection[Right] | None, days: int) -> None:
    if not 1 <= len(name.strip()) <= LONGEST_NAME:
        raise TokenRefused(f"A token's name has 1 to {LONGEST_NAME} characters: say what it is for.")
    if not 1 <= days <= MOST_DAYS:
        raise TokenRefused(f"A token lasts 1 to {MOST_DAYS} days, not {days}.")
    if not rights_of(role):
        allowed = ", ".join(one for one in Role if rights_of(one))
        raise TokenRefused(f"The role {role.value} may do nothing over the API. Give one of: {allowed}.")
    wanted = rights_of(role) if scopes is None else frozenset(scopes)
    if beyond := wanted - most_of(role):
        remedy = "Leave it out, or give another role."
        raise TokenRefused(f"The role {role.value} does not have: {_listed(beyond)}. {remedy}")
    if beyond := wanted - maker.rights:
        raise TokenRefused(f"Its maker does not have: {_listed(beyond)}. A token may be no more than its maker.")


def _listed(rights: Collection[Right]) -> str:
    return ", ".join(sorted(rights))


def _rights(row: ApiToken) -> frozenset[Right]:
    """What its role has today, and no more than it was made for."""
    role = Role(row.role)
    if row.scopes is None:
        return rights_of(role)
    scopes = json.loads(row.scopes)
    return frozenset(one for one in most_of(role) if one in scopes)


def _note(session: Session, privacy: Privacy, maker: Maker, action: str, token_id: UUID, now: datetime) -> None:
    record(session, privacy, Deed(maker.actor, action, str(token_id), maker.workspace_id), now=now)


def _hash(privacy: Privacy, token: str) -> bytes:
    return privacy.lookup.hash("api token", token)


def _view(privacy: Privacy, row: ApiToken, rights: frozenset[Right]) -> TokenView:
    return TokenView(
        id=row.id,
        name=privacy.sealer.open_text(WorkspaceId(row.workspace_id), ApiToken.name, row.id, row.name),
        role=Role(row.role),
        rights=rights,
        made_by=row.made_by,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )
