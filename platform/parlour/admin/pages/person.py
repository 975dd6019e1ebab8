"""One person: where they write from, what they agreed to, and what can be done for and about them."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, HTTPException
from starlette.requests import Request
from starlette.responses import Response

from parlour.admin.forms import Posted, posted
from parlour.admin.frame import go_to, page
from parlour.admin.guard import Operator, needs, platform_of
from parlour.admin.rights import Right
from parlour.from_settings import quota_rules
from parlour.people import users
from parlour.people.errors import LastOwner, NotBlocked, UserErased, UserUnknown
from parlour.people.states import Role
from parlour.privacy.erasure import AlreadyErased, LastOwnerStays
from parlour.privacy.errors import KeyShredded
from parlour.privacy.export import export_person
from parlour.privacy.holds import UnderHold
from parlour.privacy.persons import SubjectUnknown
from parlour.store.ids import UserId
from parlour.turns.wording import LANGUAGES

router = APIRouter()

_PATH = "/admin/people/{user_id}"
Seer = Annotated[Operator, needs(Right.SEE_PEOPLE)]
Manager = Annotated[Posted, posted(Right.MANAGE_PEOPLE)]


@router.get(_PATH)
def show_person(request: Request, operator: Seer, user_id: UUID) -> Response:
    """What is known about a person, and how much is remembered: never what."""
    return _shown(request, operator, user_id)


@router.post(f"{_PATH}/role")
def change_role(request: Request, user_id: UUID, form: Annotated[Posted, posted(Right.MANAGE_ROLES)]) -> Response:
    """Give the person another role; the last owner keeps theirs."""
    platform, role = platform_of(request), form["role"]
    if role not in list(Role):
        return _shown(request, form.operator, user_id, problem="person_no_role")
    by = form.operator.doer(platform.privacy, form.reason)
    return _change(request, form, user_id, "role", lambda who: users.set_role(platform.database, who, role, by=by))


@router.post(f"{_PATH}/block")
def block(request: Request, user_id: UUID, form: Manager) -> Response:
    """Let nothing from this person through any more."""
    platform = platform_of(request)
    by = form.operator.doer(platform.privacy, form.reason)
    return _change(request, form, user_id, "block", lambda who: users.block(platform.database, who, by=by))


@router.post(f"{_PATH}/unblock")
def unblock(request: Request, user_id: UUID, form: Manager) -> Response:
    """Let a blocked person talk again."""
    platform = platform_of(request)
    by = form.operator.doer(platform.privacy, form.reason)
    return _change(request, form, user_id, "unblock", lambda who: users.unblock(platform.database, who, by=by))


@router.post(f"{_PATH}/export")
def export(request: Request, user_id: UUID, form: Annotated[Posted, posted(Right.EXPORT_PEOPLE)]) -> Response:
    """Everything that is held about the person as one file. It holds what they wrote, so it needs a reason."""
    platform, reason = platform_of(request), form.reason
    found = _of_workspace(request, form.operator, user_id)
    if reason is None:
        return _shown(request, form.operator, user_id, problem="person_no_reason")
    try:
        made = export_person(platform.database, platform.privacy, found, actor=form.operator.actor, reason=reason)
    except (SubjectUnknown, KeyShredded):
        raise HTTPException(HTTPStatus.NOT_FOUND) from None
    headers = {"Content-Disposition": f'attachment; filename="{made.name}"', "Cache-Control": "no-store"}
    return Response(made.content, media_type="application/zip", headers=headers)


@router.get(f"{_PATH}/erase")
def ask_erase(request: Request, user_id: UUID, operator: Annotated[Operator, needs(Right.ERASE_PEOPLE)]) -> Response:
    """The second step: what erasing means, and the word to type."""
    view = _view(request, operator, user_id)
    return page(request, operator, "person_erase.html", person=view, problem="")


@router.post(f"{_PATH}/erase")
def erase(request: Request, user_id: UUID, form: Annotated[Posted, posted(Right.ERASE_PEOPLE)]) -> Response:
    """Erase the person for good, and show the receipt."""
    platform, view = platform_of(request), _view(request, form.operator, user_id)
    if form["word"].strip() != str(view.user_id)[-6:]:
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        return page(request, form.operator, "person_erase.html", status=status, person=view, problem="erase_word_wrong")
    try:
        done = platform.eraser.erase(view.user_id, actor=form.operator.actor, reason=form.reason)
    except (SubjectUnknown, AlreadyErased):
        raise HTTPException(HTTPStatus.NOT_FOUND) from None
    except (UnderHold, LastOwnerStays) as error:
        problem = "person_held" if isinstance(error, UnderHold) else "person_last_owner"
        status = HTTPStatus.CONFLICT
        return page(request, form.operator, "person_erase.html", status=status, person=view, problem=problem)
    return page(request, form.operator, "person_erased.html", receipt=done.receipt, user_id=user_id)


def _change(request: Request, form: Posted, user_id: UUID, done: str, change: Callable[[UserId], object]) -> Response:
    """Make the change and show the person again; what cannot be is said on their page."""
    try:
        change(_of_workspace(request, form.operator, user_id))
    except LastOwner:
        return _shown(request, form.operator, user_id, problem="person_last_owner")
    except NotBlocked:
        return _shown(request, form.operator, user_id, problem="person_not_blocked")
    return go_to(f"/admin/people/{user_id}", done=done)


def _shown(request: Request, operator: Operator, user_id: UUID, *, problem: str = "") -> Response:
    view = _view(request, operator, user_id)
    status = HTTPStatus.CONFLICT if problem else HTTPStatus.OK
    shown = {"person": view, "roles": list(Role), "languages": LANGUAGES, "problem": problem}
    return page(request, operator, "person.html", status=status, **shown)


def _of_workspace(request: Request, operator: Operator, user_id: UUID) -> UserId:
    """Another workspace's people answer like nobody: 404; whoever was erased by their receipt (`site.py`)."""
    return _view(request, operator, user_id).user_id


def _view(request: Request, operator: Operator, user_id: UUID) -> users.UserView:
    platform = platform_of(request)
    try:
        return users.show_user(
            platform.database,
            platform.privacy,
            str(user_id),
            workspace_id=operator.workspace_id,
            quotas=quota_rules(platform.settings),
        )
    except UserErased:
        raise
    except UserUnknown:
        raise HTTPException(HTTPStatus.NOT_FOUND) from None
