"""The whole path in one process: questions go in through intake and Celery, answers are read from SQL."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from typing import Final
from uuid import UUID, uuid4

from sqlalchemy import select

from parlour.bench.crowd import Answered
from parlour.bench.errors import BenchError
from parlour.bench.questions import question
from parlour.bootstrap import Platform, platform
from parlour.engines.host import EngineHost, HostedStream
from parlour.engines.protocol import Engine, Request
from parlour.processes.engine_room import EmbeddedWorker
from parlour.processes.scheduler import Scheduler
from parlour.settings import Settings
from parlour.store.ids import AccountId, JobId, TurnId
from parlour.store.models import Turn
from parlour.turns.answer import Answerer
from parlour.turns.ports import Address, Frame, Incoming, IncomingKind, Sender
from parlour.turns.states import TurnState

_LOOK_EVERY_S: Final = 2.0
_ANSWER_S: Final = 600.0


class RecordingHost(EngineHost):
    """An engine that remembers what it was asked, so that the bare engine can be asked exactly the same."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.asked: dict[TurnId, Request] = {}

    def stream(self, request: Request) -> HostedStream:
        """The answer, as always."""
        turn_id, _, _ = request.id.partition(":")
        self.asked[TurnId(UUID(turn_id))] = request
        return super().stream(request)


@contextmanager
def worker(settings: Settings, host: RecordingHost, *, threads: int) -> Iterator[Platform]:
    """A platform with a Celery worker of so many threads and a scheduler, answering with `host`, which is started."""
    with ExitStack() as stack:
        parts = stack.enter_context(platform(settings, is_migrating=True))
        answerer = parts.answerer(host)
        parts.running.start()
        stack.callback(parts.running.close)
        celery_worker = EmbeddedWorker(parts.celery, _Answering(answerer), threads=threads)
        celery_worker.start()
        stack.callback(celery_worker.stop, 10.0)
        scheduler = Scheduler(parts)
        scheduler.start()
        stack.callback(scheduler.stop)
        yield parts


class _Answering:
    """A worker's tasks without learning and jobs: what is measured is answers."""

    def __init__(self, answerer: Answerer) -> None:
        self.answer = answerer.answer

    def run_job(self, job_id: JobId) -> None:
        """Let it go."""

    def learn(self, turn_id: TurnId) -> None:
        """Let it go."""


class Through:
    """Asks questions as the web page does: intake in, the live bus tells when to look, the answer is in SQL."""

    def __init__(self, parts: Platform) -> None:
        self._parts = parts
        self._account: AccountId = parts.accounts.register("terminal", "bench", "Benchmark")
        self._ready: dict[TurnId, asyncio.Event] = {}
        self.turns: dict[tuple[int, int], TurnId] = {}

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Hear of finished answers while the block runs."""
        listening = asyncio.create_task(self._listen())
        try:
            yield
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening

    async def ask(self, person: int, number: int) -> Answered:
        """Ask in a conversation of its own, so that the prompt is the same in every run. Raises `BenchError`."""
        asked_at = self._parts.clock.now()
        incoming = Incoming(
            account_id=self._account,
            event_id=uuid4().hex,
            kind=IncomingKind.MESSAGE,
            address=Address(chat=uuid4().hex),
            sender=Sender(external_id=f"person-{person}", name=f"Person {person}", language="en"),
            text=question(person, number),
            message_key=None,
            sent_at=asked_at,
        )
        taken = await asyncio.to_thread(self._parts.intake.receive, incoming)
        if taken.turn_id is None:
            raise BenchError(f"a question was not taken in but {taken.verdict}")
        self.turns[person, number] = taken.turn_id
        turn = await self._answer(taken.turn_id)
        first_at = turn.first_piece_at or turn.finished_at or asked_at
        return Answered(turn.completion_tokens, (first_at - asked_at).total_seconds())

    async def _answer(self, turn_id: TurnId) -> Turn:
        """The turn, answered. The bus may lose a word, so SQL is looked at now and then all the same."""
        ready = self._ready.setdefault(turn_id, asyncio.Event())
        async with asyncio.timeout(_ANSWER_S):
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_EVERY_S):
                        await ready.wait()
                turn = await asyncio.to_thread(self._read, turn_id)
                if turn.state == TurnState.ANSWERED.value:
                    return turn
                if turn.state not in {TurnState.QUEUED.value, TurnState.RUNNING.value}:
                    raise BenchError(f"a turn ended as {turn.state} ({turn.error}); the log above says why")

    def _read(self, turn_id: TurnId) -> Turn:
        with self._parts.database.read() as session:
            return session.scalars(select(Turn).where(Turn.id == turn_id)).one()

    async def _listen(self) -> None:
        async for live in self._parts.bus.subscribe([self._account]):
            if live.frame is Frame.READY:
                self._ready.setdefault(live.turn_id, asyncio.Event()).set()
