"""Errors under `/admin` as pages: with the navigation for who is signed in, in the reader's language."""

from http import HTTPStatus

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from parlour.admin.frame import language_of, page
from parlour.admin.guard import Operator, Recognise
from parlour.admin.texts import TEXTS


async def error_page(request: Request, status: HTTPStatus, reference: str) -> Response:
    """The page for an error of that status; `reference` is the id by which the log knows it, else empty."""
    operator = await run_in_threadpool(_operator, request, status)
    texts = TEXTS[language_of(request)]
    shown = {
        "title": texts.get(f"error_{status.value}_title", texts["error_title"]),
        "text": texts.get(f"error_{status.value}", texts["error_text"]),
        "reference": reference,
    }
    return page(request, operator, "error.html", status=status, **shown)


def _operator(request: Request, status: HTTPStatus) -> Operator | None:
    """Who is signed in, as far as the endpoint came to ask; where something is broken or away nobody asks again."""
    known: Operator | None = getattr(request.state, "operator", None)
    if known is not None or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return known
    recognise: Recognise = request.app.state.recognise
    return recognise(request)
