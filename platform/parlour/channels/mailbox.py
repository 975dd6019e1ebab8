"""Following a conversation in SQL: what web and terminal have instead of a messenger that is sent to.

SQL is the mailbox. The live bus only makes it quick: with the bus gone, a follower still looks into SQL every
second or two and misses nothing but drafts.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Protocol, TypeVar
from uuid import UUID

import structlog

from parlour.privacy.errors import PrivacyError
from parlour.store.errors import StoreError
from parlour.store.ids import AccountId, AttachmentId, ConversationId, MessageId, SubjectId, TurnId
from parlour.turns.ports import Address, Frame, Live, LiveBus
from parlour.turns.said import ConversationView, FileView, Said

log = structlog.get_logger()
T = TypeVar("T")

# Ids are ordered by the time they were made, not by the time they were committed: looking back so far finds what was
# made earlier and committed later, by a slow transaction or on a machine whose clock is behind, by ten minutes even.
OVERLAP_MS = 900_000
PAGE = 50
_THREADS = 8


class ReadsHistory(Protocol):
    """What is read of conversations; `parlour.turns.history` has the real one. Synchronous: called from threads."""

    def find(self, account_id: AccountId, address: Address) -> ConversationView | None:
        """The conversation at this address, None before the first message."""
        ...

    def messages(
        self, conversation_id: ConversationId, *, after: MessageId | None = None, limit: int = PAGE
    ) -> Sequence[Said]:
        """Oldest first: the newest `limit`, or the first `limit` with an id above `after`, which may not exist."""
        ...

    def file(self, conversation_id: ConversationId, file_id: AttachmentId) -> FileView | None:
        """A file of an answer in this conversation, None where it has no such file."""
        ...

    def open_turns(self, conversation_id: ConversationId) -> Sequence[TurnId]:
        """Turns that wait or run, in order."""
        ...


class OpensLive(Protocol):
    """Opens frames of the live bus; `parlour.privacy.sealing.Sealer` is the real one."""

    def open_live(self, subject: SubjectId, turn_id: TurnId, sealed: bytes) -> bytes:
        """The frame's content. Raises `PrivacyError`."""
        ...


@dataclass(frozen=True, slots=True)
class Draft:
    """The answer so far, whole."""

    turn_id: TurnId
    text: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """The turns that wait or run now, told after what was said before; again when a later look finds others.

    A turn that opens and ends between two looks is never among them: only its messages are told.
    """

    turn_ids: tuple[TurnId, ...]


@dataclass(frozen=True, slots=True)
class Away:
    """The conversation cannot be read just now. Following goes on."""


@dataclass(frozen=True, slots=True)
class Beat:
    """Nothing is new; still following."""


Event = Said | Draft | Waiting | Away | Beat


