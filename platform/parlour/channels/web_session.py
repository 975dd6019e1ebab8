"""Who is on the other side of a request to the chat page, and whether the page itself sent it."""

import re
import secrets
from dataclasses import dataclass
from hashlib import sha256

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
