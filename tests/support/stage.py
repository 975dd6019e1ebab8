"""A platform on a real database, with its neighbours in memory and its time in the test's hands."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from parlour.bootstrap import Platform, platform
from parlour.engines.host import EngineHost  # noqa: TC001 (an annotation like the others)
from parlour.people.accounts import AccountBook
from parlour.privacy.models import DataKeyRow
from parlour.settings import Settings, load
from parlour.store.clock import Clock
from parlour.store.database import Database
from parlour.store.ids import AccountId, ConversationId, TurnId, UserId
from parlour.store.models import Conversation, Delivery, Message, Turn
from parlour.store.schema import Schema
from parlour.turns.answer import Answerer
from parlour.turns.budget import LocalBudget
from parlour.turns.deliver import Sender
from parlour.turns.ledger import Ledger
from parlour.turns.order import Claim, Order
from parlour.turns.ports import Address, Frame, Incoming, IncomingKind, Live, Taken
from parlour.turns.ports import Sender as Writer
from parlour.turns.running import Running
from parlour.turns.states import Author
from tests.fakes.clock import FakeClock
from tests.fakes.turns import FakeMessenger, FakeQueue, RecordingBus, ScriptedEngine
from tests.support.migrated import migrate

DEADLINE_S = 60.0


class StillDatabase(Database):
    """A database whose clock is the test's."""

    def __init__(self, url: str, clock: FakeClock) -> None:
        super().__init__(url, pool_size=20)
        self._still = clock

    @property
    def clock(self) -> Clock:
        return self._still

    def _set_clock(self, session: Session) -> None:
        """The test sets it."""


@dataclass
class Worker:
    """What answers turns in one worker process."""

    engine: ScriptedEngine
    order: Order
    running: Running
    answerer: Answerer

    def claim(self, turn_id: TurnId) -> Claim | None:
        """Take the turn and nothing else."""
        claimed = self.order.claim(turn_id, lambda *_: None)
        return claimed[0] if claimed else None


@dataclass
class Stage:
    """The platform and its neighbours, and short words for what people do."""

    settings: Settings
    platform: Platform
    clock: FakeClock
    queue: FakeQueue
    bus: RecordingBus
    account_id: AccountId
    _events: Iterator[int] = field(default_factory=lambda: count(1))

    # ---- people ----

    def incoming(
        self,
        text: str,
        *,
        sender: str = "ann",
        chat: str | None = None,
        kind: IncomingKind = IncomingKind.MESSAGE,
        is_private: bool = True,
        language: str | None = None,
        **changes: Any,
    ) -> Incoming:
        """An event as a channel hands it in: by default Ann's message in her private chat."""
        number = next(self._events)
        event = Incoming(
            account_id=self.account_id,
            event_id=f"event-{number}",
            kind=kind,
            address=Address(chat or f"chat-{sender}", is_private=is_private),
            sender=Writer(sender, sender.title(), language),
            text=text,
            message_key=f"key-{number}",
            sent_at=self.clock.now(),
        )
        return replace(event, **changes)

    def say(self, text: str, **details: Any) -> Taken:
        """Someone writes."""
        return self.platform.intake.receive(self.incoming(text, **details))

    def command(self, text: str, **details: Any) -> Taken:
        """Someone gives a command."""
        return self.say(text, kind=IncomingKind.COMMAND, **details)

    def agree(self, **details: Any) -> None:
        """Someone is asked whether they may be remembered, and agrees."""
        self.command("privacy yes", **details)
        self.command("privacy yes", **details)

    # ---- workers ----

    def worker(self, engine: ScriptedEngine | None = None, *, owner: str = "worker-1") -> Worker:
        """A worker with an engine of its own, answering when it is told to."""
        engine = engine or ScriptedEngine()
        parts = replace(self.platform, owner=owner)
        running = Running(parts.order, parts.metrics, monotonic=self.clock.elapsed)
        parts.__dict__["running"] = running
        return Worker(engine, parts.order, running, parts.answerer(cast("EngineHost", engine)))

    def work(self, worker: Worker) -> None:
        """Have the worker answer what is published, and what becomes of it, until nothing is."""
        while waiting := self.queue.take():
            for turn_id in waiting:
                worker.answerer.answer(turn_id)

    def answer_all(self, engine: ScriptedEngine | None = None) -> str:
        """Have this process's own answerer answer what waits; what the assistant said last."""
        answerer = self.platform.answerer(cast("EngineHost", engine or ScriptedEngine()))
        while waiting := self.queue.take():
            for turn_id in waiting:
                answerer.answer(turn_id)
        return self.messages(Author.ASSISTANT.value)[-1]

    def answered(self, text: str, *, says: Sequence[str] = ("All well.",), **details: Any) -> Taken:
        """Someone writes and is answered."""
        taken = self.say(text, **details)
        self.work(self.worker(ScriptedEngine(list(says))))
        return taken

    # ---- posting ----

    def ledger(self, *, owner: str = "gateway-1") -> Ledger:
        """The ledger as one gateway moves it."""
        return replace(self.platform, owner=owner).ledger

    @asynccontextmanager
    async def posting(
        self, messenger: FakeMessenger, *, owner: str = "gateway-1", **changes: Any
    ) -> AsyncIterator[Sender]:
        """A gateway's sender that runs meanwhile."""
        sender = self.sender(messenger, owner=owner, **changes)
        task = asyncio.create_task(sender.run())
        try:
            yield sender
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def sender(self, messenger: FakeMessenger, *, owner: str = "gateway-1", **changes: Any) -> Sender:
        """A gateway's sender, not running."""
        ledger = self.ledger(owner=owner)
        # It is renewed in real time, which passes more slowly than the test's.
        ledger.lease = timedelta(days=30)
        parts: dict[str, Any] = {
            "messenger": messenger,
            "channel": "telegram",
            "ledger": ledger,
            "bus": self.bus,
            "budget": self.platform.budget,
            "sealer": self.platform.sealer,
            "metrics": self.platform.metrics,
            "on_rejected": lambda: self.platform.accounts.reject(self.account_id),
        }
        return Sender(**parts | changes)

    def shred(self, user_id: UUID) -> None:
        """Destroy a person's data key, as erasing does."""
        privacy = self.platform.privacy
        with privacy.key_store.begin() as session:
            session.execute(update(DataKeyRow).where(DataKeyRow.subject_id == user_id).values(wrapped=None))
        privacy.keyring.forget(UserId(user_id))

    def lose_key(self, user_id: UUID) -> None:
        """Have no data key of a person, as in a key store restored from before they came."""
        privacy = self.platform.privacy
        with privacy.key_store.begin() as session:
            session.execute(delete(DataKeyRow).where(DataKeyRow.subject_id == user_id))
        privacy.keyring.forget(UserId(user_id))

    def pass_time(self, seconds: float) -> None:
        """Let time pass, and have senders look again."""
        self.clock.advance(seconds)
        nobody = ConversationId(self.account_id)
        self.bus.publish(Live(Frame.READY, self.account_id, nobody, TurnId(self.account_id)))

    # ---- what is stored ----

    def turn(self, taken: Taken) -> Turn:
        """The turn's row."""
        with self.platform.database.read() as session:
            return session.get_one(Turn, taken.turn_id)

    def turns(self) -> list[Turn]:
        """All turns in order of arrival."""
        with self.platform.database.read() as session:
            return list(session.scalars(select(Turn).order_by(Turn.conversation_id, Turn.seq)))

    def states(self) -> list[str]:
        """The states of all turns in order of arrival."""
        return [turn.state for turn in self.turns()]

    def conversation(self, taken: Taken) -> Conversation:
        """The conversation's row."""
        with self.platform.database.read() as session:
            return session.get_one(Conversation, taken.conversation_id)

    def messages(self, author: str | None = None) -> list[str]:
        """The texts of what was said, opened, in order; of one author or of all."""
        wanted = select(Message).order_by(Message.created_at, Message.id)
        with self.platform.database.read() as session:
            rows = session.scalars(wanted).all()
        sealer = self.platform.sealer
        return [
            sealer.open_text(UserId(row.user_id), Message.body, row.id, row.body)
            for row in rows
            if author in {None, row.author}
        ]

    def deliveries(self) -> list[Delivery]:
        """The ledger's rows in order."""
        with self.platform.database.read() as session:
            return list(session.scalars(select(Delivery).order_by(Delivery.conversation_id, Delivery.turn_seq)))

    def count(self, table: type[Any]) -> int:
        """How many rows the table has."""
        with self.platform.database.read() as session:
            return len(session.scalars(select(table)).all())

    def metric(self, name: str, **labels: str) -> float:
        """The value of a counter."""
        return self.platform.metrics.registry.get_sample_value(name, labels) or 0.0


