"""The keys: their state, a new one to wrap the others, and wrapping anew with how far it is."""

from typing import Annotated, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from parlour.admin.errands import Errands, coming_again
from parlour.admin.forms import Posted, posted
from parlour.admin.frame import go_to, page
from parlour.admin.guard import Operator, needs, platform_of
from parlour.admin.rights import Right
from parlour.privacy.key_changes import Order, rotate_keys, wrap_anew
from parlour.privacy.rotation import waiting
from parlour.privacy.status import keys_status

router = APIRouter()

_WRAPPING: Final = "wrapping"
Seer = Annotated[Operator, needs(Right.SEE_KEYS)]
Manager = Annotated[Posted, posted(Right.MANAGE_KEYS)]


@router.get("/admin/keys")
def show_keys(request: Request, operator: Seer) -> Response:
    """How many keys there are, under which ones, and how far wrapping anew is."""
    return _shown(request, operator)


@router.post("/admin/keys/rotate")
def rotate(request: Request, form: Manager) -> Response:
    """A new key wraps from now on."""
    platform = platform_of(request)
    if form["sure"] != "yes":
        return _shown(request, form.operator, asks="rotate")
    rotate_keys(platform.database, platform.privacy, _order(form))
    return go_to("/admin/keys", done="rotated")


@router.post("/admin/keys/rewrap")
def rewrap(request: Request, form: Manager) -> Response:
    """Wrap anew behind the page, which goes on telling how far it is."""
    platform, order = platform_of(request), _order(form)
    errands: Errands = request.app.state.errands
    errands.start(_WRAPPING, lambda step: wrap_anew(platform.database, platform.privacy, order, step=step))
    return go_to("/admin/keys")


def _order(form: Posted) -> Order:
    return Order(form.operator.actor, form.reason, form.operator.workspace_id)


def _shown(request: Request, operator: Operator, *, asks: str = "") -> Response:
    privacy = platform_of(request).privacy
    errands: Errands = request.app.state.errands
    wrapping = errands.find(_WRAPPING)
    shown = page(
        request,
        operator,
        "keys.html",
        keys=keys_status(privacy),
        # Told by the key store, and so the same whichever process wraps.
        behind=waiting(privacy.key_store, privacy.provider),
        wrapping=wrapping,
        asks=asks,
        may_change=operator.may(Right.MANAGE_KEYS),
    )
    return coming_again(shown, is_running=wrapping is not None and wrapping.is_running)
