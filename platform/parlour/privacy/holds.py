"""Legal holds: what must not be deleted, whatever rules, people and operators say."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, false, or_, select
from sqlalchemy.orm import Session

from parlour.privacy.audit import Deed, record
from parlour.privacy.classes import Kept
from parlour.privacy.errors import PrivacyError
from parlour.privacy.persons import SubjectUnknown, as_uuid, is_noted_as_erased, person_of
from parlour.privacy.service import Privacy
from parlour.store.database import Database
from parlour.store.ids import WorkspaceId, new_id
from parlour.store.models import Conversation, User, Workspace
from parlour.store.privacy_models import LegalHold


class HoldUnknown(PrivacyError):
    """There is no such hold, or it was released."""


class UnderHold(PrivacyError):
    """A legal hold forbids it."""


@dataclass(frozen=True, slots=True)
class Held:
    """What stands under a hold right now."""

    workspaces: frozenset[UUID] = frozenset()
    conversations: frozenset[UUID] = frozenset()
    users: frozenset[UUID] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.workspaces or self.conversations or self.users)

    def keeps(self, workspace_id: UUID, conversation_id: UUID | None, user_id: UUID) -> bool:
        """Whether a row of these must stay."""
        return workspace_id in self.workspaces or conversation_id in self.conversations or user_id in self.users

    def lets_go(self, kept: Kept) -> ColumnElement[bool]:
        """The same as a condition on rows of a table, the other way round."""
        free: list[ColumnElement[bool]] = []
        if self.workspaces:
            free.append(kept.workspace.not_in(self.workspaces))
        if self.conversations and kept.conversation is not None:
            free.append(kept.conversation.not_in(self.conversations))
        if self.users:
            free.append(kept.user.not_in(self.users))
        return and_(~false(), *free)


@dataclass(frozen=True, slots=True)
class HoldView:
    """A hold, its reason opened."""

    id: UUID
    workspace_id: UUID
    user_id: UUID | None
    conversation_id: UUID | None
    reason: str
    placed_by: str
    created_at: datetime
    released_at: datetime | None


def held(session: Session) -> Held:
    """All that is held. A hold on a person covers all that they were before they linked their messengers."""
    rows = session.execute(
        select(LegalHold.workspace_id, LegalHold.user_id, LegalHold.conversation_id).where(
            LegalHold.released_at.is_(None)
        )
    ).all()
    users = {user for _, user, _ in rows if user is not None}
    return Held(
        workspaces=frozenset(ws for ws, user, conversation in rows if user is None and conversation is None),
        conversations=frozenset(conversation for _, _, conversation in rows if conversation is not None),
        users=frozenset(one for user in users for one in person_of(session, user)),
    )


def refuse_held(
    session: Session, workspace_id: UUID, users: Collection[UUID], conversations: Collection[UUID] = ()
) -> None:
    """Raise `UnderHold`, which names the hold, where one stands on the workspace or on any of these."""
    rows = session.execute(
        select(LegalHold.id, LegalHold.workspace_id, LegalHold.user_id, LegalHold.conversation_id).where(
            LegalHold.released_at.is_(None)
        )
    ).all()
    for hold_id, workspace, user, conversation in rows:
        if user is not None:
            is_on_it = not person_of(session, user).isdisjoint(users)
        elif conversation is not None:
            is_on_it = conversation in conversations
        else:
            is_on_it = workspace == workspace_id
        if is_on_it:
            problem = f"Legal hold {hold_id} forbids it. See: parlour hold list"
            raise UnderHold(f"{problem}. Release it first: parlour hold release {hold_id}")


def add_hold(
    database: Database,
    privacy: Privacy,
    *,
    workspace_id: WorkspaceId,
    user_id: UUID | None = None,
    conversation_id: UUID | None = None,
    reason: str,
    actor: str,
) -> UUID:
    """Put a person, a conversation or (neither given) the workspace under a hold.

    Raises `SubjectUnknown`, for whoever is being erased too: a hold that is confirmed is kept.
    """
    if not reason.strip():
        raise UnderHold("A hold needs a reason. Give it with --reason.")
    now, hold_id = database.clock.now(), new_id()
    with database.begin() as session:
        # As whoever erases people does: else the two would not see each other.
        session.execute(select(Workspace.id).where(Workspace.id == workspace_id).with_for_update(key_share=True))
        if user_id is not None:
            _check_person(session, workspace_id, user_id)
        if conversation_id is not None:
            _check_conversation(session, workspace_id, conversation_id)
        session.add(
            LegalHold(
                id=hold_id,
                workspace_id=workspace_id,
                user_id=user_id,
                conversation_id=conversation_id,
                reason=privacy.sealer.seal(workspace_id, LegalHold.reason, hold_id, reason),
                placed_by=actor,
                created_at=now,
            )
        )
        subject = str(user_id or conversation_id or workspace_id)
        record(session, privacy, Deed(actor, "hold.add", subject, workspace_id, reason), now=now)
    return hold_id


def release_hold(
    database: Database,
    privacy: Privacy,
    hold_id: str,
    *,
    reason: str,
    actor: str,
    workspace_id: WorkspaceId | None = None,
) -> None:
    """End a hold: what is past its time goes with the next purge. Raises `HoldUnknown`, and `UnderHold` for no reason.

    Whoever acts for one workspace names it: a hold of another is unknown to them.
    """
    if not reason.strip():
        raise UnderHold("A hold ends for a reason. Give it with --reason.")
    now = database.clock.now()
    with database.begin() as session:
        found = as_uuid(hold_id)
        hold = session.get(LegalHold, found, with_for_update=True) if found else None
        if hold is None or hold.released_at is not None or workspace_id not in {None, hold.workspace_id}:
            raise HoldUnknown(f"No hold {hold_id!r} stands. See those that do with: parlour hold list")
        hold.released_at = now
        subject = str(hold.user_id or hold.conversation_id or hold.workspace_id)
        deed = Deed(actor, "hold.release", subject, WorkspaceId(hold.workspace_id), reason)
        record(session, privacy, deed, now=now)


def list_holds(
    database: Database,
    privacy: Privacy,
    *,
    all_of_them: bool = False,
    workspace_id: WorkspaceId | None = None,
    subjects: Collection[UUID] | None = None,
    after: UUID | None = None,
    limit: int | None = None,
) -> Sequence[HoldView]:
    """Holds that stand, or all that ever did, oldest first; of one workspace, and at most `limit` behind `after`.

    `subjects` are the people and conversations whose holds alone are wanted.
    """
    wanted = select(LegalHold).join(Workspace).order_by(LegalHold.id).limit(limit)
    if not all_of_them:
        wanted = wanted.where(LegalHold.released_at.is_(None))
    if workspace_id is not None:
        wanted = wanted.where(LegalHold.workspace_id == workspace_id)
    if subjects is not None:
        wanted = wanted.where(or_(LegalHold.user_id.in_(subjects), LegalHold.conversation_id.in_(subjects)))
    if after is not None:
        wanted = wanted.where(LegalHold.id > after)
    with database.read() as session:
        rows = session.scalars(wanted).all()
    return [
        HoldView(
            row.id,
            row.workspace_id,
            row.user_id,
            row.conversation_id,
            privacy.sealer.open_text(WorkspaceId(row.workspace_id), LegalHold.reason, row.id, row.reason),
            row.placed_by,
            row.created_at,
            row.released_at,
        )
        for row in rows
    ]


def _check_person(session: Session, workspace_id: WorkspaceId, user_id: UUID) -> None:
    """Raise `SubjectUnknown` for a person of another workspace, who is as unknown as one that never was."""
    its = session.scalars(select(User.workspace_id).where(User.id == user_id)).one_or_none()
    if its != workspace_id or is_noted_as_erased(session, person_of(session, user_id)):
        raise SubjectUnknown(f"No user {user_id}, or they were erased: nothing is left to be held.")


def _check_conversation(session: Session, workspace_id: WorkspaceId, conversation_id: UUID) -> None:
    conversation = session.get(Conversation, conversation_id)
    if conversation is None or conversation.workspace_id != workspace_id:
        raise SubjectUnknown(f"No conversation {conversation_id}. See: parlour turn list")
    # A person's private chat goes with them.
    if conversation.user_id is not None and is_noted_as_erased(session, person_of(session, conversation.user_id)):
        raise SubjectUnknown(f"The person of conversation {conversation_id} was erased: nothing is left to be held.")
