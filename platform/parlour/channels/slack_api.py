"""Slack's Web API for one token, with Slack's answers turned into what turns understand."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from parlour.turns.ports import CredentialsRejected, DraftLost, NotSent, OutcomeUnknown, Rejected, Throttled

PUBLIC_API: Final = "https://slack.com/api/"

# https://docs.slack.dev/reference/methods/chat.postMessage#errors
_CREDENTIALS: Final = frozenset({"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired"})
_NOTHING_DONE: Final = frozenset({"request_timeout", "team_added_to_org", "ekm_access_denied", "accesslimited"})
_DRAFT_GONE: Final = frozenset({"message_not_found", "cant_update_message", "edit_window_closed"})
# "It's possible some aspect of the operation succeeded before the error was raised."
_UNCLEAR: Final = frozenset({"internal_error", "fatal_error", "service_unavailable"})
_DEFAULT_RETRY_S: Final = 30.0
_SERVER_ERROR: Final = 500
_SECRETS: Final = re.compile(r"\bx(?:ox[a-z]|app)-[\w.-]+|(?<=\?)[^\s'\"<>()]+")
_TOO_MANY: Final = 429
_OK: Final = 200
_BINARY: Final = {"Content-Type": "application/octet-stream"}
# A file takes longer than a message.
_UPLOAD: Final = aiohttp.ClientTimeout(total=120.0, sock_connect=10.0)


class SlackError(Exception):
    """Slack said no with a code that only the caller can judge. Never leaves this package."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class _Discreet(logging.Filter):
    """Takes tokens, queries of addresses (a socket's ticket) and tracebacks out of what Slack's libraries log."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = _SECRETS.sub("…", record.getMessage())
        record.args = None
        record.exc_info = record.exc_text = None
        return True


def quiet_logger() -> logging.Logger:
    """A logger for Slack's libraries that can never be turned to debug: they write whole messages and tokens there."""
    logger = logging.getLogger("parlour.channels.slack.sdk")
    logger.setLevel(logging.WARNING)
    if not logger.filters:
        logger.addFilter(_Discreet())
    return logger


class SlackApi:
    """Calls of one token. Retries nothing by itself: a retry after a lost answer would post twice."""

    def __init__(self, token: str, session: aiohttp.ClientSession, *, base_url: str = PUBLIC_API) -> None:
        self._session = session
        self.client = AsyncWebClient(
            token=token or None, base_url=base_url, session=session, retry_handlers=[], logger=quiet_logger()
        )
        if is_loopback(base_url):
            self.client.proxy = None
        self.base_url = self.client.base_url

    async def call(self, method: str, *, is_repeatable: bool, **arguments: object) -> dict[str, Any]:
        """Slack's answer to `method`.

        `is_repeatable`: doing it twice does no harm (reading, editing), so that no outcome of it is ever unknown.
        Raises `SlackError` for a refusal that concerns the content, else the exceptions of `turns.ports`.
        """
        present = {name: value for name, value in arguments.items() if value is not None}
        unclear = NotSent if is_repeatable else OutcomeUnknown
        # The loop gets to see which kept connections the server has closed meanwhile. On one of those the request
        # would break in a way that cannot be told from a lost answer.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        try:
            if method.startswith(("conversations.", "users.", "files.", "oauth.")):
                # Slack's reading methods take forms only. In the body: an address ends up in the logs of proxies.
                answer = await self.client.api_call(
                    method, data={name: _form(value) for name, value in present.items()}
                )
            else:
                answer = await self.client.api_call(method, json=present)
        except SlackApiError as error:
            raise _refusal(error, unclear, method) from None
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotSent(f"{method}: {type(error).__name__}") from None
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, AttributeError) as error:
            # The last two are how the SDK says that what came back is not Slack's.
            raise unclear(f"{method}: {type(error).__name__}") from None
        return dict(answer.data) if isinstance(answer.data, dict) else {}

    async def download(self, url: str, *, is_page: bool, limit_bytes: int) -> bytes:
        """The bytes behind a file's private address. Raises `Rejected("too_large")` past the limit.

        `is_page` says that the file is HTML by itself: else HTML is Slack's login page, its word for a missing scope.
        """
        if not self._is_slack(url):
            raise Rejected("file_elsewhere")
        headers = {"Authorization": f"Bearer {self.client.token}"}
        try:
            async with self._session.get(
                url, headers=headers, allow_redirects=False, proxy=self.client.proxy
            ) as response:
                _check_download(response, is_page=is_page)
                return await _read(response.content.iter_chunked(65_536), limit_bytes)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NotSent(f"download: {type(error).__name__}") from None

    async def upload(self, url: str, content: bytes) -> None:
        """Send a file's bytes to the address that Slack named for them. Nobody sees it yet, so it may be repeated."""
        if not self._is_slack(url):
            raise Rejected("file_elsewhere")
        try:
            async with self._session.post(
                url, data=content, headers=_BINARY, allow_redirects=False, proxy=self.client.proxy, timeout=_UPLOAD
            ) as response:
                if response.status == _TOO_MANY:
                    raise Throttled(retry_after_s=_seconds(response.headers.get("Retry-After")))
                if response.status != _OK:
                    raise NotSent(f"upload: {response.status}")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NotSent(f"upload: {type(error).__name__}") from None

    def _is_slack(self, url: str) -> bool:
        """Whether the token or a file may be shown to this address: Slack's, or the server that stands in for it."""
        target, home = urlsplit(url), urlsplit(self.base_url)
        if target.netloc == home.netloc and target.scheme == home.scheme:
            return True
        host = target.hostname or ""
        return target.scheme == "https" and (host == "slack.com" or host.endswith((".slack.com", ".slack-files.com")))


