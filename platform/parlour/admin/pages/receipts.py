"""Receipts: who was erased, when, and the signed proof of it."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, HTTPException
from starlette.requests import Request
from starlette.responses import Response

from parlour.admin.frame import page
from parlour.admin.guard import Operator, needs, platform_of
from parlour.admin.lists import PAGE_ROWS, all_of, csv_file, cut, uuid_or_none
from parlour.admin.named import Named, named
from parlour.admin.rights import Right
from parlour.privacy.receipts import ErasureLine, ReceiptUnknown, find_receipt, list_receipts
from parlour.store.places import Place

router = APIRouter()

_HEADER = ("receipt", "person", "by", "asked at", "finished at")
Seer = Annotated[Operator, needs(Right.SEE_PEOPLE)]


@router.get("/admin/receipts")
def show_receipts(request: Request, operator: Seer, who: str = "", after: str = "") -> Response:
    """Erasures, the newest first, a page at a time; those of one person alone."""
    return _shown(request, operator, who.strip(), after=after)


@router.get("/admin/receipts.csv")
def receipts_csv(request: Request, operator: Seer, who: str = "") -> Response:
    """The same as CSV, all of them."""
    wanted = _wanted(request, operator, who.strip())
    if wanted.problem:
        return _shown(request, operator, who.strip())

    def read(last: ErasureLine | None, limit: int) -> Sequence[ErasureLine]:
        return _found(request, operator, wanted, last.place if last else None, limit)

    return csv_file("receipts", _HEADER, map(_row, all_of(read)))


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


def _wanted(request: Request, operator: Operator, who: str) -> Named:
    """Whose erasure is wanted: nothing but an id, or a receipt's number, leads to somebody who was erased."""
    exact = uuid_or_none(who)
    return Named((exact,)) if exact else named(request, operator, who)


def _found(
    request: Request, operator: Operator, wanted: Named, behind: Place | None, limit: int
) -> Sequence[ErasureLine]:
    database, its = platform_of(request).database, operator.workspace_id
    return list_receipts(database, workspace_id=its, which=wanted.ids, behind=behind, limit=limit)


def _shown(request: Request, operator: Operator, who: str, *, after: str = "") -> Response:
    wanted = _wanted(request, operator, who)
    found = [] if wanted.problem else _found(request, operator, wanted, Place.of(after), PAGE_ROWS + 1)
    return page(
        request,
        operator,
        "receipts.html",
        erasures=cut(found, "key", {"who": who}),
        who=who,
        problems={"who": "receipts_unknown"} if wanted.problem else {},
        public_key=platform_of(request).privacy.signer.public_key,
    )


def _row(one: ErasureLine) -> tuple[object, ...]:
    finished = one.finished_at.isoformat() if one.finished_at else None
    return one.receipt_id, one.subject_id, one.actor, one.requested_at.isoformat(), finished
