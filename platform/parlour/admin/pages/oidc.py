"""Signing in by the organisation's identity provider: there, and back."""

from http import HTTPStatus
from typing import Final

from fastapi import APIRouter, HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from parlour.admin.frame import go_to, local
from parlour.admin.guard import platform_of
from parlour.admin.pages.signin import signin_page, with_session
from parlour.admin.signin.errors import (
    IdentityNotAllowed,
    IdentityUnknown,
    NotVouchedFor,
    ProviderAway,
    ReturnStale,
    SigninError,
    TooOften,
)
from parlour.admin.signin.handshake import LIFE, Handshake
from parlour.admin.signin.identities import Identities, IdentityRules
from parlour.admin.signin.provider import BACK, IdentityProvider

router = APIRouter()

_COOKIE: Final = "parlour_admin_oidc"
_PATH: Final = "/admin/oidc"
# What each error answers, besides its own words (`signin_<class>`).
_STATUS: Final[dict[type[SigninError], HTTPStatus]] = {
    TooOften: HTTPStatus.TOO_MANY_REQUESTS,
    ReturnStale: HTTPStatus.BAD_REQUEST,
    ProviderAway: HTTPStatus.SERVICE_UNAVAILABLE,
    NotVouchedFor: HTTPStatus.UNAUTHORIZED,
    IdentityNotAllowed: HTTPStatus.FORBIDDEN,
    IdentityUnknown: HTTPStatus.FORBIDDEN,
}


@router.get(_PATH)
def leave(request: Request, next: str = "/admin") -> Response:  # noqa: A002 (as it stands in the address)
    """To the provider."""
    platform, provider = platform_of(request), _provider(request)
    handshake = Handshake.begin(platform.lookup, local(next), now=platform.clock.now())
    try:
        there = provider.address(handshake)
    except ProviderAway as error:
        return _refused(request, error, local(next))
    response = RedirectResponse(there, status_code=HTTPStatus.SEE_OTHER)
    response.set_cookie(
        _COOKIE,
        handshake.word,
        max_age=int(LIFE.total_seconds()),
        path=_PATH,
        secure=platform.settings.web.is_secure,
        httponly=True,
        samesite="lax",
    )
    return response


@router.get(BACK)
def come_back(request: Request, state: str = "", code: str = "", error: str = "", iss: str | None = None) -> Response:
    """From the provider: signed in where an operator was invited by who it says that is."""
    platform, provider, going_to = platform_of(request), _provider(request), "/admin"
    identities = _identities(request)
    try:
        identities.count_try(request.client.host if request.client else "")
        word = request.cookies.get(_COOKIE, "")
        handshake = Handshake.resume(platform.lookup, word, state, now=platform.clock.now())
        going_to = local(handshake.going_to)
        if error or not code:
            raise NotVouchedFor("The provider let nobody in.")
        identity = provider.identify(code, handshake, issuer=iss)
        response = with_session(request, go_to(going_to), identities.sign_in(identity))
    except SigninError as problem:
        response = _refused(request, problem, going_to)
    # Whatever came of it: each handshake is good for one return.
    response.delete_cookie(_COOKIE, path=_PATH)
    return response


def _refused(request: Request, error: SigninError, going_to: str) -> Response:
    problem = "signin_too_often" if isinstance(error, TooOften) else f"signin_{type(error).__name__}"
    return signin_page(request, going_to, status=_STATUS[type(error)], problem=problem)


def _provider(request: Request) -> IdentityProvider:
    provider: IdentityProvider | None = request.app.state.identity_provider
    if provider is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return provider


def _identities(request: Request) -> Identities:
    platform = platform_of(request)
    oidc = platform.settings.oidc
    rules = IdentityRules(oidc.allowed_domains, oidc.required_claims, oidc.trusts_emails)
    return Identities(platform.database, platform.privacy, rules)
