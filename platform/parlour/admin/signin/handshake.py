"""A browser that was sent to the identity provider, and how it is known again when it comes back."""

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Self
from urllib.parse import quote, unquote

from parlour.admin.signin.errors import ReturnStale
from parlour.privacy.lookup import Lookup

LIFE: Final = timedelta(minutes=10)
_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Handshake:
    """State, nonce and PKCE verifier of one sign-in. They follow from the word in its cookie: nothing is stored.

    They are keyed hashes of that word, so that whoever sees one of them knows neither the others nor the word.
    """

    word: str
    state: str
    nonce: str
    verifier: str
    going_to: str

    @classmethod
    def begin(cls, lookup: Lookup, going_to: str, *, now: datetime) -> Self:
        """A new one; afterwards the browser goes to that page."""
        word = f"{int(now.timestamp())}.{secrets.token_urlsafe(_BYTES)}.{quote(going_to, safe='')}"
        return cls._of(lookup, word, going_to)

    @classmethod
    def resume(cls, lookup: Lookup, word: str, state: str, *, now: datetime) -> Self:
        """The one that this browser left with. Raises `ReturnStale` where the state that came back is not its own."""
        begun, _, rest = word.partition(".")
        found = cls._of(lookup, word, unquote(rest.partition(".")[2]))
        is_known = hmac.compare_digest(found.state.encode(), state.encode("utf-8", "replace"))
        if not is_known or not begun.isdecimal() or now.timestamp() - int(begun) > LIFE.total_seconds():
            raise ReturnStale("This sign-in was begun in another browser, or too long ago. Begin anew.")
        return found

    @classmethod
    def _of(cls, lookup: Lookup, word: str, going_to: str) -> Self:
        def made(what: str) -> str:
            return lookup.hash(f"oidc {what}", word).hex()

        return cls(word, made("state"), made("nonce"), made("verifier"), going_to)
