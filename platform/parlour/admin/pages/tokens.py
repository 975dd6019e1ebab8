"""Tokens of the API: an operator makes them, and they are no more than the operator is."""

from http import HTTPStatus
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, HTTPException
from starlette.requests import Request
from starlette.responses import Response

from parlour.admin.api.tokens import (
    MOST_DAYS,
    USUAL_DAYS,
    Maker,
    TokenRefused,
    TokenUnknown,
    create_token,
    list_tokens,
    revoke_token,
)
from parlour.admin.forms import Posted, posted
from parlour.admin.frame import go_to, page
from parlour.admin.guard import Operator, needs, platform_of
from parlour.admin.lists import PAGE_ROWS, cut, uuid_or_none
from parlour.admin.rights import Right
from parlour.people.states import Role

router = APIRouter()

_PATH: Final = "/admin/tokens"
_ROLES: Final = (Role.AUDITOR, Role.ADMIN, Role.OWNER)
# The name of a checkbox that limits the token to a right: this, and which.
_RIGHT: Final = "right:"
Owners = Annotated[Posted, posted(Right.MANAGE_OPERATORS)]


@router.get(_PATH)
def show_tokens(
    request: Request, operator: Annotated[Operator, needs(Right.MANAGE_OPERATORS)], after: str = ""
) -> Response:
    """The workspace's tokens, those revoked too, and what each may do now."""
    return _shown(request, operator, after=after)


@router.post(_PATH)
def make_token(request: Request, form: Owners) -> Response:
    """Make one, and show it: once, and never again."""
    platform, days = platform_of(request), form["days"]
    if form["role"] not in _ROLES or not days.isdecimal() or len(days) > len(str(MOST_DAYS)):
        return _shown(request, form.operator, problem="token_refused")
    try:
        _, token = create_token(
            platform.database,
            platform.privacy,
            _maker(form.operator),
            name=form["name"],
            role=Role(form["role"]),
            scopes=[right for right in Right if f"{_RIGHT}{right}" in form.fields] or None,
            days=int(days),
        )
    except TokenRefused as error:
        return _shown(request, form.operator, problem="token_refused", why=str(error))
    return _shown(request, form.operator, token=token)


@router.post(f"{_PATH}/{{token_id}}/revoke")
def end_token(request: Request, token_id: UUID, form: Owners) -> Response:
    """End one: it opens nothing any more, nor does what was made with it."""
    platform = platform_of(request)
    try:
        revoke_token(platform.database, platform.privacy, _maker(form.operator), token_id)
    except TokenUnknown:
        raise HTTPException(HTTPStatus.NOT_FOUND) from None
    return go_to(_PATH, done="token_revoked")


def _maker(operator: Operator) -> Maker:
    rights = frozenset(right for right in Right if operator.may(right))
    return Maker(operator.workspace_id, operator.actor, operator.role, rights)


def _shown(
    request: Request, operator: Operator, *, after: str = "", problem: str = "", why: str = "", token: str = ""
) -> Response:
    platform = platform_of(request)
    found = list_tokens(
        platform.database,
        platform.privacy,
        operator.workspace_id,
        after=uuid_or_none(after),
        limit=PAGE_ROWS + 1,
    )
    shown = {
        "tokens": cut(found, "id", {}),
        "now": platform.clock.now(),
        "roles": _ROLES,
        "rights": sorted(right for right in Right if operator.may(right)),
        "right": _RIGHT,
        "days": USUAL_DAYS,
        "most_days": MOST_DAYS,
        "token": token,
        "problem": problem,
        "why": why,
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if problem else HTTPStatus.OK
    return page(request, operator, "tokens.html", status=status, **shown)
