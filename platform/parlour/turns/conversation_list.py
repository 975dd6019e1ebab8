"""Conversations as people who run Parlour see them: ids, places, states and times. Never what was said."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, select

from parlour.store.database import Database
from parlour.store.ids import WorkspaceId
from parlour.store.models import Account, Conversation, Turn
from parlour.store.places import MOST, Place, is_behind


class NoSuchConversation(Exception):
    """The workspace has no conversation with this id."""


@dataclass(frozen=True, slots=True)
class ConversationFilter:
    """Which conversations are wanted; what is None is not asked for."""

    account_id: UUID | None = None
    user_id: UUID | None = None
    is_private: bool | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class ConversationLine:
    """A conversation without its content. `turns` counts all there ever were; `user_id` is None for a group."""

    id: UUID
    channel: str
    account: str
    user_id: UUID | None
    is_private: bool
    turns: int
    skill: str | None
    is_handed_over: bool
    created_at: datetime
    last_at: datetime | None

    @property
    def place(self) -> Place:
        """Where it stands in the list."""
        return Place(self.created_at, self.id)

    @property
    def key(self) -> str:
        """The same as it stands in an address."""
        return self.place.word


@dataclass(frozen=True, slots=True)
class TurnLine:
    """A turn of a conversation without its content."""

    id: UUID
    seq: int
    user_id: UUID
    kind: str
    state: str
    error: str | None
    received_at: datetime
    finished_at: datetime | None


_ALL: Final = ConversationFilter()


def list_conversations(
    database: Database,
    workspace_id: WorkspaceId,
    wanted: ConversationFilter = _ALL,
    *,
    behind: Place | None = None,
    limit: int = 50,
) -> list[ConversationLine]:
    """The newest first, at most `limit` from behind that place. Reads along an index whatever is filtered."""
    query = _lines(workspace_id).where(*_conditions(wanted))
    query = query.order_by(Conversation.created_at.desc(), Conversation.id.desc()).limit(min(limit, MOST))
    if behind is not None:
        query = query.where(is_behind(Conversation.created_at, Conversation.id, behind))
    with database.read() as session:
        return [ConversationLine(*row) for row in session.execute(query)]


def show_conversation(database: Database, workspace_id: WorkspaceId, conversation_id: UUID) -> ConversationLine:
    """One conversation. Raises `NoSuchConversation`, for that of another workspace too."""
    with database.read() as session:
        row = session.execute(_lines(workspace_id).where(Conversation.id == conversation_id)).one_or_none()
    if row is None:
        raise NoSuchConversation(f"No conversation {conversation_id}. Take its id from the list of conversations.")
    return ConversationLine(*row)


def turns_of(
    database: Database,
    workspace_id: WorkspaceId,
    conversation_id: UUID,
    *,
    before: int | None = None,
    limit: int = 50,
) -> list[TurnLine]:
    """Its newest turns first, at most `limit` below the number `before`. Raises `NoSuchConversation`."""
    show_conversation(database, workspace_id, conversation_id)
    query = (
        select(
            Turn.id,
            Turn.seq,
            Turn.user_id,
            Turn.kind,
            Turn.state,
            Turn.error,
            Turn.received_at,
            Turn.finished_at,
        )
        .where(Turn.conversation_id == conversation_id)
        .order_by(Turn.seq.desc())
        .limit(min(limit, MOST))
    )
    if before is not None:
        query = query.where(Turn.seq < before)
    with database.read() as session:
        return [TurnLine(*row) for row in session.execute(query)]


def _lines(workspace_id: WorkspaceId) -> Select[*tuple[Any, ...]]:
    """Columns in the order of `ConversationLine`. The time of the last turn is looked up by its number."""
    last = (
        select(Turn.received_at)
        .where(Turn.conversation_id == Conversation.id, Turn.seq == Conversation.last_seq)
        .scalar_subquery()
    )
    columns: tuple[Any, ...] = (
        Conversation.id,
        Account.channel,
        Account.name,
        Conversation.user_id,
        Conversation.is_private,
        Conversation.last_seq,
        Conversation.bound_skill,
        Conversation.handoff_id.is_not(None),
        Conversation.created_at,
        last,
    )
    its_account = Account.id == Conversation.account_id
    return select(*columns).join(Account, its_account).where(Conversation.workspace_id == workspace_id)


def _conditions(wanted: ConversationFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.account_id is not None:
        found.append(Conversation.account_id == wanted.account_id)
    if wanted.user_id is not None:
        found.append(Conversation.user_id == wanted.user_id)
    if wanted.is_private is not None:
        # Not the flag: few are groups, and the index of groups is told by this.
        is_group = Conversation.user_id.is_(None)
        found.append(~is_group if wanted.is_private else is_group)
    if wanted.since is not None:
        found.append(Conversation.created_at >= wanted.since)
    if wanted.until is not None:
        found.append(Conversation.created_at < wanted.until)
    return found
