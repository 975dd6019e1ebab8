"""Who else may sign in here: owners add and remove them."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, HTTPException
from starlette.requests import Request
from starlette.responses import Response

from parlour.admin.forms import Posted, posted
from parlour.admin.frame import go_to, page
from parlour.admin.guard import Operator, needs, platform_of
from parlour.admin.pages.signin import logins_of
from parlour.admin.rights import Right
from parlour.admin.signin.errors import LastOwnerLogin, LoginUnknown, SigninError
from parlour.admin.signin.links import Link
from parlour.admin.signin.operators import Operators
from parlour.people.errors import UserUnknown
from parlour.people.finding import find_user
from parlour.people.states import Role

router = APIRouter()

_ROLES = (Role.AUDITOR, Role.ADMIN, Role.OWNER)
Owners = Annotated[Posted, posted(Right.MANAGE_OPERATORS)]


@router.get("/admin/operators")
def show_operators(request: Request, operator: Annotated[Operator, needs(Right.MANAGE_OPERATORS)]) -> Response:
    """Everybody who may sign in to this workspace."""
    return _shown(request, operator)


@router.post("/admin/operators")
def add_operator(request: Request, form: Owners) -> Response:
    """Make a login, and show the link by which its password is set: once, and never again."""
    if form["role"] not in _ROLES:
        return _shown(request, form.operator, problem="person_no_role")
    try:
        invited = logins_of(request).invite(
            form.operator.workspace_id,
            form["name"],
            Role(form["role"]),
            opens_content=form["opens_content"] == "yes",
            email=form["email"],
            actor=form.operator.actor,
        )
    except SigninError as error:
        return _shown(request, form.operator, problem=f"problem_{type(error).__name__}")
    return _shown(request, form.operator, link=invited)


@router.post("/admin/operators/{login_id}/role")
def change_role(request: Request, login_id: UUID, form: Owners) -> Response:
    """Give another role; the last owner keeps theirs."""
    if form["role"] not in _ROLES:
        return _shown(request, form.operator, problem="person_no_role")
    role, opens_content = Role(form["role"]), form["opens_content"] == "yes"
    return _change(request, form, lambda own: own.set_role(login_id, role, opens_content=opens_content))


@router.post("/admin/operators/{login_id}/email")
def change_email(request: Request, login_id: UUID, form: Owners) -> Response:
    """Let the identity provider bring them in by an address, or by none any more."""
    return _change(request, form, lambda own: own.set_email(login_id, form["email"]))


@router.post("/admin/operators/{login_id}/person")
def change_person(request: Request, login_id: UUID, form: Owners) -> Response:
    """Name the person behind the login, or nobody."""
    platform, who, user_id = platform_of(request), form["person"].strip(), None
    if who:
        try:
            user_id = find_user(platform.database, platform.privacy, who, workspace_id=form.operator.workspace_id)
        except UserUnknown:
            return _shown(request, form.operator, problem="problem_PersonUnknown")
    return _change(request, form, lambda own: own.set_person(login_id, user_id))


@router.post("/admin/operators/{login_id}/sessions")
def end_sessions(request: Request, login_id: UUID, form: Owners) -> Response:
    """End somebody else's sessions; where that is asked for, their password opens nothing any more either."""
    shuts = form["shut"] == "yes"
    return _change_other(request, form, login_id, lambda own: own.end_sessions(login_id, takes_password=shuts))


@router.post("/admin/operators/{login_id}/codes")
def stop_codes(request: Request, login_id: UUID, form: Owners) -> Response:
    """Ask somebody else for no code any more: they lost the app that shows them."""
    return _change_other(request, form, login_id, lambda own: own.stop_totp(login_id))


@router.post("/admin/operators/{login_id}/link")
def new_link(request: Request, login_id: UUID, form: Owners) -> Response:
    """Show a link, once, by which somebody else sets a new password."""
    if login_id == form.operator.login_id:
        return _shown(request, form.operator, problem="operators_own")
    try:
        link = _operators(request, form).new_link(login_id)
    except LoginUnknown:
        raise HTTPException(HTTPStatus.NOT_FOUND) from None
    return _shown(request, form.operator, link=link)


@router.post("/admin/operators/{login_id}/remove")
def remove_operator(request: Request, login_id: UUID, form: Owners) -> Response:
    """Take the login away, and end its sessions."""
    try:
        logins_of(request).remove(form.operator.workspace_id, login_id, actor=form.operator.actor)
    except LoginUnknown:
        raise HTTPException(HTTPStatus.NOT_FOUND) from None
    except LastOwnerLogin:
        return _shown(request, form.operator, problem="problem_LastOwnerLogin")
    return go_to("/admin/operators", done="removed")


def _operators(request: Request, form: Posted) -> Operators:
    platform = platform_of(request)
    return Operators(platform.database, platform.privacy, form.operator.workspace_id, form.operator.actor)


def _change_other(request: Request, form: Posted, login_id: UUID, change: Callable[[Operators], None]) -> Response:
    """The same, of somebody else: one's own takes the password, under *My account*."""
    if login_id == form.operator.login_id:
        return _shown(request, form.operator, problem="operators_own")
    return _change(request, form, change)


def _change(request: Request, form: Posted, change: Callable[[Operators], None]) -> Response:
    try:
        change(_operators(request, form))
    except LoginUnknown:
        raise HTTPException(HTTPStatus.NOT_FOUND) from None
    except SigninError as error:
        return _shown(request, form.operator, problem=f"problem_{type(error).__name__}")
    return go_to("/admin/operators", done="operator")


def _shown(request: Request, operator: Operator, *, problem: str = "", link: Link | None = None) -> Response:
    found = logins_of(request).list(operator.workspace_id)
    status = HTTPStatus.UNPROCESSABLE_ENTITY if problem else HTTPStatus.OK
    shown = {"logins": found, "roles": _ROLES, "problem": problem, "link": link}
    address = f"{request.url.scheme}://{request.url.netloc}"
    return page(request, operator, "operators.html", status=status, address=address, **shown)
