"""The Bot API through python-telegram-bot, made certain in one thing: whether a request that failed was carried out."""

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx
from telegram import Bot
from telegram.error import NetworkError, TelegramError
from telegram.request import BaseRequest, RequestData

from parlour.turns.ports import CredentialsRejected, DraftLost, NotSent, OutcomeUnknown, Rejected, Throttled

PUBLIC_BASE_URL: Final = "https://api.telegram.org/bot"
POLL_S: Final = 25
# Telegram says how long; a proxy in front of it may not.
_DEFAULT_RETRY_S: Final = 5.0
_CONNECT_S: Final = 5.0
# A server may close a connection at the moment that it is used again, and then nobody knows what became of the request.
_KEPT_S: Final = 15.0
# Failures that happen before the first byte of a request is written.
_BEFORE_SENDING: Final = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)
# What Telegram says (in lower case) and the word for it in the ledger.
_REJECTIONS: Final = (
    ("chat not found", "chat_not_found"),
    ("thread not found", "thread_gone"),
    ("topic_closed", "thread_gone"),
    ("topic_deleted", "thread_gone"),
    ("not enough rights", "no_rights"),
    ("have no rights", "no_rights"),
    ("chat_write_forbidden", "no_rights"),
    ("too long", "too_long"),
    ("too_long", "too_long"),
    ("file is too big", "too_large"),
    ("file_id", "file_gone"),
    ("upgraded to a supergroup", "chat_moved"),
)
_DRAFT_LOST: Final = (
    "message to edit not found",
    "message can't be edited",
    "message_id_invalid",
    "no text in the message",
)


class RequestNeverSent(NetworkError):
    """No connection was made: the server certainly did nothing."""


class AnswerLost(NetworkError):
    """The request may have reached the server, and no answer came back."""


class Refused(TelegramError):
    """The server answered that it did not do it."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        self.status = status
        self.description = str(body.get("description") or "")
        parameters = body.get("parameters") or {}
        self.retry_after_s = float(parameters.get("retry_after") or _DEFAULT_RETRY_S)
        self.moved_to: int | None = parameters.get("migrate_to_chat_id")
        super().__init__(f"{status} {self.description}")

    def says(self, *words: str) -> bool:
        """Whether the description has one of these in it."""
        description = self.description.lower()
        return any(word in description for word in words)


class Request(BaseRequest):
    """HTTP for the bot over aiohttp, which says of every failure whether the server may have done the work.

    python-telegram-bot's own `HTTPXRequest` folds a refused connection, a lost answer and a 502 into `NetworkError`; a
    ledger has to tell them apart. Its exceptions for 4xx are bypassed too: `RetryAfter` warns when it is only made.
    And httpx took a fifth of a whole turn's processor time.
    """

    def __init__(self, base_url: str, *, connections: int, read_timeout_s: float) -> None:
        """For one event loop. A request waits `read_timeout_s` for each piece of its answer."""
        self._proxy = _proxy_for(base_url)
        self._connections = connections
        self._read_timeout_s = read_timeout_s
        self._session: aiohttp.ClientSession | None = None

    @property
    def read_timeout(self) -> float | None:
        """Seconds, where a request names no others."""
        return self._read_timeout_s

    async def initialize(self) -> None:
        """Be ready to connect; does nothing the second time."""
        if self._session is None:
            # The certificates that httpx trusts: with aiohttp's own a slim container would trust nobody.
            connector = aiohttp.TCPConnector(
                limit=self._connections, keepalive_timeout=_KEPT_S, ssl=httpx.create_ssl_context()
            )
            self._session = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), headers={"User-Agent": self.USER_AGENT}
            )

    async def shutdown(self) -> None:
        """Let go of the connections."""
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: Any = BaseRequest.DEFAULT_NONE,  # noqa: ANN401 (seconds, None or "not given")
        write_timeout: Any = BaseRequest.DEFAULT_NONE,  # noqa: ANN401
        connect_timeout: Any = BaseRequest.DEFAULT_NONE,  # noqa: ANN401
        pool_timeout: Any = BaseRequest.DEFAULT_NONE,  # noqa: ANN401
    ) -> tuple[int, bytes]:
        """Status and body of a 2xx answer. Raises `Refused`, `RequestNeverSent`, `AnswerLost`, without the address in
        any of them: it has the token in it. Of the time limits only that for reading is taken.
        """
        try:
            status, payload = await self._ask(url, method, request_data, self._limits(read_timeout))
        except _BEFORE_SENDING as error:
            raise RequestNeverSent(type(error).__name__) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise AnswerLost(type(error).__name__) from None
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return status, _checked(payload)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise AnswerLost(f"HTTP {status}")
        raise Refused(status, _body(payload))

    async def _ask(
        self, url: str, method: str, data: RequestData | None, limits: aiohttp.ClientTimeout
    ) -> tuple[int, bytes]:
        if self._session is None:
            raise RequestNeverSent("closed")
        asked = self._session.request(
            method, url, data=_form(data), timeout=limits, proxy=self._proxy, allow_redirects=False
        )
        async with asked as answer:
            return answer.status, await answer.read()

    def _limits(self, read_timeout: Any) -> aiohttp.ClientTimeout:  # noqa: ANN401 (a number, None or "not given")
        read_s = self._read_timeout_s if read_timeout is BaseRequest.DEFAULT_NONE else read_timeout
        # `connect` has the waiting for a free connection in it.
        return aiohttp.ClientTimeout(connect=2 * _CONNECT_S, sock_connect=_CONNECT_S, sock_read=read_s)


def _form(data: RequestData | None) -> aiohttp.FormData | None:
    """A request's parameters as the server takes them: in parts where there are files among them."""
    if data is None:
        return None
    # Unquoted: a file's name is shown as it is told, and a blank in it is no `%20`.
    form = aiohttp.FormData(data.json_parameters, quote_fields=False)
    for name, (file_name, content, media_type) in data.multipart_data.items():
        form.add_field(name, content, filename=file_name, content_type=media_type)
    return form


