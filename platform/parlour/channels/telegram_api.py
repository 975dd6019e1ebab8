"""The Bot API through python-telegram-bot, made certain in one thing: whether a request that failed was carried out."""

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, Final

import httpx
from telegram import Bot
from telegram.error import NetworkError, TelegramError
from telegram.request import HTTPXRequest

from parlour.turns.ports import CredentialsRejected, DraftLost, NotSent, OutcomeUnknown, Rejected, Throttled

PUBLIC_BASE_URL: Final = "https://api.telegram.org/bot"
POLL_S: Final = 25
# Telegram says how long; a proxy in front of it may not.
_DEFAULT_RETRY_S: Final = 5.0
# Failures that happen before the first byte of a request is written.
_BEFORE_SENDING: Final = (
    httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol,
)  # fmt: skip
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


class Request(HTTPXRequest):
    """HTTP for the bot, which says of every failure whether the server may have done the work.

    python-telegram-bot folds a refused connection, a lost answer and a 502 into `NetworkError`; a ledger has to tell
    them apart. Its own exceptions for 4xx are bypassed too: `RetryAfter` warns when it is only made.
    """

    async def do_request(self, *args: Any, **kwargs: Any) -> tuple[int, bytes]:  # noqa: ANN401 (passed through)
        """Status and body of a 2xx answer. Raises `Refused`, `RequestNeverSent`, `AnswerLost`, without the address in
        any of them: it has the token in it.
        """
        try:
            status, payload = await super().do_request(*args, **kwargs)
        except NetworkError as error:
            cause = error.__cause__
            if isinstance(cause, _BEFORE_SENDING):
                raise RequestNeverSent(type(cause).__name__) from None
            raise AnswerLost(type(cause or error).__name__) from None
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return status, _checked(payload)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise AnswerLost(f"HTTP {status}")
        raise Refused(status, _body(payload))


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
    request = Request(
        connection_pool_size=64, connect_timeout=5, read_timeout=timeout_s, write_timeout=timeout_s, pool_timeout=5
    )
    polling = Request(
        connection_pool_size=2, connect_timeout=5, read_timeout=POLL_S + 10, write_timeout=5, pool_timeout=5
    )
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
