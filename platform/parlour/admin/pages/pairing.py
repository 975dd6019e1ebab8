"""Strangers who wait to be let in."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, HTTPException
from starlette.requests import Request
from starlette.responses import Response

from parlour.admin.forms import Posted, posted
from parlour.admin.frame import go_to, page
from parlour.admin.guard import Operator, needs, platform_of
from parlour.admin.lists import PAGE_ROWS, cut, uuid_or_none
from parlour.admin.rights import Right
from parlour.people import users
from parlour.people.errors import CodeUnknown, UserUnknown
from parlour.people.states import ADMITTED_AS, Role, UserState
from parlour.store.ids import UserId

router = APIRouter()


@router.get("/admin/pairing")
def show_pairing(request: Request, operator: Annotated[Operator, needs(Right.SEE_PEOPLE)], after: str = "") -> Response:
    """Who waits, in order of arrival. Their codes are not shown: a code proves that the stranger told it."""
    return _shown(request, operator, after=after)


@router.post("/admin/pairing/approve")
def approve(request: Request, form: Annotated[Posted, posted(Right.APPROVE_PEOPLE)]) -> Response:
    """Admit whoever was told this code."""
    platform, role = platform_of(request), form["role"]
    if role not in ADMITTED_AS:
        return _shown(request, form.operator, problem="person_no_role")
    try:
        users.approve(
            platform.database,
            platform.privacy,
            form["code"],
            now=platform.clock.now(),
            role=Role(role),
            workspace_id=form.operator.workspace_id,
            by=form.operator.doer(platform.privacy),
        )
    except CodeUnknown:
        return _shown(request, form.operator, problem="pairing_code_unknown")
    return go_to("/admin/pairing", done="approved")


@router.post("/admin/pairing/{user_id}/refuse")
def refuse(request: Request, user_id: UUID, form: Annotated[Posted, posted(Right.APPROVE_PEOPLE)]) -> Response:
    """Block a stranger who waits: their code works no more."""
    platform = platform_of(request)
    try:
        view = users.show_user(
            platform.database, platform.privacy, str(user_id), workspace_id=form.operator.workspace_id
        )
    except UserUnknown:
        raise HTTPException(HTTPStatus.NOT_FOUND) from None
    if view.state != UserState.PENDING:
        return _shown(request, form.operator, problem="pairing_not_waiting")
    users.block(platform.database, view.user_id, by=form.operator.doer(platform.privacy))
    return go_to("/admin/pairing", done="refused")


def _shown(request: Request, operator: Operator, *, after: str = "", problem: str = "") -> Response:
    platform, behind = platform_of(request), uuid_or_none(after)
    found = users.list_users(
        platform.database,
        platform.privacy,
        state=UserState.PENDING,
        after=UserId(behind) if behind else None,
        limit=PAGE_ROWS + 1,
        workspace_id=operator.workspace_id,
    )
    status = HTTPStatus.UNPROCESSABLE_ENTITY if problem else HTTPStatus.OK
    shown = cut(found, "user_id", {})
    return page(request, operator, "pairing.html", status=status, people=shown, roles=ADMITTED_AS, problem=problem)
