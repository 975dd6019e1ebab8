"""Installing the app into a workspace: `/slack/install` and what Slack calls afterwards."""

import hashlib
import hmac
import html
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final
from urllib.parse import urlencode, urljoin

import structlog
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from parlour.channels.slack_api import SlackApi, SlackError
from parlour.channels.slack_wording import say
from parlour.turns.ports import CredentialsRejected, NotSent, OutcomeUnknown, Throttled

log = structlog.get_logger(__name__)

# What the code calls and hears; the manifest lists the same, and a test compares.
SCOPES: Final = (
    "app_mentions:read",
    "assistant:write",
    "channels:history",
    "chat:write",
    "commands",
    "files:read",
    "files:write",
    "groups:history",
    "im:history",
    "im:write",
    "mpim:history",
    "users:read",
)
_STATE_LIFE_S: Final = 600
_COOKIE: Final = "parlour_slack_install"
_OK: Final = 200


class StateRejected(Exception):
    """The state that came back is not ours, too old, used, or another browser's."""


class States:
    """States for the round trip through Slack: signed, for one browser, for ten minutes, for one use.

    Signed rather than stored, so that any gateway can take the answer. What was used is remembered where it was used;
    at another gateway the code that Slack sends with the state, good for one use, guards the same.
    """

    def __init__(self, secret: str, *, now: Callable[[], float] = time.time) -> None:
        self._key = hashlib.sha256(b"parlour slack install state\0" + secret.encode()).digest()
        self._now = now
        self._used: dict[str, float] = {}

    def issue(self) -> tuple[str, str]:
        """A new state, and what to put into the browser's cookie."""
        browser = secrets.token_urlsafe(24)
        body = f"{int(self._now()) + _STATE_LIFE_S}.{secrets.token_urlsafe(16)}"
        return f"{body}.{self._sign(body, browser)}", browser

    def take(self, state: str, browser: str) -> None:
        """Use up a state. Raises `StateRejected`."""
        body, _, signature = state.rpartition(".")
        until = body.partition(".")[0]
        if not hmac.compare_digest(signature.encode(), self._sign(body, browser).encode()):
            raise StateRejected
        if not until.isdecimal() or int(until) < self._now() or body in self._used:
            raise StateRejected
        self._used = {used: life for used, life in self._used.items() if life >= self._now()} | {body: float(until)}

    def _sign(self, body: str, browser: str) -> str:
        return hmac.new(self._key, f"{body}\0{browser}".encode(), hashlib.sha256).hexdigest()


class SlackInstall:
    """The two pages of an installation. `installed` is given the new token and answers with the workspace's name."""

    def __init__(
        self,
        *,
        client_id: str,
        client_secret: str,
        redirect_url: str,
        api: Callable[[], SlackApi | None],
        installed: Callable[[str], Awaitable[str]],
        base_url: str,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._client_id = client_id
        self._client_secret = client_secret
        self._redirect_url = redirect_url
        self._api = api
        self._installed = installed
        self._authorize_url = urljoin(base_url, "/oauth/v2/authorize")
        self._states = States(client_secret, now=now)

    def routes(self) -> Sequence[BaseRoute]:
        """`/slack/install` and `/slack/oauth_redirect`."""
        return [
            Route("/slack/install", self.install, methods=["GET"]),
            Route("/slack/oauth_redirect", self.redirected, methods=["GET"]),
        ]

    async def install(self, request: Request) -> Response:
        """Send the browser to Slack, which asks whether to allow the app."""
        state, browser = self._states.issue()
        query = {"client_id": self._client_id, "scope": ",".join(SCOPES), "state": state}
        if self._redirect_url:
            query["redirect_uri"] = self._redirect_url
        response = RedirectResponse(f"{self._authorize_url}?{urlencode(query)}", status_code=302)
        response.set_cookie(
            _COOKIE,
            browser,
            max_age=_STATE_LIFE_S,
            path="/slack",
            httponly=True,
            samesite="lax",
            secure=self._redirect_url.startswith("https://"),
        )
        return response

    async def redirected(self, request: Request) -> Response:
        """Exchange Slack's code for a token and store it sealed."""
        language = request.headers.get("accept-language")
        try:
            self._states.take(request.query_params.get("state", ""), request.cookies.get(_COOKIE, ""))
        except StateRejected:
            return _page("install_expired", language, status=400)
        if "error" in request.query_params:
            return _page("install_denied", language, status=400)
        try:
            name = await self._exchange(request.query_params.get("code", ""))
        except SlackError as error:
            return _page("install_failed", language, status=400, code=error.code)
        except (NotSent, OutcomeUnknown, Throttled, CredentialsRejected) as error:
            log.warning("slack_install_failed", reason=type(error).__name__)
            return _page("install_failed", language, status=502, code="slack_unreachable")
        return _page("installed", language, status=_OK, name=name)

    async def _exchange(self, code: str) -> str:
        """The name of the workspace that the code is for, its token stored."""
        api = self._api()
        if api is None:
            raise NotSent("not open")
        answer = await api.call(
            "oauth.v2.access",
            is_repeatable=False,
            client_id=self._client_id,
            client_secret=self._client_secret,
            code=code,
            redirect_uri=self._redirect_url or None,
        )
        if answer.get("is_enterprise_install"):
            raise SlackError("org_wide_install_not_supported")
        if answer.get("refresh_token"):
            # Such tokens die after twelve hours. The manifest switches rotation off.
            raise SlackError("token_rotation_not_supported")
        return await self._installed(str(answer["access_token"]))


def _page(text: str, language: str | None, *, status: int, **values: str) -> HTMLResponse:
    """A page of one sentence, and a way on where something went wrong."""
    tag = "zh" if (language or "").lower().startswith("zh") else "en"
    sentence = html.escape(say(text, tag, **values))
    again = "" if status == _OK else f'<p><a href="/slack/install">{html.escape(say("install_again", tag))}</a></p>'
    body = (
        f'<!doctype html><html lang="{tag}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" '
        'content="light dark"><title>Parlour</title></head><body style="font:1.1rem/1.6 system-ui;max-width:34rem;'
        f'margin:15vh auto;padding:0 1rem"><main><h1>Parlour</h1><p>{sentence}</p>{again}</main></body></html>'
    )
    response = HTMLResponse(body, status_code=status, headers={"Cache-Control": "no-store"})
    response.delete_cookie(_COOKIE, path="/slack")
    return response
