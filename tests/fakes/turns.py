"""The neighbours of turns, in memory: a queue, a live bus, an engine with a script, a messenger that can fail."""

import asyncio  # noqa: TC003 (an annotation like the others)
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from types import TracebackType
from typing import Self

from parlour.engines.protocol import Message as ModelMessage
from parlour.engines.protocol import Piece, Request
from parlour.store.ids import AccountId, TurnId
from parlour.turns.ports import (
    Address,
    DraftLost,
    DraftStyle,
    Frame,
    Live,
    Post,
    QueueUnavailable,
    Receipt,
    Rejected,
    SendLimits,
)
from tests.fakes.talk import FakeBus


class FakeQueue:
    """A `TurnQueue`: published turns wait in a list until a test takes them."""

    def __init__(self) -> None:
        self.waiting: list[TurnId] = []
        self.lessons: list[TurnId] = []
        self.is_down = False
        # Called on each publication, before the turn is in the list.
        self.on_publish: Callable[[TurnId], None] = lambda _: None

    def publish(self, turn_id: TurnId) -> None:
        if self.is_down:
            raise QueueUnavailable("the test's broker is away")
        self.on_publish(turn_id)
        self.waiting.append(turn_id)

    def publish_learning(self, turn_id: TurnId) -> None:
        if self.is_down:
            raise QueueUnavailable("the test's broker is away")
        self.lessons.append(turn_id)

    def depth(self) -> int:
        if self.is_down:
            raise QueueUnavailable("the test's broker is away")
        return len(self.waiting)

    def take(self) -> list[TurnId]:
        """What waits, taken out."""
        taken, self.waiting = self.waiting, []
        return taken


class RecordingBus(FakeBus):
    """A live bus that remembers every frame."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[Live] = []

    def publish(self, live: Live) -> None:
        self.frames.append(live)
        super().publish(live)

    def of(self, frame: Frame) -> list[Live]:
        """The frames of one kind."""
        return [live for live in self.frames if live.frame is frame]


# A piece of text, an error to raise, or something to do in the middle of the answer.
Step = str | Exception | Callable[[], object]


class ScriptedEngine:
    """A `Generator` that says what its script says; the last answer of the script is said for ever."""

    calls_tools = False

    def __init__(self, *answers: Sequence[Step], context_tokens: int = 1_000) -> None:
        self.answers = list(answers) or [["All well."]]
        self.context_tokens = context_tokens
        self.requests: list[Request] = []
        self.counted: list[Sequence[ModelMessage]] = []

    def count_tokens(self, messages: Sequence[ModelMessage]) -> int:
        """A word is a token, and each message costs one more."""
        self.counted.append(messages)
        return sum(1 + len(message.content.split()) for message in messages)

    def stream(self, request: Request) -> "ScriptedStream":
        self.requests.append(request)
        steps = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return ScriptedStream(steps)

    def whole(self, request: Request) -> str:
        """The answer at once, as `EngineHost` gives it."""
        with self.stream(request) as pieces:
            return "".join(piece.text for piece in pieces)

    @property
    def prompt(self) -> list[tuple[str, str]]:
        """The last prompt's messages as (role, text), without the system message."""
        return [(message.role, message.content) for message in self.requests[-1].messages[1:]]

    @property
    def system(self) -> str:
        """The last prompt's system message."""
        return self.requests[-1].messages[0].content


