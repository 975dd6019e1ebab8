"""The list of people."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from parlour.admin.frame import go_to, page
from parlour.admin.guard import Operator, needs, platform_of
from parlour.admin.lists import PAGE_ROWS, all_of, csv_file, cut, uuid_or_none
from parlour.admin.rights import Right
from parlour.people import users
from parlour.people.errors import UserErased, UserUnknown
from parlour.people.finding import find_user
from parlour.people.states import Role, UserState
from parlour.store.ids import UserId

router = APIRouter()

_HEADER = ("id", "name", "writes from", "role", "state", "language", "consent", "since")
Seer = Annotated[Operator, needs(Right.SEE_PEOPLE)]


@router.get("/admin/people")
def show_people(request: Request, operator: Seer, state: str = "", role: str = "", after: str = "") -> Response:
    """People in order of arrival, a page at a time."""
    found = _found(request, operator, state, role, after, PAGE_ROWS + 1)
    shown = cut(found, "user_id", {"state": state, "role": role})
    return page(
        request, operator, "people.html", people=shown, states=list(UserState), roles=list(Role), state=state, role=role
    )


@router.get("/admin/people.csv")
def people_csv(request: Request, operator: Seer, state: str = "", role: str = "") -> Response:
    """The same as CSV, all of them."""

    def read(last: users.UserView | None, limit: int) -> Sequence[users.UserView]:
        return _found(request, operator, state, role, str(last.user_id) if last else "", limit)

    return csv_file("people", _HEADER, map(_row, all_of(read)))


@router.get("/admin/people/find")
def find_person(request: Request, operator: Seer, who: str = "") -> Response:
    """To the person with that id, or that address in a messenger."""
    platform = platform_of(request)
    try:
        user_id = find_user(platform.database, platform.privacy, who.strip(), workspace_id=operator.workspace_id)
    except UserErased as error:
        user_id = UserId(error.erasure.subject_id)
    except UserUnknown:
        return page(request, operator, "person_unknown.html", status=HTTPStatus.NOT_FOUND, who=who)
    return go_to(f"/admin/people/{user_id}")


def _found(request: Request, operator: Operator, state: str, role: str, after: str, limit: int) -> list[users.UserView]:
    platform, behind = platform_of(request), uuid_or_none(after)
    return users.list_users(
        platform.database,
        platform.privacy,
        state=UserState(state) if state in list(UserState) else None,
        role=Role(role) if role in list(Role) else None,
        after=UserId(behind) if behind else None,
        limit=limit,
        workspace_id=operator.workspace_id,
    )


def _row(view: users.UserView) -> tuple[object, ...]:
    seen = [f"{one.channel}:{one.external_id}" if one.external_id else one.channel for one in view.identities]
    name = next((one.name for one in view.identities if one.name), None)
    since = view.created_at.isoformat()
    return view.user_id, name, " ".join(seen), view.role, view.state, view.language, view.consent, since
