"""Thumbs up and down: which answers, and how many."""

from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from parlour.admin.frame import page
from parlour.admin.guard import Operator, needs, platform_of
from parlour.admin.lists import PAGE_ROWS, csv_file, cut
from parlour.admin.pages.audit import day_of
from parlour.admin.rights import Right
from parlour.store.places import MOST, Place
from parlour.turns.feedback_list import FeedbackFilter, feedback_totals, list_feedback

router = APIRouter()

_HEADER = ("id", "positive", "at", "user", "turn", "conversation", "answered by")
_FILTERS: Final = ("thumb", "since", "until")
Seer = Annotated[Operator, needs(Right.SEE_FEEDBACK)]


@router.get("/admin/feedback")
def show_feedback(request: Request, operator: Seer, after: str = "") -> Response:
    """Thumbs, the newest first, a page at a time, and their totals."""
    database, typed = platform_of(request).database, _typed(request)
    problems = {name: "list_date_wrong" for name in ("since", "until") if typed[name] and day_of(typed[name]) is None}
    wanted = _filter(typed)
    found = list_feedback(database, operator.workspace_id, wanted, behind=Place.of(after), limit=PAGE_ROWS + 1)
    return page(
        request,
        operator,
        "feedback.html",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if problems else HTTPStatus.OK,
        thumbs=cut(found, "key", typed),
        totals=feedback_totals(database, operator.workspace_id, wanted),
        typed=typed,
        problems=problems,
    )


@router.get("/admin/feedback.csv")
def feedback_csv(request: Request, operator: Seer) -> Response:
    """The same as CSV, the newest ones."""
    found = list_feedback(platform_of(request).database, operator.workspace_id, _filter(_typed(request)), limit=MOST)
    rows = (
        (r.id, r.is_positive, r.created_at.isoformat(), r.user_id, r.turn_id, r.conversation_id, r.answered_by)
        for r in found
    )
    return csv_file("feedback", _HEADER, rows)


def _typed(request: Request) -> dict[str, str]:
    return {name: request.query_params.get(name, "").strip() for name in _FILTERS}


def _filter(typed: dict[str, str]) -> FeedbackFilter:
    return FeedbackFilter(
        is_positive={"up": True, "down": False}.get(typed["thumb"]),
        since=day_of(typed["since"]),
        until=day_of(typed["until"]),
    )
