"""`/turns`: where work stands, what is stuck, try one again, drop one. Never what was said."""

from dataclasses import asdict
from datetime import datetime
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import Path, Query
from pydantic import BaseModel, Field

from parlour.admin.api.authority import Caller, changes, sees
from parlour.admin.api.cursors import Cursor, Limit, Page
from parlour.admin.api.resource import resource
from parlour.admin.rights import Right
from parlour.store.ids import TurnId
from parlour.turns import operating
from parlour.turns.operating import TurnView
from parlour.turns.ports import QueueUnavailable
from parlour.turns.states import TurnState
from parlour.turns.stuck import Kind
from parlour.turns.stuck_list import list_stuck_work

router = resource()

TurnParam = Annotated[UUID, Path(description="The id that the user was told, or one from the list.")]


class TurnShown(BaseModel):
    """A turn: ids, states and times."""

    id: UUID
    state: TurnState
    channel: str
    conversation_id: UUID
    user_id: UUID
    seq: int = Field(description="Its number in its conversation.")
    kind: str
    attempts: int
    error: str | None = Field(description="What went wrong, as a word to look up.")
    received_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    due_at: datetime
    lease_owner: str | None = Field(description="The worker that has it.")
    lease_until: datetime | None
    delivery: str | None
    delivery_error: str | None
    failure: str | None = Field(description="Why its skill could not answer: handler, exception's class and place.")


class TurnChanged(BaseModel):
    """What became of a turn. `is_published` is false while the broker is away: the scheduler sees to it then."""

    id: UUID
    state: TurnState
    is_published: bool = True


class StuckShown(BaseModel):
    """One turn, delivery, account or job that is older than it should be, and what to do about it."""

    kind: Kind
    reason: str
    id: UUID
    since: datetime
    remedy: str


class StuckList(BaseModel):
    """All that is stuck, the longest stuck first."""

    items: list[StuckShown]


@router.get("/turns", summary="List turns")
def list_turns(
    caller: Annotated[Caller, sees(Right.SEE_OPERATION)],
    *,
    state: Annotated[TurnState | None, Query(description="In this state; else those that wait or run.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[TurnShown]:
    """Turns in order of arrival."""
    cursors = caller.cursors("turns", state)
    after = cursors.read(cursor)
    found = operating.page_of_turns(
        caller.platform.database,
        caller.workspace_id,
        state=state,
        after=None if after is None else UUID(after),
        limit=limit + 1,
    )
    return cursors.page(found, limit, position=lambda one: one.id, shown=_shown)


@router.get("/turns/stuck", summary="List stuck work")
def list_stuck(caller: Annotated[Caller, sees(Right.SEE_OPERATION)]) -> StuckList:
    """Work that is older than it should be."""
    found = list_stuck_work(caller.platform.database, caller.workspace_id)
    return StuckList(items=[StuckShown(**asdict(one)) for one in found])


@router.get("/turns/{turn_id}", summary="Show one turn")
def show_turn(caller: Annotated[Caller, sees(Right.SEE_OPERATION)], turn_id: TurnParam) -> TurnShown:
    """Where one turn stands: states, times, who has it."""
    database = caller.platform.database
    return _shown(operating.show_turn(database, TurnId(turn_id), workspace_id=caller.workspace_id))


@router.post("/turns/{turn_id}/retry", status_code=HTTPStatus.ACCEPTED, summary="Try a turn again")
def retry_turn(caller: Annotated[Caller, changes(Right.MANAGE_OPERATION)], turn_id: TurnParam) -> TurnChanged:
    """Try a turn again that failed, was stopped or dropped; it keeps its place in its conversation."""
    parts = caller.platform
    following = operating.retry_turn(
        parts.database, TurnId(turn_id), workspace_id=caller.workspace_id, by=caller.doer()
    )
    try:
        parts.queue.publish(following)
    except QueueUnavailable:
        return TurnChanged(id=turn_id, state=TurnState.QUEUED, is_published=False)
    return TurnChanged(id=turn_id, state=TurnState.QUEUED)


@router.post("/turns/{turn_id}/drop", summary="Drop a turn")
def drop_turn(caller: Annotated[Caller, changes(Right.MANAGE_OPERATION)], turn_id: TurnParam) -> TurnChanged:
    """End an open turn without an answer; its user is told, the next turn of the conversation goes on."""
    parts = caller.platform
    operating.drop_turn(
        parts.database, parts.outbox, TurnId(turn_id), workspace_id=caller.workspace_id, by=caller.doer()
    )
    return TurnChanged(id=turn_id, state=TurnState.DROPPED)


def _shown(view: TurnView) -> TurnShown:
    return TurnShown(**asdict(view))
