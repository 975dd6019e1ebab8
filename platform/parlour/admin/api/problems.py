"""Every error of the API as problem JSON (RFC 9457), and which error of a use case is which."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from parlour.admin.api.tokens import TokenRefused, TokenUnknown
from parlour.people import errors as people
from parlour.privacy import errors as keys
from parlour.privacy.erasure import AlreadyErased, LastOwnerStays
from parlour.privacy.holds import HoldUnknown, UnderHold
from parlour.privacy.persons import SubjectUnknown
from parlour.privacy.receipts import ReceiptBroken, ReceiptUnknown
from parlour.privacy.rules import RuleRefused
from parlour.skills import errors as skills
from parlour.store.errors import StoreError
from parlour.store.ids import new_id
from parlour.turns import conversation_list
from parlour.turns.operating import NoSuchTurn, NotPossible

log = structlog.get_logger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
SCHEMA: Final = "Problem"
_RETRY_AFTER_S: Final = "2"
# RFC 9110's words, which Python has only from 3.13 on: a kind's name must not change with Python.
_TITLES: Final = {413: "Content Too Large", 422: "Unprocessable Content"}

_UNKNOWN: Final = (
    people.UserUnknown,
    people.CodeUnknown,
    SubjectUnknown,
    HoldUnknown,
    ReceiptUnknown,
    NoSuchTurn,
    skills.NoSuchSkill,
    skills.NoSuchConversation,
    conversation_list.NoSuchConversation,
    keys.KeyShredded,
    TokenUnknown,
)
_IN_THE_WAY: Final = (
    people.LastOwner,
    people.NotBlocked,
    people.NotActive,
    AlreadyErased,
    LastOwnerStays,
    UnderHold,
    NotPossible,
    keys.KeysRefused,
    skills.SkillUnavailable,
    skills.SkillUnreadable,
    skills.OfferChanged,
    skills.GrantsMissing,
)
_NOT_VALID: Final = (
    people.RoleUnknown,
    RuleRefused,
    ReceiptBroken,
    skills.BadSettings,
    skills.BadInput,
    skills.InstallRefused,
    TokenRefused,
)
_SKILL_FAILED: Final = (skills.SkillBroke, skills.SkillFailed, skills.SkillTimedOut, skills.SkillRemoved)

# What each means to whoever wrote the program.
MEANINGS: Final[Mapping[HTTPStatus, str]] = {
    HTTPStatus.BAD_REQUEST: "The request is no HTTP that can be read.",
    HTTPStatus.UNAUTHORIZED: "No token, or one that is unknown, expired or revoked.",
    HTTPStatus.FORBIDDEN: "The token does not have the right that this needs (`x-right`).",
    HTTPStatus.NOT_FOUND: "There is no such thing in the token's workspace.",
    HTTPStatus.CONFLICT: "The state of things does not allow it; the detail says what to do first.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is too large.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "A parameter, the body or an idempotency key's second request is not valid.",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many requests with this token; `Retry-After` says when to go on.",
    HTTPStatus.SERVICE_UNAVAILABLE: "A database or the key provider is away. Nothing was changed: try again.",
}

# What to do about a request that no endpoint took.
_REMEDIES: Final[Mapping[HTTPStatus, str]] = {
    HTTPStatus.BAD_REQUEST: "The body cannot be read. Send JSON in UTF-8.",
    HTTPStatus.NOT_FOUND: "Nothing is at this address. What there is stands in /api/openapi.json.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This address does not take this method; `Allow` names one that it takes.",
}


class WrongField(BaseModel):
    """What is wrong with one part of a request. The value itself is not repeated."""

    field: str
    problem: str


class ProblemBody(BaseModel):
    """RFC 9457. `type` names the kind for good, `detail` is for people."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "urn:parlour:problem:not-found",
                "title": "Not Found",
                "status": 404,
                "detail": "No user 01a205dc-284c-76f5-b6ea-c4fcc0328c41.",
            }
        }
    )

    type: str
    title: str
    status: int
    detail: str | None = None
    errors: list[WrongField] | None = None


