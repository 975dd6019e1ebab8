"""`/feedback`: thumbs under answers, and their totals."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, Field

from parlour.admin.api.authority import Caller, sees
from parlour.admin.api.cursors import Cursor, Limit, Page
from parlour.admin.api.resource import Moment, resource
from parlour.admin.rights import Right
from parlour.people.finding import find_person
from parlour.turns import feedback_list
from parlour.turns.feedback_list import FeedbackFilter

router = resource()

IsPositive = Annotated[bool | None, Query(description="Thumbs up, or down.")]
Since = Annotated[Moment | None, Query(description="From then on.")]
Until = Annotated[Moment | None, Query(description="Before then.")]


class FeedbackShown(BaseModel):
    """One thumb under one answer."""

    id: UUID
    is_positive: bool
    created_at: datetime
    user_id: UUID
    turn_id: UUID
    conversation_id: UUID
    answered_by: str = Field(description="The skill that answered, or `chat`.")


class TotalsShown(BaseModel):
    """Thumbs up and down."""

    up: int
    down: int
    is_all: bool = Field(description=f"False: of the newest {feedback_list.COUNTED_AT_MOST:,} alone.")


@router.get("/feedback", summary="List feedback")
def list_feedback(
    caller: Annotated[Caller, sees(Right.SEE_FEEDBACK)],
    *,
    is_positive: IsPositive = None,
    user_id: Annotated[UUID | None, Query(description="By this person, by whatever id they gave it.")] = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[FeedbackShown]:
    """The newest first."""
    parts, cursors = caller.platform, caller.cursors("feedback", is_positive, user_id, since, until)
    user_ids = None
    if user_id is not None:
        user_ids = find_person(parts.database, parts.privacy, str(user_id), workspace_id=caller.workspace_id)
    found = feedback_list.list_feedback(
        parts.database,
        caller.workspace_id,
        FeedbackFilter(is_positive, user_ids, since, until),
        behind=cursors.read_place(cursor),
        limit=limit + 1,
    )
    return cursors.page(
        found,
        limit,
        position=lambda one: one.key,
        shown=lambda one: FeedbackShown(**asdict(one)),
    )


@router.get("/feedback/totals", summary="Count feedback")
def totals(
    caller: Annotated[Caller, sees(Right.SEE_FEEDBACK)], since: Since = None, until: Until = None
) -> TotalsShown:
    """How many thumbs went up and down."""
    wanted = FeedbackFilter(since=since, until=until)
    return TotalsShown(**asdict(feedback_list.feedback_totals(caller.platform.database, caller.workspace_id, wanted)))
