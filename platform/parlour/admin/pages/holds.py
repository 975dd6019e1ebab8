"""Legal holds: which stand, placing one, lifting one."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, HTTPException
from starlette.requests import Request
from starlette.responses import Response

from parlour.admin.forms import Posted, posted
from parlour.admin.frame import go_to, page
from parlour.admin.guard import Operator, needs, platform_of
from parlour.admin.lists import PAGE_ROWS, all_of, csv_file, cut, uuid_or_none
from parlour.admin.named import Named, named
from parlour.admin.rights import Right
from parlour.people.errors import UserErased, UserUnknown
from parlour.people.finding import find_user
from parlour.privacy.holds import HoldUnknown, HoldView, add_hold, list_holds, release_hold
from parlour.privacy.persons import SubjectUnknown

router = APIRouter()

_HEADER = ("id", "user", "conversation", "reason", "by", "since", "released")
_KINDS: Final = ("person", "conversation", "workspace")
Seer = Annotated[Operator, needs(Right.SEE_HOLDS)]
Manager = Annotated[Posted, posted(Right.MANAGE_HOLDS)]


@router.get("/admin/holds")
def show_holds(request: Request, operator: Seer, which: str = "", on: str = "", after: str = "") -> Response:
    """Holds that stand, or all that ever did, oldest first; those on one person or conversation alone."""
    return _shown(request, operator, which=which, on=on.strip(), after=after)


@router.get("/admin/holds.csv")
def holds_csv(request: Request, operator: Seer, which: str = "", on: str = "") -> Response:
    """The same as CSV, all of them."""
    held = _held(request, operator, on.strip())
    if held.problem:
        return _shown(request, operator, which=which, on=on.strip())

    def read(last: HoldView | None, limit: int) -> Sequence[HoldView]:
        return _found(request, operator, which, held, last.id if last else None, limit)

    return csv_file("holds", _HEADER, map(_row, all_of(read)))


@router.post("/admin/holds")
def place(request: Request, form: Manager) -> Response:
    """Place a hold; what is wrong with the form stands next to its field."""
    platform, operator = platform_of(request), form.operator
    reason = form.reason or ""
    problems = {} if reason else {"reason": "hold_no_reason"}
    if form["kind"] not in _KINDS:
        problems["kind"] = "hold_no_kind"
    if problems:
        return _shown(request, operator, problems=problems, typed=form.fields)
    try:
        user_id, conversation_id = _subject(request, form)
        add_hold(
            platform.database,
            platform.privacy,
            workspace_id=operator.workspace_id,
            user_id=user_id,
            conversation_id=conversation_id,
            reason=reason,
            actor=operator.actor,
        )
    except UserErased:
        return _shown(request, operator, problems={"who": "hold_erased"}, typed=form.fields)
    except (SubjectUnknown, UserUnknown):
        return _shown(request, operator, problems={"who": "hold_unknown"}, typed=form.fields)
    return go_to("/admin/holds", done="held")


@router.post("/admin/holds/{hold_id}/lift")
def lift(request: Request, hold_id: UUID, form: Manager) -> Response:
    """End a hold. It needs a reason too."""
    platform, reason = platform_of(request), form.reason or ""
    if not reason:
        return _shown(request, form.operator, problems={f"lift-{hold_id}": "hold_no_reason"})
    try:
        release_hold(
            platform.database,
            platform.privacy,
            str(hold_id),
            reason=reason,
            actor=form.operator.actor,
            workspace_id=form.operator.workspace_id,
        )
    except HoldUnknown:
        raise HTTPException(HTTPStatus.NOT_FOUND) from None
    return go_to("/admin/holds", done="lifted")


def _subject(request: Request, form: Posted) -> tuple[UUID | None, UUID | None]:
    """The person or the conversation that the form names. Raises `SubjectUnknown` and `UserUnknown`."""
    who = form["who"].strip()
    if form["kind"] == "person":
        platform = platform_of(request)
        its = form.operator.workspace_id
        return find_user(platform.database, platform.privacy, who, workspace_id=its), None
    if form["kind"] == "workspace":
        return None, None
    found = uuid_or_none(who)
    if found is None:
        raise SubjectUnknown(f"No conversation {who!r}. Take its id from the list of conversations.")
    return None, found


def _held(request: Request, operator: Operator, on: str) -> Named:
    """Whose holds are wanted: those on a person, or on the conversation with that id."""
    who = named(request, operator, on)
    conversation_id = uuid_or_none(on)
    return Named((conversation_id,)) if who.problem == "list_nobody" and conversation_id else who


def _found(
    request: Request, operator: Operator, which: str, held: Named, after: UUID | None, limit: int
) -> Sequence[HoldView]:
    platform = platform_of(request)
    return list_holds(
        platform.database,
        platform.privacy,
        all_of_them=which == "all",
        workspace_id=operator.workspace_id,
        subjects=held.ids,
        after=after,
        limit=limit,
    )


def _shown(
    request: Request,
    operator: Operator,
    *,
    which: str = "",
    on: str = "",
    after: str = "",
    problems: dict[str, str] | None = None,
    typed: dict[str, str] | None = None,
) -> Response:
    held = _held(request, operator, on)
    if held.problem:
        problems = {**(problems or {}), "on": held.problem}
    found = [] if held.problem else _found(request, operator, which, held, uuid_or_none(after), PAGE_ROWS + 1)
    shown = cut(found, "id", {"which": which, "on": on})
    return page(
        request,
        operator,
        "holds.html",
        holds=shown,
        which=which,
        on=on,
        kinds=_KINDS,
        problems=problems or {},
        typed=typed or {},
        may_change=operator.may(Right.MANAGE_HOLDS),
    )


def _row(one: HoldView) -> tuple[object, ...]:
    return one.id, one.user_id, one.conversation_id, one.reason, one.placed_by, one.created_at, one.released_at
