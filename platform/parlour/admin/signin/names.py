"""How operators are found: by keyed hashes of their names, addresses and identities, however those are typed."""

import unicodedata
from typing import Final

from parlour.admin.signin.errors import EmailUnfit
from parlour.privacy.lookup import Lookup

_LONGEST_EMAIL: Final = 254


def name_hash_of(lookup: Lookup, name: str) -> bytes:
    """What is stored of a name: the same for every case and form of the same letters."""
    return lookup.hash("login", _plain(name))


def plain_email(typed: str) -> str:
    """The address as it is compared: whoever invites may type it otherwise than a provider writes it.

    Raises `EmailUnfit`.
    """
    plain = _plain(typed)
    local, _, domain = plain.rpartition("@")
    if not local or not domain or len(plain) > _LONGEST_EMAIL or any(letter.isspace() for letter in plain):
        raise EmailUnfit("That is no e-mail address.")
    return plain


def email_hash(lookup: Lookup, email: str) -> bytes:
    """What is stored of an address."""
    return lookup.hash("login email", email)


def subject_hash(lookup: Lookup, issuer: str, subject: str) -> bytes:
    """What is stored of an identity at a provider."""
    return lookup.hash("login subject", issuer, subject)


def _plain(typed: str) -> str:
    return unicodedata.normalize("NFKC", typed.strip()).casefold()