@contextmanager
def open_stage(folder: Path, *, channel: str = "telegram", url: str = "", **sections: Any) -> Iterator[Stage]:
    """A stage over a data folder that `make_template` made; `url` names another content database."""
    overrides: dict[str, Any] = {
        "access": {"policy": "open"},
        "engine": {"kind": "echo", "max_tokens": 100},
        # Tests about people switch it on: elsewhere the question behind the first answer would stand in between.
        "personalisation": {"is_on": False},
    }
    settings = load({}, data_dir=folder, database={"url": url}, **overrides | sections)
    clock = FakeClock()
    with platform(settings) as parts, closing(StillDatabase(settings.database_url, clock)) as database:
        accounts = AccountBook(
            database=database,
            privacy=parts.privacy,
            clock=clock,
            workspace=settings.workspace,
            keep_messages=timedelta(days=settings.turns.keep_messages_days),
        )
        queue, bus = FakeQueue(), RecordingBus()
        joined = replace(
            parts,
            database=database,
            accounts=accounts,
            queue=cast("Any", queue),
            bus=bus,
            budget=LocalBudget(monotonic=clock.elapsed),
            owner="gateway-1",
        )
        account_id = accounts.register(channel, "bot", "Bot")
        yield Stage(settings, joined, clock, queue, bus, account_id)


def make_template(folder: Path, *, url: str = "", keys_url: str = "") -> Path:
    """A data folder with both databases migrated and a key file, to be copied for each test."""
    settings = load({}, data_dir=folder, database={"url": url}, keys={"url": keys_url})
    migrate(settings.database_url)
    migrate(settings.keys_url, Schema.KEYS)
    with platform(settings):
        pass
    return folder


def copy_of(template: Path, folder: Path) -> Path:
    """A test's own copy."""
    shutil.copytree(template, folder)
    return folder


async def until(condition: Callable[[], bool], what: str = "what the test waits for") -> None:
    """Return once the condition holds; fail the test when it does not within the deadline."""
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, f"{what}: not within {DEADLINE_S:g} s"
        await asyncio.sleep(0.005)
