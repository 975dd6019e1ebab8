"""Messengers and engines: who posts for which bot, what waits, and whether the parts work."""

from typing import Annotated

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from parlour.admin.frame import page
from parlour.admin.guard import Operator, needs, platform_of
from parlour.admin.rights import Right
from parlour.turns.messenger_health import answering, list_messengers

router = APIRouter()


@router.get("/admin/messengers")
def show_messengers(request: Request, operator: Annotated[Operator, needs(Right.SEE_OPERATION)]) -> Response:
    """The workspace's bots, this gateway's parts, and how far answering has come."""
    platform = platform_of(request)
    return page(
        request,
        operator,
        "messengers.html",
        messengers=list_messengers(platform.database, operator.workspace_id),
        answering=answering(platform.database, operator.workspace_id),
        parts=request.app.state.health.ask(),
        engine=platform.settings.engine,
        throttled=platform.metrics.throttled_since_start(),
    )