class Mailbox:
    """The conversations of one account, to be followed while they go on. Lives in one event loop.

    `busy_s` is how often SQL is looked at while an answer is on its way, `idle_s` how often otherwise; `draft_s` is the
    least time between two drafts of an answer, and grows with its length, since every draft holds the whole answer.
    """

    def __init__(
        self,
        account_id: AccountId,
        history: ReadsHistory,
        bus: LiveBus,
        sealer: OpensLive,
        *,
        busy_s: float = 1.5,
        idle_s: float = 5.0,
        draft_s: float = 0.08,
    ) -> None:
        self.account_id = account_id
        self.history = history
        self._bus = bus
        self._sealer = sealer
        self._busy_s, self._idle_s, self._draft_s = busy_s, idle_s, draft_s
        self._inboxes: dict[Hashable, set[_Inbox]] = {}
        self._is_closed = False
        # Threads of its own: many pages that read slowly must not keep an event from being taken in.
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="mailbox")

    async def run(self) -> None:
        """Hand the bus's frames to followers until cancelled; then every `follow` ends."""
        try:
            async for live in self._bus.subscribe([self.account_id]):
                for inbox in self._inboxes.get(live.conversation_id, ()):
                    inbox.put(live)
        finally:
            self.close()

    def close(self) -> None:
        """End every `follow`, so that a gateway can stop while pages are open."""
        self._is_closed = True
        for inboxes in self._inboxes.values():
            for inbox in inboxes:
                inbox.ring()
        self._threads.shutdown(wait=False)

    def wake(self, address: Address) -> None:
        """Have those who follow this address look at once: something was just committed here."""
        for inbox in self._inboxes.get(address.chat, ()):
            inbox.ring()

    async def find(self, address: Address) -> ConversationView | None:
        """The conversation at this address, None before the first message. Raises `StoreError`."""
        return await self._in_thread(lambda: self.history.find(self.account_id, address))

    async def recent(self, address: Address, *, limit: int = PAGE) -> tuple[list[Said], tuple[TurnId, ...]]:
        """The newest messages, oldest first, and the turns that wait or run. Raises `StoreError`, `PrivacyError`."""

        def read() -> tuple[list[Said], tuple[TurnId, ...]]:
            view = self.history.find(self.account_id, address)
            if view is None:
                return [], ()
            waiting = tuple(self.history.open_turns(view.id))
            return list(self.history.messages(view.id, limit=limit)), waiting

        return await self._in_thread(read)

    async def file(self, address: Address, file_id: AttachmentId) -> FileView | None:
        """A file of an answer at this address, None where there is none. Raises `StoreError`, `PrivacyError`."""

        def read() -> FileView | None:
            view = self.history.find(self.account_id, address)
            return None if view is None else self.history.file(view.id, file_id)

        return await self._in_thread(read)

    async def follow(self, address: Address, *, after: MessageId | None = None) -> AsyncIterator[Event]:
        """What is said from now on, drafts in between; first what was said after `after`, or the newest messages.

        A message may come again that was said within a minute before `after`: know it by its id.
        """
        with suppress(_Closed), self._inbox(address.chat) as inbox:
            reader = _Reader(self.history, self.account_id, address, after)
            while not self._is_closed:
                events = await self._read(reader) if inbox.take_due(self._pause_s(reader)) else []
                if reader.view and inbox.listen(self._inboxes, reader.view.id):
                    # A frame may have passed between the look into SQL and the listening.
                    inbox.ring()
                events += await self._opened(reader.view, inbox.take_drafts())
                for event in events or [Beat()]:
                    yield event
                await inbox.wait(self._pause_s(reader))
                await self._thin(events, inbox)

    def _pause_s(self, reader: "_Reader") -> float:
        return self._busy_s if reader.is_busy else self._idle_s

    async def _read(self, reader: "_Reader") -> list[Event]:
        try:
            return await self._in_thread(reader.news)
        except (StoreError, PrivacyError) as error:
            log.warning("conversation_unreadable", account_id=self.account_id, reason=type(error).__name__)
            return [Away()]

    async def _opened(self, view: ConversationView | None, sealed: dict[TurnId, bytes]) -> list[Event]:
        """The drafts, opened; one that does not open is left out: the answer comes by SQL all the same."""
        drafts: list[Event] = []
        for turn_id, body in sealed.items():
            if view is None:
                continue
            try:
                opened = await self._in_thread(partial(self._sealer.open_live, view.user_id, turn_id, body))
            except (StoreError, PrivacyError) as error:
                log.info("draft_unreadable", turn_id=turn_id, reason=type(error).__name__)
                continue
            drafts.append(Draft(turn_id, opened.decode("utf-8", "replace")))
        return drafts

    async def _thin(self, events: Sequence[Event], inbox: "_Inbox") -> None:
        """After a draft, let some time pass before the next; a finished answer waits for nothing."""
        longest = max((len(event.text) for event in events if isinstance(event, Draft)), default=-1)
        if longest >= 0:
            await inbox.wait_due(self._draft_s + longest / 100_000)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        if self._is_closed:
            raise _Closed
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    @contextmanager
    def _inbox(self, chat: str) -> Iterator["_Inbox"]:
        inbox = _Inbox()
        inbox.listen(self._inboxes, chat)
        try:
            yield inbox
        finally:
            inbox.leave(self._inboxes)


class _Closed(Exception):
    """The mailbox was closed while someone read."""


