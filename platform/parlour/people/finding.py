"""A person by whatever names them: an id, a messenger's, one that they had before they linked their messengers."""

from contextlib import suppress
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from parlour.people.admit import identity_hash
from parlour.people.errors import HandleAmbiguous, UserErased, UserUnknown
from parlour.people.linking import ids_of, who_is
from parlour.privacy.persons import as_uuid
from parlour.privacy.receipts import erasure_of
from parlour.privacy.service import Privacy
from parlour.store.database import Database
from parlour.store.ids import UserId, WorkspaceId
from parlour.store.models import Identity, User, Workspace
from parlour.store.privacy_models import Erasure

# What stands before an id where the audit log names who did something.
_ACTORS = ("user", "login", "token")


def find_user(database: Database, privacy: Privacy, who: str, *, workspace_id: WorkspaceId | None = None) -> UserId:
    """The user whom `who` names, by an id or `telegram:12345`; of one who was merged, who they are now.

    Raises `UserUnknown`, and of those `UserErased` for the id of somebody who was; without a workspace also
    `HandleAmbiguous`, where several know the messenger's id.
    """
    channel, colon, external_id = who.partition(":")
    with database.read() as session:
        if colon:
            found = _by_identity(session, privacy, channel, external_id, workspace_id)
        else:
            found = _by_id(session, who, workspace_id)
            if found is None:
                _refuse_erased(session, who, workspace_id)
        found = who_is(session, UserId(found)) if found is not None else None
    if found is None:
        remedy = "Give an id, or one like telegram:12345, from: parlour user list"
        # Nothing leads from a messenger's id to somebody who was erased.
        known_by = " Whoever was erased is known by their id alone: parlour receipt list" if colon else ""
        raise UserUnknown(f"No user {who!r}. {remedy}{known_by}")
    return UserId(found)


def find_user_or_id(
    database: Database, privacy: Privacy, who: str, *, workspace_id: WorkspaceId | None = None
) -> UserId:
    """The same; an id is taken as it is, since whoever was erased has no row any more. Raises `UserUnknown`.

    In a workspace, the id of somebody who is or was there.
    """
    try:
        user_id = UserId(UUID(who))
    except ValueError:
        return find_user(database, privacy, who, workspace_id=workspace_id)
    if workspace_id is not None:
        _refuse_strange(database, user_id, workspace_id)
    return user_id


def find_person(database: Database, privacy: Privacy, who: str, *, workspace_id: WorkspaceId) -> tuple[UserId, ...]:
    """Every id of the person whom `who` names, the one that they have now first. Raises as `find_user` does."""
    user_id = find_user(database, privacy, who, workspace_id=workspace_id)
    with database.read() as session:
        return tuple(ids_of(session, user_id))


def named_in_audit(database: Database, privacy: Privacy, word: str, *, workspace_id: WorkspaceId) -> tuple[str, ...]:
    """The words by which the audit log may name what `word` names: itself, an id as who did it, a person's every id."""
    ids = [] if as_uuid(word) is None else [word]
    # An operator, a hold, a command, and whoever was erased are no person here.
    with suppress(UserUnknown):
        ids += [str(one) for one in find_person(database, privacy, word, workspace_id=workspace_id)]
    return tuple(dict.fromkeys([word, *ids, *(f"{kind}:{one}" for one in ids for kind in _ACTORS)]))


def _refuse_strange(database: Database, user_id: UserId, workspace_id: WorkspaceId) -> None:
    is_there = select(User.id).where(User.id == user_id, User.workspace_id == workspace_id)
    was_there = select(Erasure.subject_id).where(Erasure.subject_id == user_id, Erasure.workspace_id == workspace_id)
    with database.read() as session:
        if session.scalar(is_there) is None and session.scalar(was_there) is None:
            raise UserUnknown(f"No user {str(user_id)!r}. See all with: parlour user list")


def _by_id(session: Session, who: str, workspace_id: WorkspaceId | None) -> UUID | None:
    user_id = as_uuid(who)
    if user_id is None:
        return None
    wanted = select(User.id).where(User.id == user_id)
    return session.scalar(wanted if workspace_id is None else wanted.where(User.workspace_id == workspace_id))


def _refuse_erased(session: Session, who: str, workspace_id: WorkspaceId | None) -> None:
    user_id = as_uuid(who)
    erasure = None if user_id is None else erasure_of(session, user_id, workspace_id=workspace_id)
    if erasure is not None:
        raise UserErased(erasure)


def _by_identity(
    session: Session, privacy: Privacy, channel: str, external_id: str, only: WorkspaceId | None
) -> UUID | None:
    """The hashes differ from workspace to workspace, and there are few workspaces. Raises `HandleAmbiguous`."""
    there = select(Workspace.id, Workspace.name).order_by(Workspace.id)
    if only is not None:
        there = there.where(Workspace.id == only)
    found: dict[UUID, str] = {}
    for workspace_id, name in session.execute(there).all():
        wanted = select(Identity.user_id).where(
            Identity.workspace_id == workspace_id,
            Identity.channel == channel,
            Identity.lookup_hash == identity_hash(privacy, WorkspaceId(workspace_id), channel, external_id),
        )
        user_id = session.scalar(wanted)
        if user_id is not None:
            found[user_id] = name
    if len(found) > 1:
        known = ", ".join(f"{user_id} (in {name})" for user_id, name in found.items())
        problem = f"{channel}:{external_id} is known in {len(found)} workspaces."
        raise HandleAmbiguous(f"{problem} Give the id of the one you mean: {known}")
    return next(iter(found), None)
