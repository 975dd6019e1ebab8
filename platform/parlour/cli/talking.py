"""A conversation driven by a person at a prompt: ask, watch the answer come, stop it."""

import contextlib
import queue
from collections.abc import Iterator
from concurrent.futures import Future  # noqa: TC003 (imports only for types are imports all the same here)
from time import monotonic
from typing import TypeGuard
from uuid import uuid4

from anyio.from_thread import BlockingPortal

from parlour.channels.mailbox import Away, Beat, Draft, Event, Waiting
from parlour.channels.talk import Talk
from parlour.store.ids import AttachmentId, MessageId, TurnId
from parlour.turns.ports import Verdict
from parlour.turns.said import FileView, Said

# Two rounds of looking into SQL that find nothing of a turn mean that nothing comes of it.
_EMPTY_ROUNDS = 2


class NoAnswer(Exception):
    """The message was not answered. The message tells why."""


class Talking:
    """`Talk` for a thread that waits: what is said comes through a queue, so that Ctrl-C reaches the waiting."""

    def __init__(self, talk: Talk, portal: BlockingPortal) -> None:
        self._talk = talk
        self._portal = portal
        self._events: queue.SimpleQueue[Event | BaseException | None] = queue.SimpleQueue()
        self._seen: set[MessageId] = set()
        self._following: Future[None] | None = None

    def history(self, limit: int) -> list[Said]:
        """The newest messages, oldest first; they are not told again."""
        said = self._portal.call(lambda: self._talk.recent(limit=limit))
        self._seen.update(one.id for one in said)
        return said

    def file(self, file_id: AttachmentId) -> FileView | None:
        """A file of an answer, None where it is no longer kept."""
        return self._portal.call(self._talk.file, file_id)

    def stop(self) -> None:
        """Stop the running answer."""
        self._portal.call(self._talk.stop)

    def ask(self, text: str, *, within_s: float | None = None) -> "Asked":
        """Hand `text` in; iterate over what comes of it. `within_s` bounds the wait for the next thing to happen.

        Raises `NoAnswer` when the message is refused without a word.
        """
        self._follow()
        taken = self._portal.call(lambda: self._talk.say(text, client_id=uuid4().hex))
        if taken.verdict is Verdict.REFUSED:
            raise NoAnswer("The message was refused: you are blocked, or this workspace was removed.")
        return Asked(self, taken.turn_id, within_s)

    def close(self) -> None:
        """Stop following."""
        if self._following is not None:
            self._following.cancel()

    def next_event(self, within_s: float | None) -> Event:
        """The next thing told of the conversation. Raises `NoAnswer` when there is none, and what following raised."""
        try:
            event = self._events.get(timeout=within_s)
        except queue.Empty:
            raise NoAnswer("No answer came. Is a worker running? Try: parlour doctor") from None
        if event is None:
            raise NoAnswer("The other side closed the conversation. What you wrote is kept; start parlour chat again.")
        if isinstance(event, BaseException):
            raise event
        return event

    def is_new(self, said: Said) -> bool:
        """Whether this message is seen for the first time."""
        is_new = said.id not in self._seen
        self._seen.add(said.id)
        return is_new

    def _follow(self) -> None:
        """Begin to follow, once; what is there already counts as seen."""
        if self._following is None:
            self.history(limit=50)
            self._following = self._portal.start_task_soon(self._pump)

    async def _pump(self) -> None:
        end: BaseException | None = None
        try:
            async for event in self._talk.follow():
                self._events.put(event)
        except Exception as error:  # noqa: BLE001 (it is raised where the conversation is waited for)
            end = error
        self._events.put(end)


class Asked(Iterator[Draft | Said]):
    """What comes of one message: drafts, then what was said; ends when the turn does.

    An iterator with its state in itself, not a generator: Ctrl-C in the middle of a wait leaves it usable.
    """

    def __init__(self, talking: Talking, turn_id: TurnId | None, within_s: float | None) -> None:
        self._talking = talking
        self._turn_id = turn_id
        self._within_s = within_s
        self._is_open = self._was_open = self._has_said = False
        self._empty_rounds = 0
        self._moved_at = monotonic()

    def __next__(self) -> Draft | Said:
        """The next draft or message of this turn."""
        while not self._is_done:
            event = self._talking.next_event(self._left_s)
            if not isinstance(event, Beat | Away):
                self._moved_at = monotonic()
            if self._is_ours(event):
                return event
        raise StopIteration

    @property
    def _left_s(self) -> float | None:
        """How long to go on waiting: until `within_s` after something last moved; a beat alone is no movement."""
        if self._within_s is None:
            return None
        return max(0.0, self._moved_at + self._within_s - monotonic())

    @property
    def _is_done(self) -> bool:
        if self._turn_id is None:
            return True
        return not self._is_open and (self._has_said or self._was_open or self._empty_rounds >= _EMPTY_ROUNDS)

    def _is_ours(self, event: Event) -> TypeGuard[Draft | Said]:
        """Note what the event tells of the turn; whether it is something to show."""
        match event:
            case Draft():
                return event.turn_id == self._turn_id
            case Said():
                is_ours = self._talking.is_new(event) and event.turn_id == self._turn_id and event.author != "user"
                self._has_said = self._has_said or is_ours
                return is_ours
            case Waiting():
                self._is_open = self._turn_id in event.turn_ids
                self._was_open = self._was_open or self._is_open
                self._empty_rounds = 0
            case Beat():
                self._empty_rounds += 1
            case Away():
                self._empty_rounds = 0
        return False


@contextlib.contextmanager
def closing(talking: Talking) -> Iterator[Talking]:
    """Stop following at the end of the block."""
    try:
        yield talking
    finally:
        talking.close()
