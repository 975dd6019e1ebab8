"""The first page: what happened in the last day, and what waits now."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from parlour.admin.frame import language_of, page
from parlour.admin.guard import Operator, needs, platform_of
from parlour.admin.plots import Plot, columns
from parlour.admin.rights import Right
from parlour.admin.texts import TEXTS
from parlour.admin.texts.words import word
from parlour.turns.figures import Figures, Hour, read_figures

router = APIRouter()

# From the bottom up; what is none of these is drawn as `other`.
_DRAWN: Final = ("answered", "failed")


@router.get("/admin")
def show_overview(request: Request, operator: Annotated[Operator, needs(Right.SEE_OVERVIEW)]) -> Response:
    """Turns by state, latency, queue, tokens and errors of the last 24 hours."""
    figures = read_figures(platform_of(request).database, operator.workspace_id)
    plots = _plots(figures, TEXTS[language_of(request)])
    return page(request, operator, "overview.html", figures=figures, plots=plots)


def _plots(figures: Figures, texts: Mapping[str, str]) -> dict[str, Plot]:
    hours = figures.hours
    return {
        "turns": _plot(hours, [_by_state(hour) for hour in hours], "{:.0f}", texts),
        # The median, and what is on top of it up to the slowest hundredth.
        "latency": _plot(
            hours,
            [[("p50", one.p50_s or 0), ("p99", (one.p99_s or 0) - (one.p50_s or 0))] for one in hours],
            "{:.2f} s",
            texts,
        ),
        "tokens": _plot(hours, [[("tokens", one.tokens)] for one in hours], "{:.0f}", texts),
        "errors": _plot(hours, [[("failed", one.states.get("failed", 0))] for one in hours], "{:.0f}", texts),
    }


def _plot(
    hours: Sequence[Hour], values: Sequence[Sequence[tuple[str, float]]], form: str, texts: Mapping[str, str]
) -> Plot:
    labels = [f"{hour.since:%H}:00" for hour in hours]
    words = [
        f"{label} " + ", ".join(f"{word(kind, texts, 'plot')} {form.format(value)}" for kind, value in parts)
        for label, parts in zip(labels, values, strict=True)
    ]
    return columns(values, labels, words)


def _by_state(hour: Hour) -> list[tuple[str, float]]:
    drawn = [(state, float(hour.states.get(state, 0))) for state in _DRAWN]
    return [*drawn, ("other", float(hour.turns) - sum(value for _, value in drawn))]