def _proxy_for(base_url: str) -> str | None:
    """The proxy that the environment names for this address."""
    address = urlsplit(base_url)
    if not address.hostname or proxy_bypass(address.hostname):
        return None
    proxies = getproxies()
    return proxies.get(address.scheme) or proxies.get("all")


def _checked(payload: bytes) -> bytes:
    """A 2xx answer that is JSON; a proxy's page instead says nothing about what was done."""
    if "ok" not in _body(payload):
        raise AnswerLost("not JSON")
    return payload


def _body(payload: bytes) -> dict[str, Any]:
    try:
        body = json.loads(payload)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def make_bot(token: str, base_url: str, *, timeout_s: float = 15.0) -> Bot:
    """A bot that keeps its token out of the logs and never sends anything twice by itself."""
    keep_token_out_of_logs()
    file_url = f"{base_url.removesuffix('bot')}file/bot"
    request = Request(base_url, connections=64, read_timeout_s=timeout_s)
    polling = Request(base_url, connections=2, read_timeout_s=POLL_S + 10)
    return Bot(token, base_url=base_url, base_file_url=file_url, request=request, get_updates_request=polling)


def keep_token_out_of_logs() -> None:
    """Httpx logs every address at INFO, and the Bot API has the token in it; python-telegram-bot logs parameters, which
    are what people said, at DEBUG. Neither is ever wanted.
    """
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("telegram").setLevel(logging.CRITICAL)


@asynccontextmanager
async def translated(*, is_repeatable: bool) -> AsyncIterator[None]:
    """Raises what `Messenger` raises for what the Bot API raises.

    A request that can be repeated without harm (an edit, a typing action) is `NotSent` when its answer is lost; a new
    message is `OutcomeUnknown`. `from None` throughout: neither token nor text may be in a traceback.
    """
    try:
        yield
    except RequestNeverSent as error:
        raise NotSent(error.message) from None
    except AnswerLost as error:
        if is_repeatable:
            raise NotSent(error.message) from None
        raise OutcomeUnknown(error.message) from None
    except Refused as error:
        raise of_refusal(error) from None
    except TelegramError as error:
        raise OutcomeUnknown(type(error).__name__) from None


def of_refusal(error: Refused) -> Exception:
    """The exception of `turns.ports` for what the server refused."""
    if error.status == HTTPStatus.TOO_MANY_REQUESTS:
        return Throttled(retry_after_s=error.retry_after_s)
    if error.status == HTTPStatus.UNAUTHORIZED or (error.status == HTTPStatus.NOT_FOUND and not error.says("method")):
        return CredentialsRejected(
            "telegram.token: Telegram does not accept it. Copy the bot's current token from @BotFather and restart."
        )
    if error.status == HTTPStatus.FORBIDDEN:
        return Rejected("forbidden")
    if error.says(*_DRAFT_LOST):
        return DraftLost()
    return Rejected(next((code for words, code in _REJECTIONS if error.says(words)), f"http_{error.status}"))
