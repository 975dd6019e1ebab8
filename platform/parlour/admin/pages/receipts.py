"""Receipts: who was erased, when, and the signed proof of it."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, HTTPException
from starlette.requests import Request
from starlette.responses import Response

from parlour.admin.frame import page
from parlour.admin.guard import Operator, needs, platform_of
from parlour.admin.lists import CSV_ROWS, PAGE_ROWS, csv_file, cut
from parlour.admin.rights import Right
from parlour.privacy.receipts import ReceiptUnknown, find_receipt, list_receipts
from parlour.store.places import Place

router = APIRouter()

_HEADER = ("receipt", "person", "by", "asked at", "finished at")
Seer = Annotated[Operator, needs(Right.SEE_PEOPLE)]


@router.get("/admin/receipts")
def show_receipts(request: Request, operator: Seer, after: str = "") -> Response:
    """Erasures, the newest first, a page at a time."""
    platform = platform_of(request)
    found = list_receipts(
        platform.database, workspace_id=operator.workspace_id, behind=Place.of(after), limit=PAGE_ROWS + 1
    )
    key = platform.privacy.signer.public_key
    return page(request, operator, "receipts.html", erasures=cut(found, "key", {}), public_key=key)


@router.get("/admin/receipts.csv")
def receipts_csv(request: Request, operator: Seer) -> Response:
    """The same as CSV, the newest 10,000."""
    found = list_receipts(platform_of(request).database, workspace_id=operator.workspace_id, limit=CSV_ROWS)
    rows = (
        (r.receipt_id, r.subject_id, r.actor, r.requested_at.isoformat(), r.finished_at and r.finished_at.isoformat())
        for r in found
    )
    return csv_file("receipts", _HEADER, rows)


@router.get("/admin/receipts/{receipt_id}")
def get_receipt(request: Request, operator: Seer, receipt_id: UUID) -> Response:
    """The receipt as a file, byte for byte as it was signed."""
    database = platform_of(request).database
    try:
        receipt = find_receipt(database, str(receipt_id), workspace_id=operator.workspace_id)
    except ReceiptUnknown:
        raise HTTPException(HTTPStatus.NOT_FOUND) from None
    name = f"receipt-{receipt_id}.json"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(receipt, media_type="application/json", headers=headers)
