"""Passwords: argon2id as RFC 9106 recommends it where memory is short, and never more than a few at a time."""

import time
from threading import BoundedSemaphore
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from parlour.admin.signin.errors import PasswordTooWeak

SHORTEST: Final = 12
LONGEST: Final = 256
# Each takes 64 MiB while it is computed: a crowd at the door must not take the machine's memory.
_AT_ONCE: Final = BoundedSemaphore(4)
_HASHER: Final = PasswordHasher()


def hash_password(password: str) -> str:
    """What is stored of it. Raises `PasswordTooWeak`."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise PasswordTooWeak(f"A password has {SHORTEST} to {LONGEST} characters. Several words are a good one.")
    with _AT_ONCE:
        return _HASHER.hash(password)


def is_right(password_hash: str | None, password: str) -> bool:
    """Whether it is the one that was hashed. Without a hash it takes as long, and is wrong."""
    if len(password) > LONGEST:
        return False
    begun = time.monotonic()
    try:
        with _AT_ONCE:
            _HASHER.verify(password_hash or _nobodys(), password)
    except (VerificationError, InvalidHashError):
        return False
    finally:
        _TOOK_S[:] = [time.monotonic() - begun]
    return password_hash is not None


def wait_as_long() -> None:
    """Wait as long as the last password took, and compute nothing: the time shall not say whether a name is known."""
    time.sleep(sum(_TOOK_S))


def _nobodys() -> str:
    """A hash that no password is checked against in earnest, of the same cost as all."""
    if not _NOBODYS:
        _NOBODYS.append(_HASHER.hash("nobody's password"))
    return _NOBODYS[0]


_NOBODYS: Final[list[str]] = []
# Of the last one alone.
_TOOK_S: Final[list[float]] = []
