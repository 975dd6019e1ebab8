"""An assistant that follows a script, behind the ports that web and terminal use: intake, history, live bus, keys."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import Event, Lock, Thread
from typing import Any, Literal

from parlour.store.errors import DatabaseUnavailable
from parlour.store.ids import AccountId, AttachmentId, ConversationId, MessageId, SubjectId, TurnId, UserId, new_id
from parlour.turns.ports import Address, Frame, Incoming, IncomingKind, Live, Taken, Verdict
from parlour.turns.said import ConversationView, Enclosure, FileView, Said


class FakeClock:
    """A clock that tells real time; nothing here depends on it."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class FakeBus:
    """A live bus in process; a dead one loses every frame."""

    def __init__(self) -> None:
        self.is_dead = False
        self._lock = Lock()
        self._subscribers: list[tuple[asyncio.AbstractEventLoop, asyncio.Queue[Live]]] = []

    def publish(self, live: Live) -> None:
        with self._lock:
            subscribers = [] if self.is_dead else list(self._subscribers)
        for loop, queue in subscribers:
            loop.call_soon_threadsafe(queue.put_nowait, live)

    async def subscribe(self, account_ids: Sequence[AccountId]) -> AsyncIterator[Live]:
        queue: asyncio.Queue[Live] = asyncio.Queue()
        entry = (asyncio.get_running_loop(), queue)
        with self._lock:
            self._subscribers.append(entry)
        try:
            while True:
                live = await queue.get()
                if live.account_id in account_ids:
                    yield live
        finally:
            with self._lock:
                self._subscribers.remove(entry)

    @property
    def is_listened_to(self) -> bool:
        return bool(self._subscribers)


class FakeSealer:
    """Seals by naming the subject and turn in front, so that opening for another one shows."""

    def seal_live(self, subject: SubjectId, turn_id: TurnId, plaintext: bytes) -> bytes:
        return subject.bytes + turn_id.bytes + plaintext

    def open_live(self, subject: SubjectId, turn_id: TurnId, sealed: bytes) -> bytes:
        assert sealed[:32] == subject.bytes + turn_id.bytes
        return sealed[32:]


class FakeAccounts:
    """Accounts in memory."""

    def __init__(self) -> None:
        self.registered: dict[tuple[str, str], AccountId] = {}

    def register(self, channel: str, external_id: str, name: str, *, credentials: str | None = None) -> AccountId:
        return self.registered.setdefault((channel, external_id), AccountId(new_id()))

    def credentials(self, account_id: AccountId) -> str | None:
        return None

    def list(self, channel: str) -> list[tuple[AccountId, str]]:
        return [(account, name) for (kind, name), account in self.registered.items() if kind == channel]

    def cursor(self, account_id: AccountId) -> int | None:
        return None

    def move_cursor(self, account_id: AccountId, cursor: int) -> None:
        pass

    def reject(self, account_id: AccountId) -> None:
        pass


@dataclass
class Chat:
    """One conversation as it is stored."""

    view: ConversationView
    account_id: AccountId
    said: list[Said] = field(default_factory=list)
    open: list[TurnId] = field(default_factory=list)
    files: dict[AttachmentId, FileView] = field(default_factory=dict)


