"""The admin pages as a part of the gateway's application: who is asking, which pages there are, what errors show."""

from http import HTTPStatus
from typing import Final

from fastapi import APIRouter, FastAPI
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from parlour.admin.errands import Errands
from parlour.admin.error_page import error_page
from parlour.admin.frame import LANGUAGE_COOKIE, STATIC_PATH, go_to, local, page, static_file
from parlour.admin.guard import NotAllowed, NotSignedIn, Operator, platform_of, signin_address
from parlour.admin.pages import (
    account,
    audit,
    conversations,
    feedback,
    holds,
    keys,
    messengers,
    oidc,
    operators,
    overview,
    pairing,
    people,
    person,
    receipts,
    retention,
    signin,
    skill,
    skills,
    stuck,
    tokens,
)
from parlour.admin.signin.provider import Client, IdentityProvider
from parlour.admin.signin.sessions import find_session
from parlour.admin.texts import TEXTS
from parlour.bootstrap import Platform
from parlour.people.errors import UserErased

# Each page's router; a new page is added here and in `navigation.py`.
PAGES: Final[tuple[APIRouter, ...]] = (
    signin.router,
    oidc.router,
    overview.router,
    people.router,
    person.router,
    pairing.router,
    conversations.router,
    feedback.router,
    retention.router,
    holds.router,
    receipts.router,
    keys.router,
    audit.router,
    messengers.router,
    stuck.router,
    skills.router,
    skill.router,
    operators.router,
    tokens.router,
    account.router,
)


def add_pages(app: FastAPI, platform: Platform) -> None:
    """Give the application the admin pages over this platform."""
    app.state.parlour = platform
    app.state.recognise = by_cookie
    app.state.error_page = error_page
    app.state.errands = Errands()
    app.state.identity_provider = _identity_provider(platform)
    for router in PAGES:
        app.include_router(router, include_in_schema=False)
    app.add_api_route(f"{STATIC_PATH}/{{name}}", static_file, include_in_schema=False)
    app.add_api_route("/admin/language", _choose_language, include_in_schema=False)
    app.add_exception_handler(NotSignedIn, _to_sign_in)
    app.add_exception_handler(NotAllowed, _not_allowed)
    app.add_exception_handler(UserErased, _erased)


def _identity_provider(platform: Platform) -> IdentityProvider | None:
    """The provider that the settings name, not asked for anything yet; None where they name none."""
    oidc = platform.settings.oidc
    if not oidc.issuer:
        return None
    client = Client(oidc.issuer, oidc.client_id, oidc.client_secret.get_secret_value(), oidc.redirect_url)
    return IdentityProvider(client, now=platform.clock.now)


def by_cookie(request: Request) -> Operator | None:
    """The operator whose session the browser's cookie names."""
    platform = platform_of(request)
    token = request.cookies.get(signin.COOKIE, "")
    found = find_session(platform.database, platform.privacy, token) if token else None
    if found is None:
        return None
    return Operator(
        id=None,
        login_id=found.login_id,
        workspace_id=found.workspace_id,
        role=found.role,
        name=found.name,
        opens_content=found.opens_content,
        session_id=found.session_id,
    )


def _choose_language(request: Request, to: str, back: str = "/admin") -> RedirectResponse:
    """Remember the reader's language, and go back to where they were."""
    response = go_to(local(back))
    if to in TEXTS:
        is_secure = platform_of(request).settings.web.is_secure
        response.set_cookie(
            LANGUAGE_COOKIE, to, max_age=34_560_000, path="/admin", secure=is_secure, httponly=True, samesite="lax"
        )
    return response


def _to_sign_in(request: Request, _: Exception) -> Response:
    return RedirectResponse(signin_address(request), status_code=HTTPStatus.SEE_OTHER)


def _not_allowed(request: Request, error: Exception) -> Response:
    if not isinstance(error, NotAllowed):
        raise error
    return page(request, error.operator, "refused.html", status=HTTPStatus.FORBIDDEN, right=error.right)


def _erased(request: Request, error: Exception) -> Response:
    if not isinstance(error, UserErased):
        raise error
    operator: Operator = request.state.operator
    return page(request, operator, "person_was_erased.html", status=HTTPStatus.GONE, erasure=error.erasure)
