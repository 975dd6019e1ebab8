"""A request that is sent twice under one key is done once, and answered twice."""

import hashlib
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from parlour.admin.api.authority import authenticate, shown_token
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


@dataclass(frozen=True, slots=True)
class Kept:
    """A request that was answered before, or the place to keep what is answered now."""

    id: UUID
    status: int | None
    body: bytes | None


async def once(request: Request, key: str, handle: Handler) -> Response:
    """What `handle` answers the request, or answered it before under the same key."""
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
