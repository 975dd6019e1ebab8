"""Browsers that are signed in: known by a token of which only a keyed hash is stored."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from parlour.people.states import Role
from parlour.privacy.errors import KeysUnavailable
from parlour.privacy.logins import is_open
from parlour.privacy.lookup import Lookup
from parlour.privacy.service import Privacy
from parlour.store.database import Database
from parlour.store.ids import WorkspaceId, new_id
from parlour.store.models import Workspace
from parlour.store.operator_models import Login, LoginSession

LONGEST: Final = timedelta(days=7)
UNUSED: Final = timedelta(hours=12)
_NOTED_EVERY: Final = timedelta(minutes=1)
_TOKEN_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who is behind a session."""

    session_id: UUID
    login_id: UUID
    workspace_id: WorkspaceId
    role: Role
    # Empty while the key that it is sealed under cannot be had.
    name: str
    opens_content: bool


@dataclass(frozen=True, slots=True)
class SessionView:
    """A session, as its owner sees it."""

    id: UUID
    created_at: datetime
    seen_at: datetime


def open_session(session: Session, lookup: Lookup, login_id: UUID, *, now: datetime) -> str:
    """The token of a new session, for the browser's cookie; told once. Sweeps away what is past its time."""
    session.execute(delete(LoginSession).where(LoginSession.expires_at <= now))
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    row = LoginSession(
        id=new_id(),
        login_id=login_id,
        lookup_hash=_hash(lookup, token),
        created_at=now,
        seen_at=now,
        expires_at=now + LONGEST,
    )
    session.add(row)
    return token


def find_session(database: Database, privacy: Privacy, token: str) -> SignedIn | None:
    """Who showed this token; None where it is unknown, revoked, past its time or was not used for too long."""
    now = database.clock.now()
    wanted = (
        select(LoginSession, Login)
        .join(Login, Login.id == LoginSession.login_id)
        .join(Workspace, Workspace.id == Login.workspace_id)
        .where(
            LoginSession.lookup_hash == _hash(privacy.lookup, token),
            LoginSession.expires_at > now,
            LoginSession.seen_at > now - UNUSED,
            Workspace.removed_at.is_(None),
            is_open(),
        )
    )
    with database.read() as session:
        row = session.execute(wanted).one_or_none()
    if row is None:
        return None
    opened, login = row
    if now - opened.seen_at >= _NOTED_EVERY:
        with database.begin(is_durable=False) as session:
            session.execute(update(LoginSession).where(LoginSession.id == opened.id).values(seen_at=now))
    workspace_id = WorkspaceId(login.workspace_id)
    name = _name_of(privacy, login)
    return SignedIn(opened.id, login.id, workspace_id, Role(login.role), name, login.opens_content)


def _name_of(privacy: Privacy, login: Login) -> str:
    try:
        return privacy.sealer.open_text(WorkspaceId(login.workspace_id), Login.name, login.id, login.name)
    except KeysUnavailable:
        # Whoever comes to see what is wrong sees it: no page needs the name.
        return ""


def list_sessions(database: Database, login_id: UUID) -> list[SessionView]:
    """The login's sessions, newest first."""
    now = database.clock.now()
    wanted = select(LoginSession).where(LoginSession.login_id == login_id, LoginSession.expires_at > now)
    with database.read() as session:
        rows = session.scalars(wanted.order_by(LoginSession.id.desc())).all()
    return [SessionView(row.id, row.created_at, row.seen_at) for row in rows]


def close_sessions(session: Session, login_id: UUID, *, only: UUID | None = None, but: UUID | None = None) -> None:
    """End the login's sessions: one, all but one, or all."""
    gone = delete(LoginSession).where(LoginSession.login_id == login_id)
    if only is not None:
        gone = gone.where(LoginSession.id == only)
    if but is not None:
        gone = gone.where(LoginSession.id != but)
    session.execute(gone)


def _hash(lookup: Lookup, token: str) -> bytes:
    return lookup.hash("login session", token)
