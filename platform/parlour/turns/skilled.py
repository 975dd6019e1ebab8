"""Turns where skills are installed: routed, answered by the skill they are for or by the model with tools."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from types import TracebackType
from typing import Final, Protocol, Self

from sqlalchemy import bindparam, select

from parlour.engines.protocol import Piece, Request
from parlour.skills.model import Ask, Pieces
from parlour.skills.rich import PLAIN, Rich
from parlour.skills.room import Asked, Failure, SkillAnswer
from parlour.skills.routing import Bound, Chosen, Route, from_json, to_json
from parlour.skills.tool_talk import ToolTalk
from parlour.skills.views import Place
from parlour.store.database import Database
from parlour.store.models import Conversation, Turn, User
from parlour.turns.context import Remark
from parlour.turns.order import Claim
from parlour.turns.states import TurnState

# A question that was asked longer ago is no longer being answered.
QUESTION_STANDS: Final = timedelta(hours=24)

# Built once: they run for every turn where skills are installed.
_SURROUNDINGS = (
    select(User.role, Conversation.is_private, Conversation.bound_skill)
    .join(Conversation, Conversation.id == bindparam("conversation"))
    .where(User.id == bindparam("user"))
)
_LAST = (
    select(Turn.route)
    .where(
        Turn.conversation_id == bindparam("conversation"),
        Turn.user_id == bindparam("user"),
        Turn.seq < bindparam("seq"),
        Turn.seq > bindparam("fresh_from"),
        Turn.kind.in_(("message", "retry")),
        Turn.state.in_((TurnState.ANSWERED.value, TurnState.FAILED.value, TurnState.STOPPED.value)),
        Turn.received_at > bindparam("since"),
    )
    .order_by(Turn.seq.desc())
    .limit(1)
)


class Room(Protocol):
    """Where skills are at work (`skills.room.SkillRoom`)."""

    def is_empty(self, place: Place) -> bool:
        """Whether there is nothing to route to."""
        ...

    def choose(self, asked: Asked, bound: Bound, ask: Ask, request: Request) -> tuple[Chosen | None, Route]:
        """The handler that the turn is for, None for plain chat, and why."""
        ...

    def answer(self, asked: Asked, chosen: Chosen, ask: Ask, request: Request, *, is_native: bool) -> SkillAnswer:
        """What a skill answers."""
        ...

    def chat(self, asked: Asked, route: Route, ask: Ask, request: Request, *, is_native: bool) -> ToolTalk | None:
        """Plain chat with tools; None where there are none to offer."""
        ...


@dataclass(frozen=True, slots=True)
class SkillPath:
    """Leads a turn to its skill. Who the person is stands in the turn's own rows; the skill is told, never asked.

    `calls_tools` tells whether the engine calls tools by itself.
    """

    room: Room
    database: Database
    calls_tools: Callable[[], bool] = lambda: False

    def stream(self, claim: Claim, said: Sequence[Remark], ask: Ask, request: Request) -> "RoutedAnswer | None":
        """The answer of whatever the turn is for; None where no skill is enabled: it is for the model alone."""
        if self.room.is_empty(Place(claim.workspace_id, claim.to.channel, claim.conversation_id)):
            return None
        text = next((remark.text for remark in reversed(said) if remark.is_asked and remark.text), "")
        asked, bound = self._surroundings(claim, text)
        return RoutedAnswer(self.room, asked, bound, ask, request, is_native=self.calls_tools())

    def _surroundings(self, claim: Claim, text: str) -> tuple[Asked, Bound]:
        wanted = {
            "conversation": claim.conversation_id,
            "user": claim.user_id,
            "seq": claim.seq,
            "fresh_from": claim.fresh_from_seq,
            "since": claim.received_at - QUESTION_STANDS,
        }
        with self.database.read() as session:
            role, is_private, bound_skill = session.execute(_SURROUNDINGS, wanted).one()
            last = session.scalars(_LAST, wanted).one_or_none()
        asked = Asked(
            turn_id=claim.turn_id,
            conversation_id=claim.conversation_id,
            workspace_id=claim.workspace_id,
            user_id=claim.user_id,
            text=text,
            language=claim.language,
            channel=claim.to.channel,
            role=role,
            is_private=is_private,
        )
        return asked, Bound(skill=bound_skill, question=_question(last))


class RoutedAnswer:
    """An answer in pieces, like an engine's. Whose it is, is decided when the first piece is asked for."""

    def __init__(self, room: Room, asked: Asked, bound: Bound, ask: Ask, request: Request, *, is_native: bool) -> None:
        self._room = room
        self._asked = asked
        self._bound = bound
        self._engine = ask
        self._request = request
        self._is_native = is_native
        self._cancelled = threading.Event()
        self._current: Pieces | None = None
        self._answer: Pieces | None = None
        self._route: Route | None = None

    @property
    def rich(self) -> Rich:
        """Files, pictures and buttons that have come so far."""
        return self._answer.rich if isinstance(self._answer, SkillAnswer) else PLAIN

    @property
    def route(self) -> str | None:
        """Where it went, and why, as it is kept with the turn; None before that is decided."""
        if self._route is None:
            return None
        is_question = isinstance(self._answer, SkillAnswer) and self._answer.is_question
        tools = getattr(self._answer, "tools", ())
        failure = self.failure.detail if self.failure else None
        return to_json(replace(self._route, is_question=is_question, tools=tuple(tools), failure=failure))

    @property
    def failure(self) -> Failure | None:
        """Why its skill could not answer, or not to the end; its person was told so in the pieces."""
        return self._answer.failure if isinstance(self._answer, SkillAnswer) else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cancel()

    def cancel(self) -> None:
        """End it, from any thread."""
        self._cancelled.set()
        for pieces in (self._answer, self._current):
            if pieces is not None:
                pieces.cancel()

    def __iter__(self) -> Iterator[Piece]:
        """The pieces; the last one carries `finish`. Raises the engine's errors."""
        chosen, self._route = self._room.choose(self._asked, self._bound, self._ask, self._request)
        if self._cancelled.is_set():
            return
        with self._begun(chosen, self._route) as answer:
            if self._cancelled.is_set():
                answer.cancel()
            yield from answer

    def _begun(self, chosen: Chosen | None, route: Route) -> Pieces:
        if chosen is not None:
            asked = replace(self._asked, text=chosen.text)
            self._answer = self._room.answer(asked, chosen, self._ask, self._request, is_native=self._is_native)
        else:
            with_tools = self._room.chat(self._asked, route, self._ask, self._request, is_native=self._is_native)
            self._answer = with_tools or self._ask(self._request)
        return self._answer

    def _ask(self, request: Request) -> Pieces:
        """The engine, with whatever it generates ended when this answer is."""
        self._current = self._engine(request)
        if self._cancelled.is_set():
            self._current.cancel()
        return self._current


def _question(route: str | None) -> tuple[str, str] | None:
    """The skill and handler that asked back in the turn of this route."""
    told = from_json(route) if route else None
    if told is None or not told.is_question or told.skill is None or told.handler is None:
        return None
    return told.skill, told.handler
