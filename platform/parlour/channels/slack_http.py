"""Slack's requests over HTTP: told from forged and stale ones before anything in them is looked at."""

import hashlib
import hmac
import time
from collections.abc import Awaitable, Callable
from typing import Final

from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response

# Events hold one message each, at most 40,000 characters and a few files' descriptions.
MAX_BODY_BYTES: Final = 1_000_000
# https://docs.slack.dev/authentication/verifying-requests-from-slack
_MAX_AGE_S: Final = 300


def is_genuine(secret: str, body: bytes, *, timestamp: str | None, signature: str | None, now: float) -> bool:
    """Whether a request was signed by Slack with our secret within the last five minutes."""
    if not secret or not signature or not timestamp or not timestamp.isascii() or not timestamp.isdecimal():
        return False
    if len(timestamp) > len("99999999999") or abs(now - int(timestamp)) > _MAX_AGE_S:
        return False
    expected = hmac.new(secret.encode(), b"v0:" + timestamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(f"v0={expected}".encode(), signature.encode("utf-8", "replace"))


class SlackEndpoint:
    """`POST /slack/events`: events, slash commands and pressed buttons, handed to `dispatch` when they are genuine."""

    def __init__(
        self,
        signing_secret: str,
        dispatch: Callable[[AsyncBoltRequest], Awaitable[BoltResponse]],
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._secret = signing_secret
        self._dispatch = dispatch
        self._now = now

    async def take(self, request: Request) -> Response:
        """200 when the event is committed; 401, 413 or 400 for what is not Slack's; 5xx makes Slack send again."""
        try:
            body = await _read_body(request)
        except ClientDisconnect:
            return PlainTextResponse("", status_code=400)
        if body is None:
            return PlainTextResponse("too large", status_code=413)
        headers = request.headers
        timestamp, signature = headers.get("x-slack-request-timestamp"), headers.get("x-slack-signature")
        if not is_genuine(self._secret, body, timestamp=timestamp, signature=signature, now=self._now()):
            return PlainTextResponse("not signed by Slack, or too old", status_code=401)
        try:
            bolt_request = AsyncBoltRequest(body=body.decode("utf-8"), headers=dict(headers.items()))
        except (ValueError, TypeError, AttributeError):
            # Bolt takes for granted that a body is an object of objects.
            return PlainTextResponse("not understood", status_code=400)
        answer = await self._dispatch(bolt_request)
        return Response(answer.body, status_code=answer.status, media_type=str(answer.headers["content-type"][0]))


async def _read_body(request: Request) -> bytes | None:
    """The request's body, None as soon as it is longer than any of Slack's."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > MAX_BODY_BYTES:
        return None
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            return None
    return bytes(body)