class ScriptedStream:
    """One answer of the script."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = steps
        self.is_cancelled = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.is_cancelled = True

    def __iter__(self) -> Iterator[Piece]:
        said = 0
        for step in self._steps:
            if self.is_cancelled:
                return
            if isinstance(step, str):
                said += 1
                yield Piece(step)
            elif isinstance(step, Exception):
                raise step
            else:
                step()
        if not self.is_cancelled:
            yield Piece("", "stop", 7, said)

    def cancel(self) -> None:
        self.is_cancelled = True


@dataclass(slots=True)
class Posted:
    """A message as people in the chat see it."""

    chat: str
    text: str
    marks: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Fault:
    method: str
    error: Exception
    chat: str | None
    times: int | None
    is_done: bool
    skip: int


class FakeMessenger:
    """A `Messenger` whose chats are a dictionary. `fail` scripts what goes wrong, `gates` hold requests back."""

    def __init__(self, account_id: AccountId, *, style: DraftStyle = DraftStyle.NONE, part_chars: int = 1_000) -> None:
        self.account_id = account_id
        self.style = style
        self.part_chars = part_chars
        self.send_limits = SendLimits()
        self.board: dict[str, Posted] = {}
        self.posts: list[Post] = []
        self.settled: list[Post] = []
        self.previews: list[str] = []
        self.calls: Counter[str] = Counter()
        self.files: dict[str, bytes] = {}
        self.gates: dict[str, asyncio.Event] = {}
        self._faults: list[_Fault] = []
        self._numbers = count(1)

    def fail(
        self,
        method: str,
        error: Exception,
        *,
        chat: str | None = None,
        times: int | None = 1,
        is_done: bool = False,
        skip: int = 0,
    ) -> None:
        """Raise `error` from the next `times` calls behind `skip` of them.

        `is_done`: after the work was done, so that only the answer is lost.
        """
        self._faults.append(_Fault(method, error, chat, times, is_done, skip))

    def heal(self) -> None:
        """Be well again."""
        self._faults.clear()

    def texts(self, chat: str | None = None) -> list[str]:
        """What people see, in order of posting."""
        return [posted.text for posted in self.board.values() if chat in {None, posted.chat}]

    # ---- the protocol ----

    def limits(self, address: Address) -> SendLimits:
        return self.send_limits

    def split(self, markdown: str) -> list[str]:
        size = self.part_chars
        return [markdown[start : start + size] for start in range(0, len(markdown), size)] or [""]

    async def send(self, post: Post) -> Receipt:
        self.posts.append(post)
        fault = await self._begin("send", post.address.chat)
        if post.draft_key is not None:
            self._edit(post.draft_key, post.text, post.key)
            key = post.draft_key
        else:
            key = self._new(post.address.chat, post.text, post.key)
        _end(fault)
        return Receipt(key)

    async def settle(self, post: Post) -> Receipt | None:
        self.settled.append(post)
        fault = await self._begin("settle", post.address.chat)
        _end(fault)
        for key, posted in self.board.items():
            if post.key in posted.marks:
                return Receipt(key)
        for key, posted in self.board.items():
            if f"draft:{post.turn_id}" in posted.marks and post.index == 0:
                self._edit(key, post.text, post.key)
                return Receipt(key)
        return None

    def draft_style(self, address: Address) -> DraftStyle:
        return self.style

    def draft_interval_s(self, address: Address) -> float:
        return 0.0

    async def draft(
        self, address: Address, turn_id: TurnId, text: str, *, key: str | None, reply_to: str | None
    ) -> str | None:
        fault = await self._begin("draft", address.chat)
        self.previews.append(text)
        if self.style is DraftStyle.MESSAGE:
            if key is None:
                key = self._new(address.chat, text, f"draft:{turn_id}")
            else:
                self._edit(key, text, f"draft:{turn_id}")
        _end(fault)
        return key

    async def typing(self, address: Address, turn_id: TurnId) -> None:
        _end(await self._begin("typing", address.chat))

    async def fetch(self, reference: str, *, limit_bytes: int) -> bytes:
        _end(await self._begin("fetch", ""))
        content = self.files[reference]
        if len(content) > limit_bytes:
            raise Rejected("too_large")
        return content

    # ---- inside ----

    async def _begin(self, method: str, chat: str) -> _Fault | None:
        self.calls[method] += 1
        if method in self.gates:
            await self.gates[method].wait()
        fault = self._take(method, chat)
        if fault is not None and not fault.is_done:
            raise fault.error
        return fault

    def _take(self, method: str, chat: str) -> _Fault | None:
        for fault in self._faults:
            if fault.method == method and fault.chat in {None, chat}:
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        self._faults.remove(fault)
                return fault
        return None

    def _new(self, chat: str, text: str, mark: str) -> str:
        key = f"m{next(self._numbers)}"
        self.board[key] = Posted(chat, text, {mark})
        return key

    def _edit(self, key: str, text: str, mark: str) -> None:
        if key not in self.board:
            raise DraftLost
        self.board[key].text = text
        self.board[key].marks.add(mark)


def _end(fault: _Fault | None) -> None:
    if fault is not None:
        raise fault.error
