"""Who asks, and whether they may: the one way for a page or an API endpoint to know its operator."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from uuid import UUID

from fastapi import Depends
from starlette.requests import Request

from parlour.admin.rights import Right, may
from parlour.bootstrap import Platform
from parlour.people.doer import Doer
from parlour.people.states import Role
from parlour.privacy.service import Privacy
from parlour.store.ids import UserId, WorkspaceId


@dataclass(frozen=True, slots=True)
class Operator:
    """Somebody who runs Parlour, as this request's cookie or token tells."""

    # The person in the messengers behind the login, where they were named.
    id: UserId | None
    # The login; for an API token the token.
    login_id: UUID
    workspace_id: WorkspaceId
    role: Role
    name: str
    # page, token
    via: str = "page"
    opens_content: bool = False
    # The session's id; none for a token.
    session_id: UUID | None = None

    def may(self, right: Right) -> bool:
        """Whether they may do it."""
        return may(self.role, right, opens_content=self.opens_content)

    @property
    def actor(self) -> str:
        """What audit entries name: `login:ID`, or `token:ID` for a program."""
        return f"{'token' if self.via == 'token' else 'login'}:{self.login_id}"

    def doer(self, privacy: Privacy, reason: str | None = None) -> Doer:
        """The same for use cases that change people."""
        return Doer(privacy, self.actor, reason)


# Looks at a request's cookie or token; None for nobody. Blocks: it asks the database.
Recognise = Callable[[Request], Operator | None]


class NotSignedIn(Exception):
    """Nobody is signed in."""


class NotAllowed(Exception):
    """The operator's role does not have the right."""

    def __init__(self, operator: Operator, right: Right) -> None:
        super().__init__(f"The role {operator.role} may not {right}.")
        self.operator = operator
        self.right = right


def needs(right: Right) -> Any:  # noqa: ANN401 (as FastAPI's own `Depends`)
    """What an endpoint asks for its operator with: an annotation of `Operator`, with the right in brackets.

    Whoever is not signed in, or lacks the right, never reaches the endpoint: see `site.py`.
    """

    def operator(request: Request) -> Operator:
        recognise: Recognise = request.app.state.recognise
        found = recognise(request)
        if found is None:
            raise NotSignedIn
        if not found.may(right):
            raise NotAllowed(found, right)
        # For pages of errors, which show the navigation too.
        request.state.operator = found
        return found

    return Depends(operator)


def platform_of(request: Request) -> Platform:
    """The parts that a request's use cases work with."""
    found: Platform = request.app.state.parlour
    return found


def signin_address(request: Request) -> str:
    """Where to sign in, and come back from to what was asked; a form that was posted is not asked again."""
    asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return f"/admin/signin?next={quote(asked)}" if request.method == "GET" else "/admin/signin"