class Problem(Exception):
    """The request cannot be answered as asked. The message is the detail, with the remedy."""

    def __init__(self, status: HTTPStatus, detail: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = headers


def declared(*more: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """The answers that every operation may give besides its own, as FastAPI declares them."""
    content = {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{SCHEMA}"}}}
    return {
        status.value: {"description": MEANINGS.get(status, status.phrase), "content": content}
        for status in (*MEANINGS, *more)
    }


def handle_problems(app: FastAPI) -> None:
    """Have every error of this application told as problem JSON."""
    app.add_exception_handler(Problem, _told)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _not_valid)
    for kinds, status in (
        (_UNKNOWN, HTTPStatus.NOT_FOUND),
        (_IN_THE_WAY, HTTPStatus.CONFLICT),
        (_NOT_VALID, HTTPStatus.UNPROCESSABLE_ENTITY),
        (_SKILL_FAILED, HTTPStatus.BAD_GATEWAY),
    ):
        for kind in kinds:
            app.add_exception_handler(kind, _use_case_error(status))
    for away in (StoreError, keys.KeysUnavailable):
        app.add_exception_handler(away, _away)
    app.add_exception_handler(Exception, _failed)


def problem(
    status: HTTPStatus,
    detail: str | None = None,
    *,
    errors: Sequence[WrongField] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The answer itself."""
    title = _TITLES.get(status.value, status.phrase)
    body = ProblemBody(
        type=f"urn:parlour:problem:{title.lower().replace(' ', '-')}",
        title=title,
        status=status.value,
        detail=detail,
        errors=list(errors) or None,
    )
    kept = {"Cache-Control": "no-store", **(headers or {})}
    return JSONResponse(
        body.model_dump(exclude_none=True), status_code=status.value, media_type=MEDIA_TYPE, headers=kept
    )


async def _told(_: Request, error: Exception) -> Response:
    if not isinstance(error, Problem):
        raise error
    return problem(error.status, str(error), headers=error.headers)


async def _http_error(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    status = HTTPStatus(error.status_code)
    return problem(status, _REMEDIES.get(status, MEANINGS.get(status)), headers=error.headers)


async def _not_valid(_: Request, error: Exception) -> Response:
    """Which fields are wrong and how, never what was in them."""
    if not isinstance(error, RequestValidationError):
        raise error
    errors = [
        WrongField(field=".".join(str(part) for part in one["loc"]), problem=_rule(one)) for one in error.errors()
    ]
    is_json = all(one["type"] != "json_invalid" for one in error.errors())
    detail = "The request is not valid: `errors` says what to change." if is_json else "The body is not JSON."
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors=errors)


def _rule(one: Mapping[str, Any]) -> str:
    """What the field has to be. A validator of ours may quote the value: of that only the kind is told."""
    return str(one["type"] if one["type"] in {"value_error", "assertion_error", "json_invalid"} else one["msg"])


def _use_case_error(status: HTTPStatus) -> Any:  # noqa: ANN401 (starlette's handler)
    async def handle(_: Request, error: Exception) -> Response:
        return problem(status, str(error))

    return handle


async def _away(request: Request, error: Exception) -> Response:
    log.warning("request_not_served", path=request.scope["path"], reason=type(error).__name__)
    status = HTTPStatus.SERVICE_UNAVAILABLE
    return problem(status, MEANINGS[status], headers={"Retry-After": _RETRY_AFTER_S})


async def _failed(request: Request, error: Exception) -> Response:
    """An error of our own: an id for the operator, nothing of what happened."""
    reference = str(new_id())
    log.error("request_failed", reference=reference, path=request.scope["path"], error=type(error).__name__)
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, f"Reference: {reference}")
