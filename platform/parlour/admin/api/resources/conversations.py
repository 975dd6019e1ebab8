"""`/conversations`: that they are and how they stand. What was said in them is not to be had here."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Path, Query
from pydantic import BaseModel, Field

from parlour.admin.api.authority import Caller, sees
from parlour.admin.api.cursors import Cursor, Limit, Page
from parlour.admin.api.resource import Moment, resource
from parlour.admin.rights import Right
from parlour.turns import conversation_list
from parlour.turns.conversation_list import ConversationFilter, ConversationLine

router = resource()

ConversationParam = Annotated[UUID, Path(description="The conversation's id.")]


class ConversationShown(BaseModel):
    """A conversation without its content."""

    id: UUID
    channel: str
    account: str = Field(description="The bot's name.")
    user_id: UUID | None = Field(description="The person of a private chat; null for a group.")
    is_private: bool
    turns: int = Field(description="All that there ever were.")
    skill: str | None = Field(description="The skill that its person chose for it.")
    is_handed_over: bool = Field(description="A human answers in it.")
    created_at: datetime
    last_at: datetime | None


class TurnShown(BaseModel):
    """A turn of a conversation without its content."""

    id: UUID
    seq: int
    user_id: UUID
    kind: str
    state: str
    error: str | None
    received_at: datetime
    finished_at: datetime | None


@router.get("/conversations", summary="List conversations")
def list_conversations(
    caller: Annotated[Caller, sees(Right.SEE_CONVERSATIONS)],
    *,
    user_id: Annotated[UUID | None, Query(description="Private ones of this person.")] = None,
    is_private: Annotated[bool | None, Query(description="Private chats, or groups.")] = None,
    account_id: Annotated[UUID | None, Query(description="Of this bot; `GET /v1/overview` names them.")] = None,
    since: Annotated[Moment | None, Query(description="Begun from then on.")] = None,
    until: Annotated[Moment | None, Query(description="Begun before then.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ConversationShown]:
    """The newest first."""
    cursors = caller.cursors("conversations", user_id, is_private, account_id, since, until)
    found = conversation_list.list_conversations(
        caller.platform.database,
        caller.workspace_id,
        ConversationFilter(account_id, user_id, is_private, since, until),
        behind=cursors.read_place(cursor),
        limit=limit + 1,
    )
    return cursors.page(found, limit, position=lambda one: one.key, shown=_shown)


@router.get("/conversations/{conversation_id}", summary="Show one conversation")
def show_conversation(
    caller: Annotated[Caller, sees(Right.SEE_CONVERSATIONS)], conversation_id: ConversationParam
) -> ConversationShown:
    """One conversation, without what was said in it."""
    database = caller.platform.database
    return _shown(conversation_list.show_conversation(database, caller.workspace_id, conversation_id))


@router.get("/conversations/{conversation_id}/turns", summary="List a conversation's turns")
def list_turns(
    caller: Annotated[Caller, sees(Right.SEE_CONVERSATIONS)],
    conversation_id: ConversationParam,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[TurnShown]:
    """Its newest turns first."""
    cursors = caller.cursors("turns of a conversation", conversation_id)
    before = cursors.read(cursor)
    found = conversation_list.turns_of(
        caller.platform.database,
        caller.workspace_id,
        conversation_id,
        before=None if before is None else int(before),
        limit=limit + 1,
    )
    return cursors.page(found, limit, position=lambda one: one.seq, shown=lambda one: TurnShown(**asdict(one)))


def _shown(line: ConversationLine) -> ConversationShown:
    return ConversationShown(**asdict(line))
