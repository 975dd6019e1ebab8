"""Thumbs up and down: which answers, and how many."""

from collections.abc import Sequence
from typing import Annotated, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from parlour.admin.frame import page
from parlour.admin.guard import Operator, needs, platform_of
from parlour.admin.lists import PAGE_ROWS, all_of, csv_file, cut, day_of, wrong_days
from parlour.admin.named import Named, named
from parlour.admin.rights import Right
from parlour.store.places import Place
from parlour.turns.feedback_list import FeedbackFilter, FeedbackLine, Totals, feedback_totals, list_feedback

router = APIRouter()

_HEADER = ("id", "positive", "at", "user", "turn", "conversation", "answered by")
_FILTERS: Final = ("thumb", "user", "since", "until")
Seer = Annotated[Operator, needs(Right.SEE_FEEDBACK)]


@router.get("/admin/feedback")
def show_feedback(request: Request, operator: Seer, after: str = "") -> Response:
    """Thumbs, the newest first, a page at a time, and their totals."""
    return _shown(request, operator, _typed(request), Place.of(after))


@router.get("/admin/feedback.csv")
def feedback_csv(request: Request, operator: Seer) -> Response:
    """The same as CSV, all of them."""
    typed, platform = _typed(request), platform_of(request)
    who = named(request, operator, typed["user"])
    if _problems(typed, who):
        return _shown(request, operator, typed, None)
    wanted = _filter(typed, who)

    def read(last: FeedbackLine | None, limit: int) -> Sequence[FeedbackLine]:
        behind = last.place if last else None
        return list_feedback(platform.database, operator.workspace_id, wanted, behind=behind, limit=limit)

    return csv_file("feedback", _HEADER, map(_row, all_of(read)))


def _shown(request: Request, operator: Operator, typed: dict[str, str], behind: Place | None) -> Response:
    database, its = platform_of(request).database, operator.workspace_id
    who = named(request, operator, typed["user"])
    wanted, problems = _filter(typed, who), _problems(typed, who)
    found = [] if problems else list_feedback(database, its, wanted, behind=behind, limit=PAGE_ROWS + 1)
    return page(
        request,
        operator,
        "feedback.html",
        thumbs=cut(found, "key", typed),
        totals=Totals(0, 0) if problems else feedback_totals(database, its, wanted),
        typed=typed,
        problems=problems,
    )


def _typed(request: Request) -> dict[str, str]:
    return {name: request.query_params.get(name, "").strip() for name in _FILTERS}


def _problems(typed: dict[str, str], who: Named) -> dict[str, str]:
    """Keys of texts by the field that is wrong."""
    return ({"user": who.problem} if who.problem else {}) | wrong_days(typed)


def _filter(typed: dict[str, str], who: Named) -> FeedbackFilter:
    return FeedbackFilter(
        is_positive={"up": True, "down": False}.get(typed["thumb"]),
        user_ids=who.ids,
        since=day_of(typed["since"]),
        until=day_of(typed["until"]),
    )


def _row(one: FeedbackLine) -> tuple[object, ...]:
    at = one.created_at.isoformat()
    return one.id, one.is_positive, at, one.user_id, one.turn_id, one.conversation_id, one.answered_by
