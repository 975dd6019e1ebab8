"""Thumbs up and down: which answers, and how many."""

from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from parlour.admin.frame import page
from parlour.admin.guard import Operator, needs, platform_of
from parlour.admin.lists import PAGE_ROWS, csv_file, cut, day_of, wrong_days
from parlour.admin.rights import Right
from parlour.store.places import MOST, Place
from parlour.turns.feedback_list import FeedbackFilter, Totals, feedback_totals, list_feedback

router = APIRouter()

_HEADER = ("id", "positive", "at", "user", "turn", "conversation", "answered by")
_FILTERS: Final = ("thumb", "since", "until")
Seer = Annotated[Operator, needs(Right.SEE_FEEDBACK)]


@router.get("/admin/feedback")
def show_feedback(request: Request, operator: Seer, after: str = "") -> Response:
    """Thumbs, the newest first, a page at a time, and their totals."""
    return _shown(request, operator, _typed(request), Place.of(after))


@router.get("/admin/feedback.csv")
def feedback_csv(request: Request, operator: Seer) -> Response:
    """The same as CSV, the newest ones."""
    typed = _typed(request)
    if wrong_days(typed):
        return _shown(request, operator, typed, None)
    found = list_feedback(platform_of(request).database, operator.workspace_id, _filter(typed), limit=MOST)
    rows = (
        (r.id, r.is_positive, r.created_at.isoformat(), r.user_id, r.turn_id, r.conversation_id, r.answered_by)
        for r in found
    )
    return csv_file("feedback", _HEADER, rows)


def _shown(request: Request, operator: Operator, typed: dict[str, str], behind: Place | None) -> Response:
    database, problems = platform_of(request).database, wrong_days(typed)
    its, wanted = operator.workspace_id, _filter(typed)
    found = [] if problems else list_feedback(database, its, wanted, behind=behind, limit=PAGE_ROWS + 1)
    return page(
        request,
        operator,
        "feedback.html",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if problems else HTTPStatus.OK,
        thumbs=cut(found, "key", typed),
        totals=Totals(0, 0) if problems else feedback_totals(database, its, wanted),
        typed=typed,
        problems=problems,
    )


def _typed(request: Request) -> dict[str, str]:
    return {name: request.query_params.get(name, "").strip() for name in _FILTERS}


def _filter(typed: dict[str, str]) -> FeedbackFilter:
    return FeedbackFilter(
        is_positive={"up": True, "down": False}.get(typed["thumb"]),
        since=day_of(typed["since"]),
        until=day_of(typed["until"]),
    )
