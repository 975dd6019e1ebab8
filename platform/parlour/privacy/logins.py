"""Logins of people: which open something now, and the one that a workspace cannot do without."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import Session, aliased

from parlour.store.models import User
from parlour.store.operator_models import Login


def is_open() -> ColumnElement[bool]:
    """Whether a login opens anything: not where the person behind it was blocked."""
    behind = aliased(User)
    its = select(behind.id).where(behind.id == Login.user_id, behind.state == "active")
    return or_(Login.user_id.is_(None), its.exists())


def is_last_owner(session: Session, login: Login) -> bool:
    """Whether nobody else could sign in to its workspace as an owner, whatever becomes of an identity provider."""
    return _are_last_owners(session, login.workspace_id, {login.id}) and _is_owner(login)


def have_last_owner(session: Session, users: Collection[UUID]) -> bool:
    """Whether the last owner who can sign in to a workspace is one of these people."""
    theirs = session.scalars(select(Login).where(Login.user_id.in_(users))).all()
    owners = [login for login in theirs if _is_owner(login)]
    return bool(owners) and _are_last_owners(session, owners[0].workspace_id, {login.id for login in theirs})


def is_last_owner_of_all() -> ColumnElement[bool]:
    """As a condition on users: whether the workspace would be left without an owner, in the chat or to sign in."""
    other, own = aliased(User), aliased(Login)
    in_chat = exists().where(
        other.workspace_id == User.workspace_id, other.id != User.id, other.role == "owner", other.state == "active"
    )
    signs_in = exists().where(own.user_id == User.id, own.role == "owner", own.password_hash.is_not(None))
    others = exists().where(
        Login.workspace_id == User.workspace_id,
        or_(Login.user_id.is_(None), Login.user_id != User.id),
        Login.role == "owner",
        Login.password_hash.is_not(None),
        is_open(),
    )
    return or_(and_(User.role == "owner", User.state == "active", ~in_chat), and_(signs_in, ~others))


def _is_owner(login: Login) -> bool:
    return login.role == "owner" and login.password_hash is not None


def _are_last_owners(session: Session, workspace_id: UUID, those: set[UUID]) -> bool:
    others = select(Login.id).where(
        Login.workspace_id == workspace_id,
        Login.id.not_in(those),
        Login.role == "owner",
        Login.password_hash.is_not(None),
        is_open(),
    )
    return session.scalar(others.limit(1)) is None