def is_loopback(url: str) -> bool:
    """Whether `url` names this machine; a proxy from the environment is for the world outside."""
    return urlsplit(url).hostname in {"127.0.0.1", "localhost", "::1"}


async def paged(api: SlackApi, method: str, *, pages: int, **arguments: object) -> AsyncIterator[dict[str, Any]]:
    """Messages of a reading method, page by page. Raises `OutcomeUnknown` when there are more than `pages` pages."""
    cursor: str | None = None
    for _ in range(pages):
        answer = await api.call(method, is_repeatable=True, cursor=cursor, **arguments)
        for message in answer.get("messages", []):
            yield message
        cursor = (answer.get("response_metadata") or {}).get("next_cursor") or None
        if cursor is None:
            return
    raise OutcomeUnknown(f"{method}: more than {pages} pages")


def _refusal(error: SlackApiError, unclear: type[Exception], method: str) -> Exception:
    """What an answer of Slack's that is not ok means."""
    response = error.response
    status = getattr(response, "status_code", None) or getattr(response, "status", 0)
    data = getattr(response, "data", None)
    code = str(data.get("error") or "") if isinstance(data, dict) else ""
    if status == _TOO_MANY or code in {"ratelimited", "rate_limited"}:
        headers = getattr(response, "headers", None) or {}
        return Throttled(retry_after_s=_seconds(headers.get("Retry-After") or headers.get("retry-after")))
    if code in _CREDENTIALS:
        return CredentialsRejected(
            f"slack.bot_token: Slack does not accept this workspace's token ({code}). "
            "Set it to the Bot User OAuth Token (xoxb-…) of the app, or install the app again at /slack/install."
        )
    if (status or 0) >= _SERVER_ERROR or code in _UNCLEAR or not code:
        return unclear(f"{method}: {code or status}")
    if code in _NOTHING_DONE:
        return NotSent(f"{method}: {code}")
    if code in _DRAFT_GONE and is_edit(method):
        return DraftLost(code)
    return SlackError(code)


def is_edit(method: str) -> bool:
    """Whether `method` changes a message that is there already."""
    return method in {"chat.update", "chat.appendStream", "chat.stopStream", "chat.delete"}


def _seconds(header: str | None) -> float:
    try:
        return max(1.0, float(header)) if header else _DEFAULT_RETRY_S
    except ValueError:
        return _DEFAULT_RETRY_S


def _form(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _check_download(response: aiohttp.ClientResponse, *, is_page: bool) -> None:
    """Raise what this answer to a download means, if it brings no file."""
    if response.status == _TOO_MANY:
        raise Throttled(retry_after_s=_seconds(response.headers.get("Retry-After")))
    if response.status >= _SERVER_ERROR:
        raise NotSent(f"download: {response.status}")
    if response.status != _OK or (response.content_type == "text/html" and not is_page):
        raise Rejected("file_unreadable")


async def _read(chunks: AsyncIterator[bytes], limit_bytes: int) -> bytes:
    """All chunks in one. Raises `Rejected("too_large")` as soon as they pass the limit."""
    content = bytearray()
    async for chunk in chunks:
        content += chunk
        if len(content) > limit_bytes:
            raise Rejected("too_large")
    return bytes(content)


def session(timeout_s: float) -> aiohttp.ClientSession:
    """An HTTP session for all calls of a channel: the SDK's own opens a connection for every call."""
    timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=min(timeout_s, 10.0))
    return aiohttp.ClientSession(timeout=timeout)
