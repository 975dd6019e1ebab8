"""The web chat's event stream over a real HTTP server."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import pytest

from parlour.channels.web import WebChannel
from parlour.store.ids import TurnId, new_id
from tests.fakes.gateway import FakeGateway, serving
from tests.fakes.talk import FakeClock, FakeTalk


@dataclass
class Event:
    """One event as it came."""

    name: str
    data: Any
    id: str | None = None


@pytest.fixture
def talk() -> FakeTalk:
    return FakeTalk()


@pytest.fixture
def gateway(talk: FakeTalk) -> Iterator[FakeGateway]:
    channel = WebChannel(history=talk, bus=talk.bus, sealer=talk.sealer, clock=FakeClock())
    with serving([channel], talk) as gateway:
        yield gateway


@pytest.fixture
def browser(gateway: FakeGateway) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=gateway.url, headers={"Origin": gateway.url}, timeout=60) as browser:
        browser.get("/")
        yield browser


def _write(browser: httpx.Client, text: str) -> TurnId:
    answer = browser.post("/chat/messages", json={"id": str(new_id()), "text": text})
    return TurnId(UUID(answer.json()["turn"]))


@contextmanager
def _events(browser: httpx.Client, **headers: str) -> Iterator[Iterator[Event]]:
    with browser.stream("GET", "/chat/events", headers=headers) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        yield _parsed(stream.iter_lines())


def _parsed(lines: Iterator[str]) -> Iterator[Event]:
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "event" in fields:
            yield Event(fields["event"], json.loads(fields["data"]), fields.get("id"))
            fields = {}


def _next(events: Iterator[Event], name: str) -> Event:
    return next(event for event in events if event.name == name)


def test_drafts_and_the_answer_come_as_they_are_made(browser: httpx.Client, talk: FakeTalk) -> None:
    turn = _write(browser, "hello")

    with _events(browser) as events:
        asked = _next(events, "said")
        waiting = _next(events, "waiting")
        talk.draft(turn, "**Hel")
        draft = _next(events, "draft")
        said = talk.answer(turn, "**Hello**")
        answer = _next(events, "said")

    assert asked.data["author"] == "user"
    assert waiting.data == {"turns": [str(turn)]}
    assert draft.data == {"turn": str(turn), "html": "<p>**Hel</p>\n"}
    assert answer.id == str(said.id)
    assert "<strong>Hello</strong>" in answer.data["html"]


def test_with_the_bus_dead_the_answer_comes_all_the_same(browser: httpx.Client, talk: FakeTalk) -> None:
    talk.bus.is_dead = True
    turn = _write(browser, "hello")

    with _events(browser) as events:
        _next(events, "waiting")
        talk.answer(turn, "Hello")
        answer = _next(events, "said")

    assert answer.data["author"] == "assistant"


def test_a_browser_that_comes_back_misses_nothing(browser: httpx.Client, talk: FakeTalk) -> None:
    turn = _write(browser, "hello")
    with _events(browser) as events:
        seen = _next(events, "said")
    answered = talk.answer(turn, "Hello")

    with _events(browser, **{"Last-Event-ID": str(seen.id)}) as events:
        ids = [_next(events, "said").id, _next(events, "said").id]

    assert str(answered.id) in ids


@pytest.mark.parametrize(
    "unknown", ["nonsense", "01a211e7-1c9d-7481-8a9e-d097650f6881", "00000000-0000-0000-0000-000000000000", "x" * 5_000]
)
def test_an_event_id_that_nobody_knows_breaks_nothing(browser: httpx.Client, unknown: str) -> None:
    _write(browser, "hello")

    with _events(browser, **{"Last-Event-ID": unknown}) as events:
        assert _next(events, "said").data["author"] == "user"


def test_a_stream_is_never_silent_for_long(browser: httpx.Client) -> None:
    with _events(browser) as events:
        assert _next(events, "beat").data == {}


def test_a_gateway_that_stops_ends_its_streams(browser: httpx.Client, gateway: FakeGateway) -> None:
    with _events(browser) as events:
        _next(events, "waiting")

        gateway.stop()

        assert [event for event in events if event.name == "said"] == []


def test_one_browser_sees_nothing_of_another(browser: httpx.Client, gateway: FakeGateway, talk: FakeTalk) -> None:
    _write(browser, "mine")

    with httpx.Client(base_url=gateway.url, timeout=60) as other:
        other.get("/")
        with _events(other) as events:
            first = next(events)

    assert (first.name, first.data) == ("waiting", {"turns": []})
