"""Logs are one stream of events with ids, and neither secrets nor what libraries quote get into them."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from parlour import logs
from parlour.settings import SettingsError


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_our_events_and_a_librarys_records_come_out_alike(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(style="json")

    structlog.get_logger("parlour.turns").info("turn_answered", turn_id="t1")
    logging.getLogger("some.library").warning("it is %s", "late")

    ours, theirs = lines(capsys)
    assert (ours["event"], ours["turn_id"], ours["level"], ours["logger"]) == (
        "turn_answered",
        "t1",
        "info",
        "parlour.turns",
    )
    assert (theirs["event"], theirs["level"], theirs["logger"]) == ("it is late", "warning", "some.library")
    assert "timestamp" in ours
    assert "timestamp" in theirs


def test_what_is_below_the_level_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(level="warning", style="json")

    structlog.get_logger("parlour").info("quiet")
    logging.getLogger("parlour").info("quiet")
    structlog.get_logger("parlour").warning("loud")

    assert [line["event"] for line in lines(capsys)] == ["loud"]


def test_requests_of_http_clients_are_not_logged_even_at_debug(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(level="debug", style="json")

    logging.getLogger("httpx").info("HTTP Request: POST https://example.org/bot1:x/sendMessage")

    assert lines(capsys) == []


def test_setting_up_twice_logs_once(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(style="json")
    logs.set_up(style="json")

    structlog.get_logger("parlour").info("once")

    assert len(lines(capsys)) == 1


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("POST https://api.telegram.org/bot123456789:AAE-x_yzABCDEFGHIJKLMNOPQRSTUVWXYZab/getMe", "AAE-x_yz"),
        ("base /bot123456:short/getMe", "short"),
        ("token 123456789:AAExyzABCDEFGHIJKLMNOPQRSTUVWXYZabcde is bad", "AAExyz"),
        ("slack says xoxb-1234-abcd no", "1234-abcd"),
        ("slack says xoxe.xoxp-1-Mi0yL no", "Mi0yL"),
        ("socket wants xapp-1-A0-77-ff", "A0-77"),
        ("{'Authorization': 'Bearer abc.def-ghi'}", "abc.def"),
        ("authorization: Basic dXNlcjpwYXNz", "dXNlcj"),
        ("api_key=sk-live-1234567890abcdef", "1234567890"),
        ("postgresql://parlour:hunter2@db/parlour", "hunter2"),
        ("redis://:hunter2@cache:6379/0", "hunter2"),
        ("client_secret=deadbeef&code=1", "deadbeef"),
    ],
)
def test_what_looks_like_a_secret_is_taken_out(text: str, secret: str) -> None:
    redacted = logs.redact(text)

    assert secret not in redacted
    assert logs.REDACTED in redacted


@pytest.mark.parametrize(
    "text", ["turn 0197-aa answered in 12:30:15", "12345:67", "a token was refused", "http://host:80/"]
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert logs.redact(text) == text


def test_a_secret_is_taken_out_wherever_in_the_event_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(style="json")

    structlog.get_logger("parlour").info(
        "said", plain="xoxb-marker-1", nested={"a": ["xoxb-marker-2"]}, thing=ValueError("xoxb-marker-3")
    )

    written = capsys.readouterr().err
    assert "marker" not in written
    assert logs.REDACTED in written


def test_an_exception_tells_where_but_not_what_a_library_quoted(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(style="json")

    try:
        _quote("what a person wrote")
    except ValueError:
        structlog.get_logger("parlour").exception("turn_failed", turn_id="t1")
        logging.getLogger("some.library").exception("it failed")

    written = capsys.readouterr().err
    assert "what a person wrote" not in written
    for line in written.splitlines():
        exception = json.loads(line)["exception"]
        assert exception.startswith("ValueError")
        assert "in _quote" in exception
        assert "caused by\nKeyError" in exception


def test_an_exception_of_ours_tells_its_message(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(style="json")

    structlog.get_logger("parlour").error("refused", exc_info=SettingsError("web.port: is taken. Choose another."))

    assert "web.port: is taken. Choose another." in str(lines(capsys)[0]["exception"])


def test_text_for_a_terminal_holds_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(style="text")

    try:
        _quote("what a person wrote")
    except ValueError:
        structlog.get_logger("parlour").exception("turn_failed", turn_id="t1", token="xoxb-marker")

    written = capsys.readouterr().err
    assert "turn_failed" in written
    assert "t1" in written
    assert "what a person wrote" not in written
    assert "marker" not in written


def _quote(text: str) -> None:
    try:
        raise KeyError(text)
    except KeyError as error:
        raise ValueError(f"cannot digest {text!r}") from error
