"""What holds for every endpoint: its right, its parameters, and that what is sent twice under one key is done once."""

import hashlib
import json
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query
from fastapi.routing import APIRoute
from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from parlour.admin.api.authority import LONGEST_KEY, NeedsToChange, authenticate, right_of, shown_token
from parlour.admin.api.problems import Problem
from parlour.admin.api.tokens import Holder
from parlour.bootstrap import Platform
from parlour.store.api_models import ApiReply
from parlour.store.ids import new_id

REMEMBERED_FOR: Final = timedelta(hours=24)
# A process that died over a request leaves its key taken for so long.
_ANSWERED_WITHIN: Final = timedelta(minutes=10)
_JSON: Final = "application/json"
# What is told once and kept nowhere: a new token, a skill's own words.
NOT_KEPT: Final = ("token", "result")
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class OnceRoute(APIRoute):
    """An endpoint of the API: names its right, refuses parameters that it does not know, heeds `Idempotency-Key`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 (FastAPI's own)
        super().__init__(*args, **kwargs)
        right = right_of(self.dependant.dependencies)
        if right is None:
            raise TypeError(f"{self.path} asks for no right. Give it a parameter: Annotated[Caller, sees(Right.…)]")
        self.openapi_extra = {**(self.openapi_extra or {}), "x-right": right.value}
        self._is_kept = any(isinstance(one.call, NeedsToChange) for one in self.dependant.dependencies)
        params = get_flat_params(self.dependant)
        self._queries = sorted(one.alias for one in params if isinstance(one.field_info, Query))

    def get_route_handler(self) -> Handler:
        """What answers a request."""
        handle = super().get_route_handler()

        async def once(request: Request) -> Response:
            if unknown := sorted(set(request.query_params) - set(self._queries)):
                # Nobody learns here what there is.
                await run_in_threadpool(authenticate, request, shown_token(request))
                raise _unknown_parameter(unknown[0], self._queries)
            key = request.headers.get("idempotency-key")
            # One that is no key is told by the parameter's own check.
            if key is None or not 0 < len(key) <= LONGEST_KEY or not self._is_kept:
                return await handle(request)
            return await _once(request, key, handle)

        return once


@dataclass(frozen=True, slots=True)
class Kept:
    """A request that was answered before, or the place to keep what is answered now."""

    id: UUID
    status: int | None
    body: bytes | None


def _unknown_parameter(name: str, known: Sequence[str]) -> Problem:
    """Left aside, a misspelt filter would be answered with everything."""
    there_are = f"There are: {', '.join(known)}." if known else "It takes none."
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"This address has no parameter {name[:100]!r}. {there_are}")


async def _once(request: Request, key: str, handle: Handler) -> Response:
    platform: Platform = request.app.state.parlour
    holder = await run_in_threadpool(authenticate, request, shown_token(request))
    body = hashlib.sha256(await request.body()).hexdigest()
    asked = (request.method, request.scope["path"], str(request.scope["query_string"]), body)
    kept = await run_in_threadpool(_begin, platform, holder, key, platform.lookup.hash("api request", *asked))
    if kept.status is not None:
        headers = {"Idempotency-Replayed": "true"}
        return Response(kept.body or b"", status_code=kept.status, media_type=_JSON, headers=headers)
    try:
        answer = await handle(request)
    except BaseException:
        # Nothing was done: the next try is a first one.
        await run_in_threadpool(_forget, platform, kept.id)
        raise
    await run_in_threadpool(_keep, platform, holder, kept.id, answer)
    return answer


def _begin(platform: Platform, holder: Holder, key: str, request_hash: bytes) -> Kept:
    """Take the key, or find what was answered under it. Raises `Problem`."""
    now, database = platform.clock.now(), platform.database
    hashed = platform.lookup.hash("idempotency key", key)
    row = ApiReply(id=new_id(), token_id=holder.token_id, lookup_hash=hashed, request_hash=request_hash)
    row.expires_at = now + _ANSWERED_WITHIN
    try:
        with database.begin() as session:
            session.execute(delete(ApiReply).where(ApiReply.expires_at <= now))
            session.add(row)
        return Kept(row.id, None, None)
    except IntegrityError:
        its = ApiReply.token_id == holder.token_id, ApiReply.lookup_hash == hashed
        with database.read() as session:
            known = session.scalars(select(ApiReply).where(*its)).one_or_none()
    if known is not None and known.request_hash != request_hash:
        detail = "This Idempotency-Key was used for another request. Give each request a key of its own."
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    if known is None or known.status is None:
        detail = "A request with this Idempotency-Key is being answered. Ask again in a moment."
        raise Problem(HTTPStatus.CONFLICT, detail, headers={"Retry-After": "1"})
    opened = None
    if known.body is not None:
        opened = platform.sealer.open(holder.workspace_id, ApiReply.body, known.id, known.body)
    return Kept(known.id, known.status, opened)


def _keep(platform: Platform, holder: Holder, reply_id: UUID, answer: Response) -> None:
    """Keep a good answer for a day; after any other one the next try is a first one."""
    if not HTTPStatus.OK <= answer.status_code < HTTPStatus.MULTIPLE_CHOICES:
        _forget(platform, reply_id)
        return
    sealed = None
    if answer.body and answer.media_type in {_JSON, None}:
        sealed = platform.sealer.seal(
            holder.workspace_id, ApiReply.body, reply_id, _without_secrets(bytes(answer.body))
        )
    values = {"status": answer.status_code, "body": sealed, "expires_at": platform.clock.now() + REMEMBERED_FOR}
    with platform.database.begin() as session:
        session.execute(update(ApiReply).where(ApiReply.id == reply_id).values(values))


def _without_secrets(body: bytes) -> bytes:
    told = json.loads(body)
    if isinstance(told, dict):
        told |= {name: None for name in NOT_KEPT if name in told}
    return json.dumps(told).encode()


def _forget(platform: Platform, reply_id: UUID) -> None:
    with platform.database.begin() as session:
        session.execute(delete(ApiReply).where(ApiReply.id == reply_id, ApiReply.status.is_(None)))
