"""Pairing codes: what a stranger is told and an admin types."""

import hashlib
from datetime import datetime, timedelta

from parlour.privacy.lookup import Lookup
from parlour.store.ids import UserId

CODE_LIFE = timedelta(hours=24)
# No letters and digits that look alike.
_ALPHABET = "ABCDEFGHJKMNPQRSTVWXYZ23456789"
_LENGTH = 8


def pairing_code(lookup: Lookup, user_id: UserId, until: datetime) -> str:
    """The code of this user until then, as `ABCD-EFGH`.

    It follows from the look-up key, so that it can be told again though only its hash is stored.
    """
    seed = lookup.hash("pairing code", str(user_id), until.isoformat())
    return spelled(int.from_bytes(hashlib.sha256(seed).digest()))


def spelled(number: int) -> str:
    """A large number as a code that people can read out and type."""
    letters = []
    for _ in range(_LENGTH):
        number, index = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[index])
    half = _LENGTH // 2
    return "".join(letters[:half]) + "-" + "".join(letters[half:])


def code_hash(lookup: Lookup, code: str, *, purpose: str = "pairing") -> bytes:
    """What is stored of a code; spaces, hyphens and small letters make no difference."""
    return lookup.hash(purpose, "".join(letter for letter in code.upper() if letter.isalnum()))
