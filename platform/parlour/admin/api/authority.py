"""Who calls, and whether they may: `Annotated[Caller, sees(Right.SEE_PEOPLE)]` in an endpoint's parameters."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Depends, Header
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import Request

from parlour.admin.api.cursors import Cursors
from parlour.admin.api.problems import Problem
from parlour.admin.api.tokens import Holder, Maker, holder_of
from parlour.admin.rights import Right
from parlour.bootstrap import Platform
from parlour.people.doer import Doer
from parlour.people.states import Role
from parlour.store.ids import WorkspaceId
from parlour.turns.gate import RateGate  # noqa: TC001 (an annotation like the others)

_BEARER: Final = HTTPBearer(
    auto_error=False, scheme_name="token", description="`Authorization: Bearer parlour_…`; see `parlour token create`."
)
LONGEST_KEY: Final = 200
_Shown = Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]
_Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=LONGEST_KEY,
        pattern=r"^[\x21-\x7e]+$",
        description="A name of this request's own: sent again under it, it is answered again and done once.",
    ),
]


@dataclass(frozen=True, slots=True)
class Caller:
    """A token's holder with the right that the endpoint asked for, and the platform to use it on."""

    holder: Holder
    platform: Platform

    @property
    def workspace_id(self) -> WorkspaceId:
        """The only workspace that anything is seen of."""
        return self.holder.workspace_id

    @property
    def token_id(self) -> UUID:
        """Which token was shown."""
        return self.holder.token_id

    @property
    def role(self) -> Role:
        """The token's role."""
        return self.holder.role

    @property
    def actor(self) -> str:
        """Who the audit log names."""
        return self.holder.actor

    def doer(self, reason: str | None = None) -> Doer:
        """The same, for use cases about people."""
        return Doer(self.platform.privacy, self.actor, reason)

    @property
    def maker(self) -> Maker:
        """The same, for tokens."""
        return Maker(self.workspace_id, self.actor, self.role, self.holder.rights)

    def cursors(self, what: str, *filters: object) -> Cursors:
        """The cursors of one of the workspace's lists."""
        return Cursors(self.platform.lookup, self.workspace_id, what, filters)


class Needs:
    """A dependency that lets through whoever has the right: `Problem` 401, 429 or 403 for anybody else."""

    def __init__(self, right: Right) -> None:
        self.right = right

    def __call__(self, request: Request, shown: _Shown) -> Caller:
        """Who calls."""
        holder = authenticate(request, None if shown is None else shown.credentials)
        if self.right not in holder.rights:
            detail = f"This needs the right {self.right.value}. Make a token that has it: parlour token create"
            raise Problem(HTTPStatus.FORBIDDEN, detail)
        return Caller(holder, request.app.state.parlour)


class NeedsToChange(Needs):
    """The same for what changes something, and may be sent twice."""

    def __call__(self, request: Request, shown: _Shown, idempotency_key: _Key = None) -> Caller:
        """Who calls. `endpoint.Endpoint` looks at the key."""
        del idempotency_key
        return super().__call__(request, shown)


def sees(right: Right) -> Any:  # noqa: ANN401 (as FastAPI's own `Depends`)
    """For an endpoint that changes nothing."""
    return Depends(Needs(right))


def changes(right: Right) -> Any:  # noqa: ANN401 (as FastAPI's own `Depends`)
    """For an endpoint that changes something."""
    return Depends(NeedsToChange(right))


def authenticate(request: Request, token: str | None) -> Holder:
    """Whose token it is. Raises `Problem`: 401, and 429 for one that comes too often."""
    known: Holder | None = getattr(request.state, "holder", None)
    if known is not None:
        return known
    platform: Platform = request.app.state.parlour
    holder = None if token is None else holder_of(platform.database, platform.privacy, token)
    if holder is None:
        detail = "Give a token that is good: Authorization: Bearer parlour_… Make one with: parlour token create"
        raise Problem(HTTPStatus.UNAUTHORIZED, detail, headers={"WWW-Authenticate": "Bearer"})
    gate: RateGate = request.app.state.gate
    if not gate.admits(holder.token_id):
        raise Problem(HTTPStatus.TOO_MANY_REQUESTS, "Too many requests. Go on slower.", headers={"Retry-After": "1"})
    request.state.holder = holder
    return holder


def shown_token(request: Request) -> str | None:
    """The token in the request's head, before anything else of it is looked at."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def right_of(dependencies: list[Any]) -> Right | None:
    """The right that an endpoint asks for, by its dependencies."""
    return next((one.call.right for one in dependencies if isinstance(one.call, Needs)), None)
