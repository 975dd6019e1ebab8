"""Sealing values under a subject's data key, each bound to the place that it is stored at."""

import secrets
from collections.abc import Callable
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidTag
from sqlalchemy.orm import InstrumentedAttribute

from parlour.privacy.errors import SealBroken
from parlour.privacy.keystore import DataKey, Keyring
from parlour.store.ids import SubjectId, TurnId

# Value: version, key id, nonce, ciphertext and tag.
_VERSION = bytes([1])
_NONCE = slice(17, 29)
_CIPHERTEXT = slice(29, None)
_NONCE_BYTES = 12


class Sealer:
    """Seals and opens values. A value opens only for the subject, column and row that it was sealed for."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def seal(self, subject: SubjectId, column: InstrumentedAttribute[Any], row: UUID, plaintext: bytes | str) -> bytes:
        """`plaintext` sealed for this row's column under the subject's data key; text as UTF-8.

        Raises `KeysMissing` and `KeyShredded`.
        """
        # Lone surrogates pass in, and come out replaced: an error here would have to quote the text.
        data = plaintext.encode("utf-8", "surrogatepass") if isinstance(plaintext, str) else plaintext
        return self._seal(subject, _place(column), row, data)

    def open(self, subject: SubjectId, column: InstrumentedAttribute[Any], row: UUID, sealed: bytes) -> bytes:
        """What was sealed. Raises `SealBroken`, which names the row, and `KeysMissing` and `KeyShredded`."""
        return self._open(subject, _place(column), row, sealed)

    def open_text(self, subject: SubjectId, column: InstrumentedAttribute[Any], row: UUID, sealed: bytes) -> str:
        """The text that was sealed, what is no Unicode in it replaced: any reader can show it. Raises as `open`."""
        return self.open(subject, column, row, sealed).decode("utf-8", "replace")

    def opener(self, subject: SubjectId, column: InstrumentedAttribute[Any]) -> Callable[[UUID, bytes], str]:
        """What opens the texts of many rows, one after the other, with the key looked for once: for use at once.

        Raises `KeysMissing` and `KeyShredded`; what it returns raises `SealBroken`.
        """
        key, place = self._keyring.data_key(subject), _place(column)
        return lambda row, sealed: _opened(key, subject, place, row, sealed).decode("utf-8", "replace")

    def seal_live(self, subject: SubjectId, turn_id: TurnId, plaintext: bytes) -> bytes:
        """A frame of the live bus, sealed for this turn."""
        return self._seal(subject, "live", turn_id, plaintext)

    def open_live(self, subject: SubjectId, turn_id: TurnId, sealed: bytes) -> bytes:
        """The frame. Raises what `open` raises."""
        return self._open(subject, "live", turn_id, sealed)

    def _seal(self, subject: SubjectId, place: str, row: UUID, plaintext: bytes) -> bytes:
        key = self._keyring.data_key(subject)
        head = _VERSION + key.key_id.bytes
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return head + nonce + key.cipher.encrypt(nonce, plaintext, _bind(head, subject, place, row))

    def _open(self, subject: SubjectId, place: str, row: UUID, sealed: bytes) -> bytes:
        return _opened(self._keyring.data_key(subject), subject, place, row, sealed)


def _opened(key: DataKey, subject: SubjectId, place: str, row: UUID, sealed: bytes) -> bytes:
    head = _VERSION + key.key_id.bytes
    try:
        if sealed.startswith(head):
            return key.cipher.decrypt(sealed[_NONCE], sealed[_CIPHERTEXT], _bind(head, subject, place, row))
    except (InvalidTag, ValueError):
        pass
    broken = f"The sealed value of {place} in row {row} does not open for {subject}: it was changed or moved."
    raise SealBroken(broken)


def _place(column: InstrumentedAttribute[Any]) -> str:
    return f"{column.class_.__tablename__}.{column.key}"


def _bind(head: bytes, subject: SubjectId, place: str, row: UUID) -> bytes:
    """Associated data: version, key id, subject, row and place; all but the place are of fixed length."""
    return head + subject.bytes + row.bytes + place.encode()