class _Inbox:
    """What one follower has not looked at yet: of each turn only the newest draft, so a slow reader holds up nobody."""

    def __init__(self) -> None:
        self._drafts: dict[TurnId, bytes] = {}
        self._is_due = True
        self._looked_at = 0.0
        self._bell = asyncio.Event()
        self._due_bell = asyncio.Event()
        self._keys: set[Hashable] = set()

    def listen(self, inboxes: dict[Hashable, set["_Inbox"]], key: Hashable) -> bool:
        """Be told what concerns `key` (a chat or a conversation); whether that is new."""
        if key in self._keys:
            return False
        self._keys.add(key)
        inboxes.setdefault(key, set()).add(self)
        return True

    def leave(self, inboxes: dict[Hashable, set["_Inbox"]]) -> None:
        """Be told nothing more."""
        for key in self._keys:
            inboxes[key].discard(self)
            if not inboxes[key]:
                del inboxes[key]

    def put(self, live: Live) -> None:
        """Take a frame in."""
        if live.frame is Frame.DRAFT:
            self._drafts[live.turn_id] = live.body
            self._bell.set()
        else:
            self.ring()

    def ring(self) -> None:
        """SQL has something new, or following ends."""
        self._is_due = True
        self._bell.set()
        self._due_bell.set()

    async def wait(self, timeout_s: float) -> None:
        """Return when anything is new; after `timeout_s` SQL is due."""
        # Not `wait_for`, which in Python 3.11 forgets an end that comes as the bell rings.
        try:
            async with asyncio.timeout(timeout_s):
                await self._bell.wait()
        except TimeoutError:
            self._is_due = True

    async def wait_due(self, timeout_s: float) -> None:
        """Return when SQL is due, at the latest after `timeout_s`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._due_bell.wait()

    def take_due(self, pause_s: float) -> bool:
        """Whether SQL should be looked at: something rang, or the last look was `pause_s` ago, drafts or not."""
        now = monotonic()
        if not self._is_due and now - self._looked_at < pause_s:
            return False
        self._is_due, self._looked_at = False, now
        self._due_bell.clear()
        return True

    def take_drafts(self) -> dict[TurnId, bytes]:
        """The drafts, each taken once."""
        drafts, self._drafts = self._drafts, {}
        self._bell.clear()
        return drafts


class _Reader:
    """Reads what is new of one conversation since it was last asked. Used by one thread at a time."""

    def __init__(self, history: ReadsHistory, account_id: AccountId, address: Address, after: MessageId | None) -> None:
        self._history = history
        self._account_id = account_id
        self._address = address
        self._after = after
        self._seen: set[MessageId] = set()
        self._waiting: tuple[TurnId, ...] | None = None
        self.view: ConversationView | None = None

    @property
    def is_busy(self) -> bool:
        """Whether an answer is on its way."""
        return bool(self._waiting)

    def news(self) -> list[Event]:
        """What was said since, then the open turns if they changed."""
        self.view = self.view or self._history.find(self._account_id, self._address)
        waiting: tuple[TurnId, ...] = ()
        events: list[Event] = []
        if self.view:
            # Open turns first: of a turn that is no longer open, everything said is then found below.
            waiting = tuple(self._history.open_turns(self.view.id))
            events += self._said(self.view.id)
        if waiting != self._waiting:
            self._waiting = waiting
            events.append(Waiting(waiting))
        return events

    def _said(self, conversation_id: ConversationId) -> list[Said]:
        news: list[Said] = []
        floor = self._after and _overlapped(self._after)
        while True:
            page = self._history.messages(conversation_id, after=floor, limit=PAGE)
            news += [said for said in page if said.id not in self._seen]
            self._seen.update(said.id for said in page)
            self._after = max([said.id for said in page] + ([self._after] if self._after else []), default=None)
            if floor is None or len(page) < PAGE:
                return news
            floor = page[-1].id


def _overlapped(message_id: MessageId) -> MessageId:
    """An id from a minute before: the first 48 bits of a UUIDv7 are milliseconds."""
    milliseconds = max(0, (message_id.int >> 80) - OVERLAP_MS)
    return MessageId(UUID(int=milliseconds << 80))
