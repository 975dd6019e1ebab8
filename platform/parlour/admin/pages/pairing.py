"""Strangers who wait to be let in."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, HTTPException
from starlette.requests import Request
from starlette.responses import Response

from parlour.admin.forms import Posted, posted
from parlour.admin.frame import go_to, page
from parlour.admin.guard import Operator, needs, platform_of
from parlour.admin.lists import PAGE_ROWS, all_of, csv_file, cut, uuid_or_none
from parlour.admin.rights import Right
from parlour.people import users
from parlour.people.errors import CodeUnknown, UserUnknown
from parlour.people.states import ADMITTED_AS, Role, UserState
from parlour.store.ids import UserId

router = APIRouter()

_HEADER = ("id", "name", "writes from", "since")
Seer = Annotated[Operator, needs(Right.SEE_PEOPLE)]


@router.get("/admin/pairing")
def show_pairing(request: Request, operator: Seer, who: str = "", after: str = "") -> Response:
    """Who waits, in order of arrival; one of them alone. Codes are not shown: one proves that the stranger told it."""
    return _shown(request, operator, who=who.strip(), after=after)


@router.get("/admin/pairing.csv")
def pairing_csv(request: Request, operator: Seer) -> Response:
    """The same as CSV, all of them."""

    def read(last: users.UserView | None, limit: int) -> Sequence[users.UserView]:
        return _waiting(request, operator, last.user_id if last else None, limit)

    return csv_file("pairing", _HEADER, map(_row, all_of(read)))


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
            by=form.operator.doer(platform.privacy, form.reason),
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
    users.block(platform.database, view.user_id, by=form.operator.doer(platform.privacy, form.reason))
    return go_to("/admin/pairing", done="refused")


def _waiting(request: Request, operator: Operator, after: UUID | None, limit: int) -> list[users.UserView]:
    platform = platform_of(request)
    return users.list_users(
        platform.database,
        platform.privacy,
        state=UserState.PENDING,
        after=UserId(after) if after else None,
        limit=limit,
        workspace_id=operator.workspace_id,
    )


def _one(request: Request, operator: Operator, who: str) -> tuple[list[users.UserView], dict[str, str]]:
    """The one of those who wait, or the key of a text beside the field."""
    platform = platform_of(request)
    try:
        view = users.show_user(platform.database, platform.privacy, who, workspace_id=operator.workspace_id)
    except UserUnknown:
        return [], {"who": "list_nobody"}
    return ([view], {}) if view.state == UserState.PENDING else ([], {"who": "pairing_not_waiting"})


def _shown(request: Request, operator: Operator, *, who: str = "", after: str = "", problem: str = "") -> Response:
    problems: dict[str, str] = {}
    if who:
        found, problems = _one(request, operator, who)
    else:
        found = _waiting(request, operator, uuid_or_none(after), PAGE_ROWS + 1)
    return page(
        request,
        operator,
        "pairing.html",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if problem else None,
        people=cut(found, "user_id", {}),
        roles=ADMITTED_AS,
        problem=problem,
        problems=problems,
        who=who,
    )


def _row(view: users.UserView) -> tuple[object, ...]:
    name = next((one.name for one in view.identities if one.name), None)
    return view.user_id, name, " ".join(one.channel for one in view.identities), view.created_at.isoformat()
