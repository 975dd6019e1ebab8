"""Receipts of erasures: signed, so that anyone can see offline that one is genuine and whole."""

import base64
import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from parlour.privacy.errors import PrivacyError
from parlour.privacy.persons import as_uuid
from parlour.store.database import Database
from parlour.store.ids import WorkspaceId
from parlour.store.places import Place, is_behind
from parlour.store.privacy_models import Erasure

FORMAT: Final = "parlour-erasure-receipt"
_VERSION: Final = 1
# The columns of `ErasureLine`.
_LINE: Final = (
    Erasure.receipt_id,
    Erasure.subject_id,
    Erasure.actor,
    Erasure.requested_at,
    Erasure.finished_at,
)


class ReceiptBroken(PrivacyError):
    """The receipt is not one, was changed, or was signed by someone else."""


class ReceiptUnknown(PrivacyError):
    """There is no such receipt."""


class Signer:
    """Signs receipts for this installation. The key follows from the look-up key: it outlives every rotation."""

    def __init__(self, lookup_key: bytes) -> None:
        seed = HKDF(SHA256(), length=32, salt=None, info=b"parlour/receipts/v1").derive(lookup_key)
        self._key = Ed25519PrivateKey.from_private_bytes(seed)

    @property
    def public_key(self) -> str:
        """What others check receipts with, in base64."""
        raw = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return base64.b64encode(raw).decode()

    def sign(self, facts: dict[str, Any]) -> str:
        """The receipt about these facts, as text to be handed out."""
        told = {"format": FORMAT, "version": _VERSION, **facts, "signed_by": self.public_key}
        signature = base64.b64encode(self._key.sign(_canonical(told))).decode()
        return _render({**told, "signature": signature})


def verify_receipt(content: bytes, *, public_key: str | None = None) -> dict[str, Any]:
    """What the receipt says. Raises `ReceiptBroken` where a single byte differs from what was signed.

    `public_key` is the installation's as it was told elsewhere: without it, a receipt proves that it is whole, not who
    signed it.
    """
    broken = "The receipt was changed, or is none: its signature does not fit."
    try:
        told = json.loads(content)
        signature = base64.b64decode(told["signature"], validate=True)
        signed_by = base64.b64decode(told["signed_by"], validate=True)
        facts = {name: value for name, value in told.items() if name != "signature"}
        is_as_written = _render(told).encode() == content and told["format"] == FORMAT
        Ed25519PublicKey.from_public_bytes(signed_by).verify(signature, _canonical(facts))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, InvalidSignature):
        raise ReceiptBroken(broken) from None
    if not is_as_written:
        raise ReceiptBroken(broken)
    if public_key is not None and public_key.strip() != told["signed_by"]:
        raise ReceiptBroken(f"The receipt is whole, but was signed by {told['signed_by']}, not by the key given.")
    return facts


def find_receipt(database: Database, which: str, *, workspace_id: WorkspaceId | None = None) -> str:
    """The receipt with this number, or of the person who had this id. Raises `ReceiptUnknown`.

    Whoever acts for one workspace names it: a receipt of another is unknown to them.
    """
    found = as_uuid(which)
    its = [] if workspace_id is None else [Erasure.workspace_id == workspace_id]
    with database.read() as session:
        receipt = session.scalars(
            select(Erasure.receipt)
            .where((Erasure.receipt_id == found) | (Erasure.subject_id == found), Erasure.receipt.is_not(None), *its)
            .limit(1)
        ).first()
    if receipt is None:
        raise ReceiptUnknown(f"No receipt {which!r}. Give its number, or the id of the person who was erased.")
    return receipt


@dataclass(frozen=True, slots=True)
class ErasureLine:
    """An erasure as it is listed: of which person, and by whom. Not finished: it goes on."""

    receipt_id: UUID
    subject_id: UUID
    actor: str
    requested_at: datetime
    finished_at: datetime | None

    @property
    def place(self) -> Place:
        """Where it stands in the list."""
        return Place(self.requested_at, self.subject_id)

    @property
    def key(self) -> str:
        """The same as it stands in an address."""
        return self.place.word


def erasure_of(session: Session, user_id: UUID, *, workspace_id: WorkspaceId | None = None) -> ErasureLine | None:
    """The erasure of the person who had this id, None where there was none, or only in another workspace."""
    query = select(*_LINE).where(Erasure.subject_id == user_id)
    if workspace_id is not None:
        query = query.where(Erasure.workspace_id == workspace_id)
    row = session.execute(query).one_or_none()
    return None if row is None else ErasureLine(*row)


def list_receipts(
    database: Database,
    *,
    workspace_id: WorkspaceId | None = None,
    which: Collection[UUID] | None = None,
    behind: Place | None = None,
    limit: int = 100,
) -> list[ErasureLine]:
    """Erasures, newest first, of all workspaces or of one, at most `limit` from behind that place.

    `which` are the ids of people, or the numbers of receipts, that alone are wanted.
    """
    query = select(*_LINE).order_by(Erasure.requested_at.desc(), Erasure.subject_id.desc())
    if workspace_id is not None:
        query = query.where(Erasure.workspace_id == workspace_id)
    if which is not None:
        query = query.where(or_(Erasure.subject_id.in_(which), Erasure.receipt_id.in_(which)))
    if behind is not None:
        query = query.where(is_behind(Erasure.requested_at, Erasure.subject_id, behind))
    with database.read() as session:
        return [ErasureLine(*row) for row in session.execute(query.limit(limit))]


def digest(values: list[UUID]) -> str:
    """One short name for many ids, the same whatever their order."""
    return hashlib.sha256(b"".join(sorted(value.bytes for value in values))).hexdigest()


def _canonical(told: dict[str, Any]) -> bytes:
    return json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def _render(told: dict[str, Any]) -> str:
    return json.dumps(told, indent=2, sort_keys=True, ensure_ascii=True) + "\n"