class FakeTalk:
    """Intake and history in one. A test answers by hand (`draft`, `answer`), or `script` answers in a thread.

    `script` takes a message and returns the answer's pieces; between two pieces it waits `pause_s`, or until a stop.
    """

    def __init__(self, bus: FakeBus | None = None, script: "Script | None" = None) -> None:
        self.bus = bus or FakeBus()
        self.sealer = FakeSealer()
        self.script = script
        self.is_down = False
        self.received: list[Incoming] = []
        self.chats: dict[str, Chat] = {}
        self._taken: dict[str, Taken] = {}
        self._lock = Lock()
        self._stops: dict[TurnId, Event] = {}
        self._threads: list[Thread] = []

    # ---- intake ----

    def receive_all(self, events: Sequence[Incoming]) -> list[Taken]:
        return [self.receive(incoming) for incoming in events]

    def receive(self, incoming: Incoming) -> Taken:
        if self.is_down:
            raise DatabaseUnavailable("The database is away.")
        with self._lock:
            self.received.append(incoming)
            before = self._taken.get(incoming.event_id)
            if before is not None:
                return replace(before, verdict=Verdict.DUPLICATE)
            taken = self._taken[incoming.event_id] = self._take(incoming)
        return taken

    def _take(self, incoming: Incoming) -> Taken:
        if incoming.kind is IncomingKind.STOP:
            return self._stop(incoming)
        if incoming.kind is IncomingKind.FEEDBACK:
            return self._rate(incoming)
        chat = self.chats.setdefault(incoming.address.chat, self._new_chat(incoming.account_id))
        turn = TurnId(new_id())
        if not incoming.text and not incoming.attachments:
            return Taken(Verdict.IGNORED)
        typed = f"/{incoming.text}" if incoming.kind is IncomingKind.COMMAND else incoming.text
        self._say(chat, turn, "user", typed)
        if incoming.kind is IncomingKind.COMMAND:
            self._say(chat, turn, "notice", f"You asked for **{incoming.text}**.")
            return Taken(Verdict.REPLIED, turn, chat.view.id)
        chat.open.append(turn)
        if self.script:
            self._stops[turn] = Event()
            thread = Thread(target=self._play, args=(incoming.address.chat, turn, incoming.text), daemon=True)
            self._threads.append(thread)
            thread.start()
        return Taken(Verdict.ACCEPTED, turn, chat.view.id)

    def _new_chat(self, account_id: AccountId) -> Chat:
        return Chat(ConversationView(ConversationId(new_id()), UserId(new_id())), account_id)

    def _stop(self, incoming: Incoming) -> Taken:
        chat = self.chats.get(incoming.address.chat)
        for turn in list(chat.open if chat else ()):
            if turn in self._stops:
                self._stops[turn].set()
        return Taken(Verdict.REPLIED)

    def _rate(self, incoming: Incoming) -> Taken:
        chat = self.chats[incoming.address.chat]
        for index, said in enumerate(chat.said):
            if str(said.turn_id) == incoming.message_key and said.author == "assistant":
                chat.said[index] = replace(said, is_rated=incoming.text == "up")
        return Taken(Verdict.REPLIED)

    # ---- history ----

    def find(self, account_id: AccountId, address: Address) -> ConversationView | None:
        if self.is_down:
            raise DatabaseUnavailable("The database is away.")
        chat = self.chats.get(address.chat)
        return chat.view if chat and chat.account_id == account_id else None

    def messages(
        self, conversation_id: ConversationId, *, after: MessageId | None = None, limit: int = 50
    ) -> list[Said]:
        if self.is_down:
            raise DatabaseUnavailable("The database is away.")
        said = self._chat(conversation_id).said
        if after is None:
            return said[-limit:]
        return [one for one in said if one.id > after][:limit]

    def open_turns(self, conversation_id: ConversationId) -> list[TurnId]:
        if self.is_down:
            raise DatabaseUnavailable("The database is away.")
        return list(self._chat(conversation_id).open)

    def file(self, conversation_id: ConversationId, file_id: AttachmentId) -> FileView | None:
        if self.is_down:
            raise DatabaseUnavailable("The database is away.")
        return self._chat(conversation_id).files.get(file_id)

    def _chat(self, conversation_id: ConversationId) -> Chat:
        return next(chat for chat in self.chats.values() if chat.view.id == conversation_id)

    # ---- the assistant's side ----

    def draft(self, turn_id: TurnId, text: str) -> None:
        """Show the answer so far on the bus."""
        chat = self._of(turn_id)
        body = self.sealer.seal_live(chat.view.user_id, turn_id, text.encode())
        self.bus.publish(Live(Frame.DRAFT, chat.account_id, chat.view.id, turn_id, body))

    def answer(
        self, turn_id: TurnId, text: str, *, author: Literal["assistant", "notice"] = "assistant", **more: Any
    ) -> Said:
        """Store the answer, end the turn, tell the bus. `more` are other fields of `Said`."""
        chat = self._of(turn_id)
        with self._lock:
            said = chat.said[-1] = replace(self._say(chat, turn_id, author, text), **more)
            chat.open.remove(turn_id)
        self.bus.publish(Live(Frame.READY, chat.account_id, chat.view.id, turn_id))
        return said

    def enclose(self, turn_id: TurnId, file: FileView, *, alt: str | None = None, words: str = "") -> Enclosure:
        """Keep a file for an answer of that turn."""
        file_id = AttachmentId(new_id())
        self._of(turn_id).files[file_id] = file
        return Enclosure(file_id, file.name, file.media_type, len(file.content), alt, words)

    def _of(self, turn_id: TurnId) -> Chat:
        return next(chat for chat in self.chats.values() if turn_id in chat.open)

    def _say(self, chat: Chat, turn_id: TurnId, author: Literal["user", "assistant", "notice"], text: str) -> Said:
        said = Said(MessageId(new_id()), turn_id, author, text, datetime.now(UTC))
        chat.said.append(said)
        return said

    def _play(self, chat: str, turn_id: TurnId, text: str) -> None:
        assert self.script
        stop, answer = self._stops[turn_id], ""
        for piece in self.script.pieces(text):
            answer += piece
            self.draft(turn_id, answer)
            if stop.wait(self.script.pause_s):
                break
        self.answer(turn_id, answer)

    def close(self) -> None:
        """Stop every answer and wait for it."""
        for stop in self._stops.values():
            stop.set()
        for thread in self._threads:
            thread.join(60)


@dataclass
class Script:
    """What the assistant says to what."""

    answers: dict[str, str] = field(default_factory=dict)
    pause_s: float = 0.02

    def pieces(self, text: str) -> Iterator[str]:
        if text == "count":
            yield from (f"{number} " for number in range(1, 100_000))
            return
        answer = self.answers.get(text, f"You said: {text}")
        yield from (answer[start : start + 6] for start in range(0, len(answer), 6))
