"""Signing in, signing out, and setting a password by a link."""

from http import HTTPStatus
from typing import Annotated, Final
from urllib.parse import quote

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from parlour.admin.forms import Fields, Posted, posted, refuse_strangers
from parlour.admin.frame import go_to, local, page
from parlour.admin.guard import platform_of
from parlour.admin.rights import Right
from parlour.admin.signin import links
from parlour.admin.signin.errors import LinkSpent, SigninError, TooOften
from parlour.admin.signin.logins import Logins
from parlour.admin.signin.sessions import LONGEST

COOKIE: Final = "parlour_admin"

router = APIRouter()


def logins_of(request: Request) -> Logins:
    """The logins of this installation."""
    platform = platform_of(request)
    return Logins(platform.database, platform.privacy)


@router.get("/admin/signin")
def show_signin(request: Request, next: str = "/admin") -> Response:  # noqa: A002 (as it stands in the address)
    """The form."""
    return signin_page(request, local(next))


@router.post("/admin/signin")
def sign_in(request: Request, fields: Fields) -> Response:
    """Sign in, and go on to what was asked for."""
    refuse_strangers(request)
    name, going_to = fields.get("name", ""), local(fields.get("next", ""))
    address = request.client.host if request.client else ""
    try:
        token = logins_of(request).sign_in(name, fields.get("password", ""), fields.get("code", ""), address=address)
    except SigninError as error:
        is_too_often = isinstance(error, TooOften)
        status = HTTPStatus.TOO_MANY_REQUESTS if is_too_often else HTTPStatus.UNAUTHORIZED
        problem = "signin_too_often" if is_too_often else "signin_refused"
        return signin_page(request, going_to, status=status, name=name, problem=problem)
    return with_session(request, go_to(going_to), token)


@router.post("/admin/signout")
def sign_out(request: Request, form: Annotated[Posted, posted(Right.HAVE_ACCOUNT)]) -> Response:
    """End this session."""
    logins_of(request).close(form.operator.login_id, only=form.operator.session_id)
    response = go_to("/admin/signin")
    response.delete_cookie(COOKIE, path="/admin")
    return response


@router.get(links.PATH)
def show_link(request: Request, token: str = "") -> Response:
    """The form to set a password with; looking at it does not use the link up."""
    platform = platform_of(request)
    try:
        offer = links.look_at(platform.database, platform.privacy, token)
    except LinkSpent:
        return page(request, None, "link_spent.html", status=HTTPStatus.GONE)
    return page(request, None, "first.html", token=token, is_first=offer.login_id is None, name="", problem="")


@router.post(links.PATH)
def use_link(request: Request, fields: Fields) -> Response:
    """Set the password, and be signed in; where codes are asked for, sign in with one."""
    refuse_strangers(request)
    name, password, token = (fields.get(field, "") for field in ("name", "password", "token"))
    is_first = fields.get("is_first") == "yes"
    problem = "first_differ" if password != fields.get("again") else ""
    opened = None
    if not problem:
        try:
            opened = logins_of(request).set_password_by_link(token, name, password)
        except LinkSpent:
            return page(request, None, "link_spent.html", status=HTTPStatus.GONE)
        except SigninError as error:
            problem = f"problem_{type(error).__name__}"
    if problem:
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        shown = {"token": token, "is_first": is_first, "name": name, "problem": problem}
        return page(request, None, "first.html", status=status, **shown)
    if opened is None:
        return go_to("/admin/signin", done="password")
    return with_session(request, go_to("/admin", done="password"), opened)


def signin_page(
    request: Request, going_to: str, *, status: HTTPStatus = HTTPStatus.OK, name: str = "", problem: str = ""
) -> Response:
    """The form, and the way to the identity provider where there is one."""
    oidc = platform_of(request).settings.oidc
    provider = {"name": oidc.name, "path": f"/admin/oidc?next={quote(going_to)}"} if oidc.issuer else None
    shown = {"next": going_to, "name": name, "problem": problem, "provider": provider}
    return page(request, None, "signin.html", status=status, **shown)


def with_session(request: Request, response: Response, token: str) -> Response:
    """The answer, with the session's token for the browser to keep."""
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(LONGEST.total_seconds()),
        path="/admin",
        secure=platform_of(request).settings.web.is_secure,
        httponly=True,
        samesite="lax",
    )
    return response
