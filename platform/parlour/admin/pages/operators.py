"""Who else may sign in here: owners add and remove them."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, HTTPException
from starlette.requests import Request
from starlette.responses import Response

from parlour.admin.forms import Posted, posted
from parlour.admin.frame import go_to, page
from parlour.admin.guard import Operator, needs
from parlour.admin.pages.signin import logins_of
from parlour.admin.rights import Right
from parlour.admin.signin.errors import LastOwnerLogin, LoginUnknown, SigninError
from parlour.admin.signin.links import Link
from parlour.people.states import Role

router = APIRouter()

_ROLES = (Role.AUDITOR, Role.ADMIN, Role.OWNER)


@router.get("/admin/operators")
def show_operators(request: Request, operator: Annotated[Operator, needs(Right.MANAGE_OPERATORS)]) -> Response:
    """Everybody who may sign in to this workspace."""
    return _shown(request, operator)


@router.post("/admin/operators")
def add_operator(request: Request, form: Annotated[Posted, posted(Right.MANAGE_OPERATORS)]) -> Response:
    """Make a login, and show the link by which its password is set: once, and never again."""
    if form["role"] not in _ROLES:
        return _shown(request, form.operator, problem="person_no_role")
    try:
        link = logins_of(request).invite(
            form.operator.workspace_id,
            form["name"],
            Role(form["role"]),
            opens_content=form["opens_content"] == "yes",
            actor=form.operator.actor,
        )
    except SigninError as error:
        return _shown(request, form.operator, problem=f"problem_{type(error).__name__}")
    return _shown(request, form.operator, link=link)


@router.post("/admin/operators/{login_id}/remove")
def remove_operator(
    request: Request, login_id: UUID, form: Annotated[Posted, posted(Right.MANAGE_OPERATORS)]
) -> Response:
    """Take the login away, and end its sessions."""
    try:
        logins_of(request).remove(form.operator.workspace_id, login_id, actor=form.operator.actor)
    except LoginUnknown:
        raise HTTPException(HTTPStatus.NOT_FOUND) from None
    except LastOwnerLogin:
        return _shown(request, form.operator, problem="problem_LastOwnerLogin")
    return go_to("/admin/operators", done="removed")


def _shown(request: Request, operator: Operator, *, problem: str = "", link: Link | None = None) -> Response:
    found = logins_of(request).list(operator.workspace_id)
    status = HTTPStatus.UNPROCESSABLE_ENTITY if problem else HTTPStatus.OK
    shown = {"logins": found, "roles": _ROLES, "problem": problem, "link": link}
    address = f"{request.url.scheme}://{request.url.netloc}"
    return page(request, operator, "operators.html", status=status, address=address, **shown)
