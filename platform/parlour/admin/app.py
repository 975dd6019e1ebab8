"""The gateway's HTTP application: channels' routes, health, and what protects all of them."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from markupsafe import escape
from prometheus_client import REGISTRY, CollectorRegistry
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import parlour
from parlour.admin.health import Health, health_routes
from parlour.privacy.errors import PrivacyError
from parlour.store.errors import StoreError
from parlour.store.ids import new_id

log = structlog.get_logger()

DEFAULT_BODY_BYTES: Final = 4_000_000

# What holds for every answer that says nothing else. `same-origin` and not `no-referrer`: under that, browsers send
# `Origin: null` with our own forms, and nobody could tell them from a stranger's.
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_HSTS: Final = "max-age=31536000"


def build_app(
    routes: Sequence[BaseRoute],
    health: Health,
    *,
    registry: CollectorRegistry = REGISTRY,
    is_secure: bool = False,
    max_body_bytes: int = DEFAULT_BODY_BYTES,
) -> FastAPI:
    """The application that a gateway serves: `routes` (the channels' own, the API), health, metrics.

    `max_body_bytes` bounds every request's body; `is_secure` says that people reach this over HTTPS.
    """
    app = FastAPI(
        title="Parlour",
        version=parlour.__version__,
        # What terminals of this machine use; the API is an application of its own, and tells of itself.
        openapi_url="/api/v1/local/openapi.json",
        docs_url=None,
        redoc_url=None,
        exception_handlers={
            HTTPException: _http_error,
            RequestValidationError: _invalid,
            StoreError: _away,
            PrivacyError: _away,
            Exception: _failed,
        },
    )
    app.state.health = health
    app.router.routes.extend([*health_routes(health, registry), *routes])
    app.add_middleware(_BodyLimit, max_bytes=max_body_bytes)
    app.add_middleware(
        _SecurityHeaders, headers={**_HEADERS, **({"Strict-Transport-Security": _HSTS} if is_secure else {})}
    )
    return app


class _SecurityHeaders:
    """Adds headers to every answer, error pages included; what a route set itself stands."""

    def __init__(self, app: ASGIApp, headers: Mapping[str, str]) -> None:
        self._app = app
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_protected if scope["type"] == "http" else send)


class _BodyLimit:
    """Refuses a body that is too large: by its announced length at once, else as soon as too much has come."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "0")
        if not announced.isdecimal() or int(announced) > self._max_bytes:
            await _problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)(scope, receive, send)
            return
        came = 0

        async def receive_limited() -> Message:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            if came > self._max_bytes:
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return message

        await self._app(scope, receive_limited, send)


async def _http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    return await _shown(request, HTTPStatus(error.status_code), headers=error.headers)


async def _invalid(request: Request, error: Exception) -> Response:
    """Which fields are wrong, never what was in them; a browser is told that no page has such an address."""
    if not isinstance(error, RequestValidationError):
        raise error
    if _is_page(request):
        is_address = any(one["loc"][0] == "path" for one in error.errors())
        return await _shown(request, HTTPStatus.NOT_FOUND if is_address else HTTPStatus.UNPROCESSABLE_ENTITY)
    fields = [".".join(str(part) for part in one["loc"]) for one in error.errors()]
    return _problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail=f"Not valid: {', '.join(fields)}.")


async def _away(request: Request, error: Exception) -> Response:
    """A database that is away for now: nothing was committed, trying again is right."""
    log.warning("request_not_served", path=request.url.path, reason=type(error).__name__)
    return await _shown(request, HTTPStatus.SERVICE_UNAVAILABLE, headers={"Retry-After": "2"})


async def _failed(request: Request, error: Exception) -> Response:
    """An error of our own: an id for the operator, nothing of what happened."""
    reference = str(new_id())
    log.error("request_failed", reference=reference, path=request.url.path, error=type(error).__name__)
    # This handler stands outside of the middleware that protects every other answer.
    return await _shown(request, HTTPStatus.INTERNAL_SERVER_ERROR, reference=reference, headers=_HEADERS)


def _is_page(request: Request) -> bool:
    """Whether a browser asked for one of the admin pages, which show errors in their own frame (`site.py`)."""
    path = request.url.path
    is_below = path == "/admin" or path.startswith("/admin/")
    return is_below and _is_browser(request) and hasattr(request.app.state, "error_page")


def _is_browser(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")


async def _shown(
    request: Request, status: HTTPStatus, *, reference: str = "", headers: Mapping[str, str] | None = None
) -> Response:
    """A page for a browser, problem JSON (RFC 9457) for the rest."""
    if _is_page(request):
        framed: Response = await request.app.state.error_page(request, status, reference)
        for name, value in (headers or {}).items():
            framed.headers.setdefault(name, value)
        return framed
    detail = f"Reference: {reference}" if reference else ""
    if not _is_browser(request):
        return _problem(status, detail=detail, headers=headers)
    title = escape(f"{status.value} {status.phrase}")
    head = f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>"
    page = f"{head}<h1>{title}</h1><p>{escape(detail)}</p>"
    return HTMLResponse(page, status_code=status, headers=dict(headers or {}))


def _problem(status: HTTPStatus, *, detail: str = "", headers: Mapping[str, str] | None = None) -> Response:
    body = {"title": status.phrase, "status": status.value, **({"detail": detail} if detail else {})}
    return JSONResponse(body, status_code=status, media_type="application/problem+json", headers=dict(headers or {}))
