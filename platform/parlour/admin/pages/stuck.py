"""Stuck work, and turns by the id that a person was told: try again, drop."""

from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, HTTPException
from starlette.requests import Request
from starlette.responses import Response

from parlour.admin.forms import Posted, posted
from parlour.admin.frame import go_to, page
from parlour.admin.guard import Operator, needs, platform_of
from parlour.admin.lists import csv_file
from parlour.admin.rights import Right
from parlour.store.ids import TurnId
from parlour.turns import operating
from parlour.turns.ports import QueueUnavailable
from parlour.turns.stuck_list import MOST, list_stuck_work

router = APIRouter()

_HEADER = ("kind", "id", "state", "since", "what to do")
Seer = Annotated[Operator, needs(Right.SEE_OPERATION)]
Manager = Annotated[Posted, posted(Right.MANAGE_OPERATION)]


@router.get("/admin/stuck")
def show_stuck(request: Request, operator: Seer) -> Response:
    """What is older than it should be, the longest stuck first."""
    found = list_stuck_work(platform_of(request).database, operator.workspace_id, at_most=MOST)
    may_change = operator.may(Right.MANAGE_OPERATION)
    return page(request, operator, "stuck.html", pieces=found, most=MOST, may_change=may_change)


@router.get("/admin/stuck.csv")
def stuck_csv(request: Request, operator: Seer) -> Response:
    """The same as CSV, all of it."""
    found = list_stuck_work(platform_of(request).database, operator.workspace_id, at_most=None)
    rows = ((one.kind, one.id, one.reason, one.since.isoformat(), one.remedy) for one in found)
    return csv_file("stuck", _HEADER, rows)


@router.get("/admin/turns", dependencies=[needs(Right.SEE_OPERATION)])
def find_turn(turn: str = "") -> Response:
    """To the turn with that id."""
    try:
        return go_to(f"/admin/turns/{UUID(turn.strip())}")
    except ValueError:
        raise HTTPException(HTTPStatus.NOT_FOUND) from None


@router.get("/admin/turns/{turn_id}")
def show_turn(request: Request, operator: Seer, turn_id: UUID) -> Response:
    """One turn: states and times, never what was said."""
    return _shown(request, operator, turn_id)


@router.post("/admin/turns/{turn_id}/retry")
def retry(request: Request, turn_id: UUID, form: Manager) -> Response:
    """Put a turn that ended without an answer back into its conversation."""
    platform, operator = platform_of(request), form.operator

    def again() -> None:
        by = operator.doer(platform.privacy)
        following = operating.retry_turn(platform.database, TurnId(turn_id), workspace_id=operator.workspace_id, by=by)
        # A broker that is away loses nothing: the scheduler publishes it when it is back.
        with suppress(QueueUnavailable):
            platform.queue.publish(following)

    return _change(request, operator, turn_id, again, done="retried")


@router.post("/admin/turns/{turn_id}/drop")
def drop(request: Request, turn_id: UUID, form: Manager) -> Response:
    """End an open turn without an answer; its person is told."""
    platform, operator = platform_of(request), form.operator

    def end() -> None:
        by, its = operator.doer(platform.privacy), operator.workspace_id
        operating.drop_turn(platform.database, platform.outbox, TurnId(turn_id), workspace_id=its, by=by)

    return _change(request, operator, turn_id, end, done="dropped")


def _change(request: Request, operator: Operator, turn_id: UUID, change: Callable[[], Any], *, done: str) -> Response:
    try:
        change()
    except operating.NoSuchTurn:
        raise HTTPException(HTTPStatus.NOT_FOUND) from None
    except operating.NotPossible:
        return _shown(request, operator, turn_id, problem="turn_not_possible")
    return go_to(f"/admin/turns/{turn_id}", done=done)


def _shown(request: Request, operator: Operator, turn_id: UUID, *, problem: str = "") -> Response:
    platform = platform_of(request)
    try:
        turn = operating.show_turn(platform.database, TurnId(turn_id), workspace_id=operator.workspace_id)
    except operating.NoSuchTurn:
        raise HTTPException(HTTPStatus.NOT_FOUND) from None
    return page(
        request,
        operator,
        "turn.html",
        status=HTTPStatus.CONFLICT if problem else HTTPStatus.OK,
        turn=turn,
        is_open=turn.state in {"queued", "running"},
        is_retryable=turn.state in operating.RETRYABLE,
        problem=problem,
        may_change=operator.may(Right.MANAGE_OPERATION),
    )
