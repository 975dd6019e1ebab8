"""`/overview`: how the workspace fares, in figures."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from parlour.admin.api.authority import Caller, sees
from parlour.admin.api.resource import resource
from parlour.admin.rights import Right
from parlour.turns.messenger_health import answering, list_messengers
from parlour.turns.stuck_list import list_stuck_work

router = resource()


class MessengerShown(BaseModel):
    """One bot, and how its deliveries stand."""

    id: UUID
    channel: str
    name: str
    state: str
    held_by: str | None = Field(description="The gateway that posts for it now.")
    held_until: datetime | None
    waiting: int
    unknown: int
    put_off: int = Field(description="Deliveries that the messenger's limit put off.")
    oldest_due_at: datetime | None


class AnsweringShown(BaseModel):
    """Turns that wait and run now, and the workers that hold them."""

    waiting: int
    running: int
    workers: list[str]
    oldest_at: datetime | None


class Overview(BaseModel):
    """How the workspace fares now."""

    answering: AnsweringShown
    messengers: list[MessengerShown]
    stuck: int = Field(description="See `GET /v1/turns/stuck`.")


@router.get("/overview", summary="Show how the workspace fares")
def overview(caller: Annotated[Caller, sees(Right.SEE_OVERVIEW)]) -> Overview:
    """Answering, messengers and stuck work, as SQL tells it: the same whichever process is asked."""
    database, workspace_id = caller.platform.database, caller.workspace_id
    return Overview(
        answering=AnsweringShown(**asdict(answering(database, workspace_id))),
        messengers=[MessengerShown(**asdict(one)) for one in list_messengers(database, workspace_id)],
        stuck=len(list_stuck_work(database, workspace_id)),
    )
