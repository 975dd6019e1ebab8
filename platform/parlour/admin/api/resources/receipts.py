"""`/receipts`: proofs that someone was erased."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

from parlour.admin.api.authority import Caller, sees
from parlour.admin.api.cursors import Cursor, Limit, Page
from parlour.admin.api.resource import Body, resource
from parlour.admin.rights import Right
from parlour.privacy import receipts
from parlour.privacy.receipts import find_receipt, verify_receipt

router = resource()

LONGEST_RECEIPT = 100_000


class ErasureShown(BaseModel):
    """An erasure: of which person, and by whom."""

    receipt_id: UUID
    subject_id: UUID
    actor: str
    requested_at: datetime
    finished_at: datetime | None = Field(description="Null: it goes on.")


class ReceiptShown(BaseModel):
    """A receipt as it was handed out."""

    receipt: str
    signed_by: str = Field(description="This installation's public key, to check it with.")


class Receipt(Body):
    """A receipt to be checked."""

    model_config = ConfigDict(json_schema_extra={"example": {"receipt": "{…}", "public_key": None}})

    receipt: str = Field(max_length=LONGEST_RECEIPT, description="As it was handed out, byte for byte.")
    public_key: str | None = Field(
        None, max_length=200, description="Whose it is said to be; null: this installation's."
    )


class Genuine(BaseModel):
    """What a genuine receipt says."""

    subjects: list[UUID]
    finished_at: datetime
    signed_by: str
    facts: dict[str, Any]


@router.get("/receipts", summary="List erasures")
def list_receipts(
    caller: Annotated[Caller, sees(Right.SEE_PEOPLE)], limit: Limit = 50, cursor: Cursor = None
) -> Page[ErasureShown]:
    """Who was erased, the newest first. The receipt itself is asked for by its id."""
    cursors = caller.cursors("receipts")
    found = receipts.list_receipts(
        caller.platform.database,
        workspace_id=caller.workspace_id,
        behind=cursors.read_place(cursor),
        limit=limit + 1,
    )
    return cursors.page(found, limit, position=lambda one: one.key, shown=lambda one: ErasureShown(**asdict(one)))


@router.get("/receipts/{receipt_id}", summary="Print a receipt")
def print_(
    caller: Annotated[Caller, sees(Right.SEE_PEOPLE)],
    receipt_id: Annotated[UUID, Path(description="The receipt's number, or the id of the person who was erased.")],
) -> ReceiptShown:
    """The signed receipt of an erasure."""
    parts = caller.platform
    found = find_receipt(parts.database, str(receipt_id), workspace_id=caller.workspace_id)
    return ReceiptShown(receipt=found, signed_by=parts.privacy.signer.public_key)


@router.post("/receipts/verify", summary="Verify a receipt")
def verify(caller: Annotated[Caller, sees(Right.SEE_PEOPLE)], given: Receipt) -> Genuine:
    """Whether a receipt is whole and who signed it; 422 where a single byte differs from what was signed."""
    key = given.public_key or caller.platform.privacy.signer.public_key
    facts = verify_receipt(given.receipt.encode("utf-8", "surrogatepass"), public_key=key)
    return Genuine(
        subjects=facts["subjects"], finished_at=facts["finished_at"], signed_by=facts["signed_by"], facts=facts
    )
