"""`/holds`: what must not be deleted."""

from dataclasses import asdict
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Self
from uuid import UUID

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, Field, model_validator

from parlour.admin.api.authority import Caller, changes, sees
from parlour.admin.api.cursors import Cursor, Limit, Page
from parlour.admin.api.resource import HANDLE, Body, resource
from parlour.admin.rights import Right
from parlour.people.finding import find_person, find_user
from parlour.privacy.audit import LONGEST_REASON
from parlour.privacy.holds import HoldView, add_hold, list_holds, release_hold

router = resource()


class HoldShown(BaseModel):
    """A hold on a person, a conversation, or (neither named) the whole workspace."""

    id: UUID
    user_id: UUID | None
    conversation_id: UUID | None
    reason: str
    placed_by: str
    created_at: datetime
    released_at: datetime | None


class NewHold(Body):
    """What to hold, and why: a person, a conversation, or everything of the workspace."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"reason": "Case 17", "user_id": "01980000-0000-7000-8000-000000000000"}}
    )

    reason: str = Field(min_length=1, max_length=LONGEST_REASON, pattern=r"\S", description="Kept sealed.")
    user_id: UUID | None = None
    handle: str | None = Field(
        None,
        pattern=HANDLE,
        max_length=200,
        description="The person who has it, instead of `user_id`.",
        examples=["telegram:12345"],
    )
    conversation_id: UUID | None = None
    workspace: bool = Field(default=False, description="Everything of the workspace: nothing is deleted any more.")

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        named = [one for one in (self.user_id, self.handle, self.conversation_id) if one is not None]
        if len(named) + self.workspace != 1:
            raise ValueError('Give one of user_id, handle, conversation_id and "workspace": true.')
        return self


class Release(Body):
    """Why a hold ends."""

    model_config = ConfigDict(json_schema_extra={"example": {"reason": "Case 17 is closed"}})

    reason: str = Field(min_length=1, max_length=LONGEST_REASON, pattern=r"\S", description="Kept sealed.")


class HoldMade(BaseModel):
    """A hold that stands from now on."""

    id: UUID


@router.get("/holds", summary="List legal holds")
def list_(
    caller: Annotated[Caller, sees(Right.SEE_HOLDS)],
    *,
    released: Annotated[bool, Query(description="Those that were released too.")] = False,
    user_id: Annotated[UUID | None, Query(description="On this person, by whatever id they had.")] = None,
    conversation_id: Annotated[UUID | None, Query(description="On this conversation.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[HoldShown]:
    """Holds that stand, oldest first."""
    parts, cursors = caller.platform, caller.cursors("holds", released, user_id, conversation_id)
    after = cursors.read(cursor)
    subjects: list[UUID] = [] if conversation_id is None else [conversation_id]
    if user_id is not None:
        subjects += find_person(parts.database, parts.privacy, str(user_id), workspace_id=caller.workspace_id)
    found = list_holds(
        parts.database,
        parts.privacy,
        all_of_them=released,
        workspace_id=caller.workspace_id,
        subjects=subjects or None,
        after=None if after is None else UUID(after),
        limit=limit + 1,
    )
    return cursors.page(found, limit, position=lambda one: one.id, shown=_shown)


@router.post("/holds", status_code=HTTPStatus.CREATED, summary="Place a legal hold")
def add(caller: Annotated[Caller, changes(Right.MANAGE_HOLDS)], wanted: NewHold) -> HoldMade:
    """No rule, request or erasure deletes what is under a hold."""
    parts, user_id = caller.platform, wanted.user_id
    if wanted.handle is not None:
        user_id = find_user(parts.database, parts.privacy, wanted.handle, workspace_id=caller.workspace_id)
    hold_id = add_hold(
        parts.database,
        parts.privacy,
        workspace_id=caller.workspace_id,
        user_id=user_id,
        conversation_id=wanted.conversation_id,
        reason=wanted.reason,
        actor=caller.actor,
    )
    return HoldMade(id=hold_id)


@router.post("/holds/{hold_id}/release", status_code=HTTPStatus.NO_CONTENT, summary="Release a legal hold")
def release(
    caller: Annotated[Caller, changes(Right.MANAGE_HOLDS)],
    hold_id: Annotated[UUID, Path(description="The hold's id.")],
    why: Release,
) -> None:
    """What is past its time goes with the next purge."""
    release_hold(
        caller.platform.database,
        caller.platform.privacy,
        str(hold_id),
        reason=why.reason,
        actor=caller.actor,
        workspace_id=caller.workspace_id,
    )


def _shown(view: HoldView) -> HoldShown:
    told = asdict(view)
    del told["workspace_id"]
    return HoldShown(**told)
