"""A person as operators type them into a list's filter: by id, or by their address in a messenger."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from starlette.requests import Request

from parlour.admin.guard import Operator, platform_of
from parlour.people.errors import UserErased, UserUnknown
from parlour.people.finding import find_person


@dataclass(frozen=True, slots=True)
class Named:
    """Every id of the person, None where nobody was typed; `problem` is the key of a text where there is none such."""

    ids: Sequence[UUID] | None = None
    problem: str = ""


def named(request: Request, operator: Operator, who: str) -> Named:
    """Whom the operator means, in their own workspace."""
    platform = platform_of(request)
    if not who:
        return Named()
    try:
        return Named(find_person(platform.database, platform.privacy, who, workspace_id=operator.workspace_id))
    except UserErased:
        return Named(problem="list_erased")
    except UserUnknown:
        return Named(problem="list_nobody")
