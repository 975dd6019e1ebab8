"""An engine in a thread of its own: errors, death and shutdown reach the threads that wait."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import closing

import pytest

from parlour.engines.errors import EngineDied, EngineUnavailable, ModelFileError, NotSupported
from parlour.engines.host import EngineHost
from parlour.engines.protocol import Message, Piece, Request

REQUEST = Request("one", [Message("user", "hello")])


class ScriptedEngine:
    """Does what `acts` says: text is a piece, an exception is raised, None waits for ever."""

    name = "scripted"
    calls_tools = False
    context_tokens = 100
    max_concurrency = 2

    def __init__(self, *acts: str | Exception | None, start: Exception | None = None) -> None:
        self._acts = acts
        self._start = start
        self.closed = 0
        self.let_go = threading.Event()

    async def start(self) -> None:
        if self._start is not None:
            raise self._start

    async def close(self) -> None:
        self.closed += 1

    async def stream(self, request: Request) -> AsyncIterator[Piece]:
        try:
            for act in self._acts:
                if act is None:
                    await asyncio.Event().wait()
                elif isinstance(act, Exception):
                    raise act
                else:
                    yield Piece(act)
            yield Piece("", "stop", 1, len(self._acts))
        finally:
            self.let_go.set()

    async def count_tokens(self, messages: Sequence[Message]) -> int:
        return len(messages)

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        raise NotSupported("no")

    async def check(self) -> None:
        raise ZeroDivisionError("SECRET")


def test_what_prevents_a_start_is_raised_where_it_was_asked_for() -> None:
    engine = ScriptedEngine(start=ModelFileError("no such file"))
    host = EngineHost(engine)

    with pytest.raises(ModelFileError, match="no such file"):
        host.start()

    assert engine.closed == 1
    assert "engine" not in {thread.name for thread in threading.enumerate()}


def test_an_unforeseen_error_at_the_start_names_no_content() -> None:
    with pytest.raises(EngineUnavailable, match="ZeroDivisionError") as failed:
        EngineHost(ScriptedEngine(start=ZeroDivisionError("SECRET"))).start()

    assert "SECRET" not in str(failed.value)


def test_pieces_before_an_error_are_still_there() -> None:
    with closing(EngineHost(ScriptedEngine("a", "b", EngineDied("gone")))) as host:
        host.start()
        pieces = host.stream(REQUEST)

        assert [next(pieces).text, next(pieces).text] == ["a", "b"]
        with pytest.raises(EngineDied, match="gone"):
            next(pieces)
        assert list(pieces) == []


def test_an_unforeseen_error_in_an_answer_is_a_death_without_content() -> None:
    with closing(EngineHost(ScriptedEngine("a", ZeroDivisionError("SECRET")))) as host:
        host.start()

        with pytest.raises(EngineDied, match="ZeroDivisionError") as died:
            list(host.stream(REQUEST))

    assert "SECRET" not in str(died.value)


def test_closing_wakes_who_waits_for_a_piece() -> None:
    host = EngineHost(ScriptedEngine("a", None))
    host.start()
    pieces = host.stream(REQUEST)
    next(pieces)
    raised: list[Exception] = []

    def wait() -> None:
        try:
            next(pieces)
        except EngineDied as died:
            raised.append(died)

    waiting = threading.Thread(target=wait)
    waiting.start()
    host.close()
    waiting.join(60)

    assert len(raised) == 1


def test_cancelling_wakes_who_waits_and_the_engine_lets_go() -> None:
    engine = ScriptedEngine("a", None)
    with closing(EngineHost(engine)) as host:
        host.start()
        pieces = host.stream(REQUEST)
        next(pieces)
        threading.Thread(target=pieces.cancel).start()

        assert list(pieces) == []
        assert engine.let_go.wait(60)


def test_closing_a_stream_waits_until_the_engine_let_go() -> None:
    engine = ScriptedEngine("a", None)
    with closing(EngineHost(engine)) as host:
        host.start()
        pieces = host.stream(REQUEST)
        next(pieces)

        pieces.close()

        assert engine.let_go.is_set()


def test_an_answer_that_was_taken_whole_was_not_cancelled() -> None:
    with closing(EngineHost(ScriptedEngine("a"))) as host:
        host.start()
        with host.stream(REQUEST) as pieces:
            list(pieces)

        assert not pieces.is_cancelled


def test_an_engine_that_does_not_run_answers_nothing() -> None:
    host = EngineHost(ScriptedEngine("a"))

    with pytest.raises(EngineUnavailable, match="not running"):
        next(host.stream(REQUEST))
    with pytest.raises(EngineUnavailable, match="not running"):
        host.count_tokens([])


def test_calls_go_through_and_their_errors_come_back() -> None:
    with closing(EngineHost(ScriptedEngine())) as host:
        host.start()

        assert host.count_tokens([Message("user", "x")]) == 1
        with pytest.raises(NotSupported):
            host.embed(["x"])
        with pytest.raises(EngineUnavailable, match="ZeroDivisionError"):
            host.check()


def test_closing_twice_closes_once() -> None:
    engine = ScriptedEngine()
    host = EngineHost(engine)
    host.start()

    host.close()
    host.close()

    assert engine.closed == 1
