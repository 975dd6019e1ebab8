"""Links that set a password: the first owner's, an invited operator's. Each works once, and not for long."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import Select, delete, select
from sqlalchemy.orm import Session

from parlour.admin.signin.errors import LinkSpent
from parlour.privacy.lookup import Lookup
from parlour.privacy.service import Privacy
from parlour.store.database import Database
from parlour.store.ids import WorkspaceId, new_id
from parlour.store.operator_models import Login, LoginLink

LIFE: Final = timedelta(hours=24)
PATH: Final = "/admin/first"


@dataclass(frozen=True, slots=True)
class Link:
    """A link's address, below the gateway's own, and how long it works. It is told once."""

    path: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Offer:
    """What a link is good for: a login's password, or where there is none the first owner."""

    workspace_id: WorkspaceId
    login_id: UUID | None


def first_link(database: Database, privacy: Privacy, workspace_id: WorkspaceId) -> Link | None:
    """A link for the first owner, in place of earlier ones; None where somebody can sign in already."""
    now = database.clock.now()
    with database.begin() as session:
        if session.scalar(select(Login.id).where(Login.password_hash.is_not(None)).limit(1)) is not None:
            return None
        session.execute(delete(LoginLink).where(LoginLink.login_id.is_(None)))
        return make_link(session, privacy.lookup, workspace_id, None, now=now)


def make_link(
    session: Session, lookup: Lookup, workspace_id: WorkspaceId, login_id: UUID | None, *, now: datetime
) -> Link:
    """A new link. Sweeps away what is past its time."""
    session.execute(delete(LoginLink).where(LoginLink.expires_at <= now))
    token, until = secrets.token_urlsafe(32), now + LIFE
    session.add(
        LoginLink(
            id=new_id(),
            workspace_id=workspace_id,
            login_id=login_id,
            lookup_hash=_hash(lookup, token),
            expires_at=until,
        )
    )
    # In the query: a path stands in logs.
    return Link(f"{PATH}?token={token}", until)


def look_at(database: Database, privacy: Privacy, token: str) -> Offer:
    """What the link is good for, not used up by looking. Raises `LinkSpent`."""
    with database.read() as session:
        row = session.scalar(_wanted(privacy.lookup, token, database.clock.now()))
    return _offer(row)


def use_up(session: Session, lookup: Lookup, token: str, *, now: datetime) -> Offer:
    """What the link was good for; it is gone with the caller's commit. Raises `LinkSpent`."""
    row = session.scalar(_wanted(lookup, token, now).with_for_update())
    offer = _offer(row)
    session.delete(row)
    session.flush()
    return offer


def _wanted(lookup: Lookup, token: str, now: datetime) -> Select[LoginLink]:
    return select(LoginLink).where(LoginLink.lookup_hash == _hash(lookup, token), LoginLink.expires_at > now)


def _offer(row: LoginLink | None) -> Offer:
    if row is None:
        raise LinkSpent("This link was used, or is past its time. A new one: start Parlour again, or ask an owner.")
    return Offer(WorkspaceId(row.workspace_id), row.login_id)


def _hash(lookup: Lookup, token: str) -> bytes:
    return lookup.hash("login link", token)
