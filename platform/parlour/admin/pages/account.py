"""One's own login: password, codes of an app, sessions."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

import pyotp
import segno
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from parlour.admin.forms import Posted, posted
from parlour.admin.frame import go_to, page
from parlour.admin.guard import Operator, needs
from parlour.admin.pages.signin import logins_of
from parlour.admin.rights import Right
from parlour.admin.signin.errors import SigninError
from parlour.admin.signin.sessions import list_sessions

router = APIRouter()

_PATH = "/admin/account"
Own = Annotated[Posted, posted(Right.HAVE_ACCOUNT)]


@router.get(_PATH)
def show_account(request: Request, operator: Annotated[Operator, needs(Right.HAVE_ACCOUNT)]) -> Response:
    """The login and its sessions."""
    return _shown(request, operator)


@router.post(f"{_PATH}/password")
def change_password(request: Request, form: Own) -> Response:
    """Set a new password; all other sessions end."""
    if form["new"] != form["again"]:
        return _shown(request, form.operator, problem="first_differ")
    try:
        logins_of(request).change_password(
            form.operator.login_id, form["old"], form["new"], session_id=form.operator.session_id
        )
    except SigninError as error:
        return _shown(request, form.operator, problem=f"problem_{type(error).__name__}")
    return go_to(_PATH, done="password")


@router.post(f"{_PATH}/codes/new")
def new_codes(request: Request, form: Own) -> Response:
    """A fresh secret as a picture for the app. It counts once a code of it was typed."""
    return _shown(request, form.operator, secret=pyotp.random_base32(), status=HTTPStatus.OK)


@router.post(f"{_PATH}/codes")
def start_codes(request: Request, form: Own) -> Response:
    """From now on ask for a code of this secret too."""
    secret = form["secret"]
    if len(secret) != len(pyotp.random_base32()) or not secret.isalnum():
        return _shown(request, form.operator, problem="problem_CodeWrong")
    try:
        logins_of(request).start_totp(form.operator.login_id, form["password"], secret, form["code"])
    except SigninError as error:
        return _shown(request, form.operator, problem=f"problem_{type(error).__name__}", secret=secret)
    return go_to(_PATH, done="codes")


@router.post(f"{_PATH}/codes/stop")
def stop_codes(request: Request, form: Own) -> Response:
    """Ask for no code any more."""
    try:
        logins_of(request).stop_totp(form.operator.login_id, form["password"])
    except SigninError as error:
        return _shown(request, form.operator, problem=f"problem_{type(error).__name__}")
    return go_to(_PATH, done="codes_off")


@router.post(f"{_PATH}/sessions/{{session_id}}/end")
def end_session(request: Request, session_id: UUID, form: Own) -> Response:
    """End one of one's own sessions; another's id ends nothing."""
    logins_of(request).close(form.operator.login_id, only=session_id)
    return go_to(_PATH, done="session_ended")


def _shown(
    request: Request,
    operator: Operator,
    *,
    problem: str = "",
    secret: str = "",
    status: HTTPStatus | None = None,
) -> Response:
    logins = logins_of(request)
    shown = {
        "login": logins.show(operator.login_id),
        "sessions": list_sessions(logins.database, operator.login_id),
        "problem": problem,
        "secret": secret,
        "picture": _picture(secret, operator.name) if secret else "",
    }
    status = status or (HTTPStatus.UNPROCESSABLE_ENTITY if problem else HTTPStatus.OK)
    return page(request, operator, "account.html", status=status, **shown)


def _picture(secret: str, name: str) -> str:
    """What an app scans, as the address of a picture that lies in the page itself."""
    address = pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name="Parlour")
    picture: str = segno.make(address, error="m").svg_data_uri(scale=5, border=3, dark="#000", light="#fff")
    return picture
