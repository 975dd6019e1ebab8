"""Who is on the other side of a request to the chat page, and whether the page itself sent it."""

import re
import secrets
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

COOKIE = "parlour_session"
_TOKEN_BYTES = 32
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
# The longest that browsers keep one; every visit renews it.
_KEPT_S = 400 * 86_400


@dataclass(frozen=True, slots=True)
class Session:
    """One browser. Who has the token is that person, so it is nowhere but in the browser's cookie."""

    token: str
    is_new: bool

    @property
    def external_id(self) -> str:
        """The person's id: made from the token, which cannot be had back from it."""
        return sha256(self.token.encode()).hexdigest()


def session_of(request: Request) -> Session | None:
    """The request's session, None where the browser sent no valid cookie."""
    token = request.cookies.get(COOKIE, "")
    return Session(token, is_new=False) if _TOKEN.fullmatch(token) else None


def new_session() -> Session:
    """A session with 256 random bits."""
    return Session(secrets.token_urlsafe(_TOKEN_BYTES), is_new=True)


def keep(response: Response, session: Session, *, is_secure: bool) -> None:
    """Give the browser its session cookie, or renew it."""
    response.set_cookie(
        COOKIE, session.token, max_age=_KEPT_S, path="/", secure=is_secure, httponly=True, samesite="lax"
    )


def is_same_origin(request: Request) -> bool:
    """Whether one of our own pages sent this request, by what the browser says and a page cannot forge.

    `Sec-Fetch-Site` where the browser sends it, else `Origin`, else `Referer` against the host that was asked. Only the
    host is compared: behind a proxy the scheme seen here is not the one that the browser used.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    claimed = request.headers.get("origin") or request.headers.get("referer")
    host = request.headers.get("host")
    return bool(claimed and host) and urlsplit(claimed).netloc == host
