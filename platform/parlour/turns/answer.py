"""Answering a turn: claim it, stream the model's answer, commit it, tell who comes next."""

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import TracebackType
from typing import NamedTuple, Protocol, Self
from uuid import UUID

import structlog
from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from parlour.engines.errors import EngineBusy, EngineDied, EngineUnavailable, PromptTooLong
from parlour.engines.protocol import Message as ModelMessage
from parlour.engines.protocol import Piece, Request, Sampling
from parlour.people.quotas import Quotas
from parlour.privacy.errors import KeyShredded, KeysUnavailable
from parlour.privacy.sealing import Sealer
from parlour.skills.rich import PLAIN, Rich
from parlour.skills.room import Failure
from parlour.store.database import Database
from parlour.store.ids import TurnId, UserId
from parlour.store.models import Attachment, Message, Turn
from parlour.store.prepared import Asked, Change, Query
from parlour.turns.context import IS_ANSWERED, PromptBuilder, Remark, Row, ask_remarks, remarks
from parlour.turns.metrics import Metrics
from parlour.turns.order import Claim, LeaseLost, Order, next_open, release
from parlour.turns.outbox import Outbox
from parlour.turns.ports import Frame, Live, LiveBus, QueueUnavailable, TurnQueue
from parlour.turns.remembering import Personal
from parlour.turns.running import Halt, Running, Watch
from parlour.turns.skilled import SkillPath
from parlour.turns.states import Author, TurnState
from parlour.turns.wording import say

log = structlog.get_logger(__name__)


class _File(NamedTuple):
    """A file that came with a message, its name sealed."""

    id: UUID
    name: bytes
    state: str
    user_id: UUID


_FILES = Query(
    select(Attachment.id, Attachment.name, Attachment.state, Attachment.user_id)
    .join(Message, Message.id == Attachment.message_id)
    .join(Turn, Turn.id == Message.turn_id)
    .where(Message.conversation_id == bindparam("conversation"), Message.author == Author.USER.value, IS_ANSWERED)
    .order_by(Attachment.created_at, Attachment.id),
    _File,
)
_END = Change(
    update(Turn)
    .where(Turn.id == bindparam("turn"))
    .values(
        state=bindparam("end"),
        first_piece_at=bindparam("first_at"),
        finished_at=bindparam("now"),
        prompt_tokens=bindparam("prompt"),
        completion_tokens=bindparam("completion"),
        route=bindparam("route"),
        error=bindparam("error"),
    )
)

FRAME_EVERY_S = 0.1
# So many answers at once are shown as smoothly as one; more share their frames. Each frame is sealed and published,
# and on a worker without a GPU the time for it is taken from the model.
_SMOOTH_AT_ONCE = 10
# An engine that is away is no fault of the turn: it waits this long in all before it is given up.
ENGINE_PATIENCE = timedelta(minutes=10)
_RETRY_FIRST_S = 1.0
_RETRY_LONGEST_S = 30.0
_KEYS_RETRY_S = 5.0


class PieceStream(Protocol):
    """An answer being generated: pieces to iterate over, and a way to end it from another thread."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def __iter__(self) -> Iterator[Piece]: ...
    def cancel(self) -> None:
        """Abort in the engine; the iteration ends."""
        ...


class Generator(Protocol):
    """The engine as worker threads see it (`engines.host.EngineHost`)."""

    def stream(self, request: Request) -> PieceStream:
        """Begin an answer."""
        ...

    def count_tokens(self, messages: Sequence[ModelMessage]) -> int:
        """Tokens of `messages` in a prompt."""
        ...


@dataclass(frozen=True, slots=True)
class AnswerRules:
    """How answers are made."""

    sampling: Sampling
    default_prompt: str
    salts_by_user: bool
    max_attachment_bytes: int


@dataclass(frozen=True, slots=True)
class _Stored:
    """What is stored of a turn's conversation, as it was asked for."""

    messages: Asked[Row]
    files: Asked[_File]


@dataclass(slots=True)
class _Draft:
    """An answer in the making."""

    text: str = ""
    first_at: datetime | None = None
    began: float = field(default_factory=time.monotonic)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    rich: Rich = PLAIN
    route: str | None = None
    # Its skill broke: the text says so, and is the turn's answer all the same.
    failure: Failure | None = None

    @property
    def state(self) -> TurnState:
        """What the turn ends as, unless it is stopped."""
        return TurnState.FAILED if self.failure else TurnState.ANSWERED


class Answerer:
    """Answers turns in the threads of a worker."""

    def __init__(  # noqa: PLR0913 (each a part of its own; one place calls this)
        self,
        *,
        database: Database,
        sealer: Sealer,
        order: Order,
        running: Running,
        outbox: Outbox,
        queue: TurnQueue,
        bus: LiveBus,
        generator: Generator,
        prompts: PromptBuilder,
        rules: AnswerRules,
        metrics: Metrics,
        skills: SkillPath | None = None,
        personal: Personal | None = None,
        quotas: Quotas | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._personal = personal
        self._quotas = quotas
        self._database = database
        self._sealer = sealer
        self._order = order
        self._running = running
        self._outbox = outbox
        self._queue = queue
        self._bus = bus
        self._generator = generator
        self._prompts = prompts
        self._rules = rules
        self._metrics = metrics
        self._skills = skills
        self._monotonic = monotonic

    def answer(self, turn_id: TurnId) -> None:
        """Answer the next turn of `turn_id`'s conversation, if it is free. Safe to call any number of times."""
        claimed = self._order.claim(turn_id, self._ask)
        if claimed is None:
            return
        claim, stored = claimed
        self._publish_live(Frame.TAKEN, claim)
        with self._running.watching(claim) as watch:
            try:
                self._answer(claim, stored, watch)
            except LeaseLost:
                log.warning("late_answer_refused", turn_id=str(claim.turn_id), fence=claim.fence)
            except (EngineBusy, EngineUnavailable) as error:
                self._wait_for_engine(claim, error)
            except KeysUnavailable:
                # No try of the turn, however long it takes: nothing can be opened, and nobody be told.
                log.warning("turn_waits_for_keys", turn_id=str(claim.turn_id))
                self._order.hand_back(claim, delay=timedelta(seconds=_KEYS_RETRY_S), error="keys_unavailable")
            except PromptTooLong:
                self._fail(claim, "too_long_for_model", error="prompt_too_long")
            except Exception as error:  # a task begins here: whatever goes wrong, the turn goes back
                log.exception("turn_broke", turn_id=str(claim.turn_id), attempt=claim.attempt)
                delay_s = 0.0 if isinstance(error, EngineDied) else _RETRY_FIRST_S * 2**claim.attempt
                self._order.hand_back(claim, delay=timedelta(seconds=delay_s), counts=True)

    def _ask(self, session: Session, claim: Claim) -> _Stored:
        return _Stored(
            messages=ask_remarks(session, claim, now=self._database.clock.now()),
            files=_FILES.ask(session, conversation=claim.conversation_id, turn=claim.turn_id),
        )

    def _answer(self, claim: Claim, stored: _Stored, watch: Watch) -> None:
        said = remarks(stored.messages.all(), self._sealer, claim)
        files = self._files(stored.files.all(), claim)
        draft = _Draft()
        if files is None and not any(remark.is_asked for remark in said):
            # Its person was erased between claim and here: nothing to answer, nobody to answer to.
            self._finish(claim, draft, TurnState.DROPPED)
            return
        draft.text = f"{files}\n\n" if files else ""
        if any(remark.is_asked and remark.text for remark in said):
            self._generate(claim, watch, said, draft)
        if watch.halt is Halt.LOST:
            raise LeaseLost
        if watch.halt in {Halt.HAND_BACK, Halt.OVERDUE}:
            self._order.hand_back(claim, counts=watch.halt is Halt.OVERDUE)
            self._publish_next(claim.turn_id)
            return
        self._finish(claim, draft, TurnState.STOPPED if watch.halt is Halt.STOP else draft.state)

    def _generate(self, claim: Claim, watch: Watch, said: list[Remark], draft: _Draft) -> None:
        request = Request(
            id=f"{claim.turn_id}:{claim.fence}",
            messages=self._prompts.build(
                claim, said, default_prompt=self._rules.default_prompt, about=self._about(claim, said)
            ),
            sampling=self._rules.sampling,
            cache_salt=str(claim.user_id if self._rules.salts_by_user else claim.workspace_id),
        )
        # The first piece is shown at once, also when the next one takes long.
        last_frame = -math.inf
        skilled = self._skills.stream(claim, said, self._generator.stream, request) if self._skills else None
        with skilled or self._generator.stream(request) as stream:
            watch.on_halt(stream.cancel)
            for piece in stream:
                if draft.first_at is None and piece.text:
                    draft.first_at = self._database.clock.now()
                    self._metrics.first_piece(after_s=(draft.first_at - claim.received_at).total_seconds())
                draft.text += piece.text
                if piece.finish is not None:
                    draft.prompt_tokens, draft.completion_tokens = piece.prompt_tokens, piece.completion_tokens
                elif draft.text and self._monotonic() - last_frame >= self._frame_every_s():
                    last_frame = self._monotonic()
                    body = self._sealer.seal_live(claim.user_id, claim.turn_id, draft.text.encode())
                    self._publish_live(Frame.DRAFT, claim, body)
        if skilled is not None:
            draft.rich, draft.route, draft.failure = skilled.rich, skilled.route, skilled.failure

    def _frame_every_s(self) -> float:
        return FRAME_EVERY_S * max(1.0, len(self._running) / _SMOOTH_AT_ONCE)

    def _finish(self, claim: Claim, draft: _Draft, state: TurnState) -> None:
        """Commit the answer and let the conversation go; without the latest fence nothing is written."""
        now = self._database.clock.now()
        text = draft.text.strip()
        if not text and state is TurnState.STOPPED:
            text = say("stopped", claim.language)
        elif not text and not draft.rich:
            text = "…"
        with self._database.begin() as session:
            if not release(session, claim.conversation_id, claim.fence):
                raise LeaseLost
            _END.put_off(
                session,
                turn=claim.turn_id,
                end=state.value,
                first_at=draft.first_at,
                now=now,
                prompt=draft.prompt_tokens,
                completion=draft.completion_tokens,
                route=draft.route,
                error=draft.failure.code if draft.failure else None,
            )
            if state is not TurnState.DROPPED:
                self._outbox.put(session, claim.to, text, author=Author.ASSISTANT, now=now, rich=draft.rich)
            if self._personal is not None and state is TurnState.ANSWERED:
                self._personal.ask_consent(session, claim, now)
            self._spend(session, claim, draft, now)
            following = next_open(session, claim.conversation_id)
        self._after(claim, following.first())
        if self._personal is not None and state is TurnState.ANSWERED and self._personal.may_learn(claim):
            self._publish_learning(claim.turn_id)
        self._count(claim, draft, state, now)

    def _about(self, claim: Claim, said: Sequence[Remark]) -> Sequence[str]:
        """What is remembered of the person and has to do with what they ask."""
        if self._personal is None:
            return ()
        return self._personal.about(claim, "\n".join(remark.text for remark in said if remark.is_asked))

    def _spend(self, session: Session, claim: Claim, draft: _Draft, now: datetime) -> None:
        if self._quotas is not None:
            tokens = draft.prompt_tokens + draft.completion_tokens
            self._quotas.spend(session, user_id=claim.user_id, workspace_id=claim.workspace_id, tokens=tokens, now=now)

    def _fail(self, claim: Claim, key: str, *, error: str) -> None:
        """End the turn with a word to its user that names the turn for an operator, never what went wrong inside."""
        now = self._database.clock.now()
        with self._database.begin() as session:
            if not release(session, claim.conversation_id, claim.fence):
                return
            session.execute(
                update(Turn)
                .where(Turn.id == claim.turn_id)
                .values(state=TurnState.FAILED.value, error=error, finished_at=now)
            )
            text = say(key, claim.language, reference=claim.turn_id)
            # An erased person is told nothing.
            with contextlib.suppress(KeyShredded):
                self._outbox.put(session, claim.to, text, author=Author.NOTICE, now=now)
            following = next_open(session, claim.conversation_id)
        self._after(claim, following.first())
        self._metrics.finished(TurnState.FAILED.value, after_s=(now - claim.received_at).total_seconds())

    def _wait_for_engine(self, claim: Claim, error: Exception) -> None:
        waited = self._database.clock.now() - claim.first_started_at
        if waited > ENGINE_PATIENCE:
            self._fail(claim, "engine_away", error=type(error).__name__)
            return
        # The longer it has been waiting, the rarer it asks.
        delay_s = min(_RETRY_LONGEST_S, max(_RETRY_FIRST_S, waited.total_seconds() / 4))
        log.warning("engine_not_ready", turn_id=str(claim.turn_id), reason=type(error).__name__, retry_in_s=delay_s)
        self._order.hand_back(claim, delay=timedelta(seconds=delay_s))

    def _files(self, rows: Sequence[_File], claim: Claim) -> str | None:
        """A sentence about the files that came with the message, None when none did."""
        names: dict[bool, list[str]] = {True: [], False: []}
        for file in rows:
            # An erased person's files are nobody's business any more.
            with contextlib.suppress(KeyShredded):
                opened = self._sealer.open_text(UserId(file.user_id), Attachment.name, file.id, file.name)
                names[file.state == "too_large"].append(opened)
        limit = self._rules.max_attachment_bytes // 1_000_000
        sentences = []
        if names[False]:
            sentences.append(say("files_unread", claim.language, names=", ".join(names[False])))
        if names[True]:
            sentences.append(say("files_too_large", claim.language, names=", ".join(names[True]), limit=limit))
        return " ".join(sentences) or None

    def _after(self, claim: Claim, following: TurnId | None) -> None:
        """What may be told only once it is committed."""
        self._publish_live(Frame.READY, claim)
        if following is not None:
            self._publish_next(following)

    def _publish_next(self, turn_id: TurnId) -> None:
        try:
            self._queue.publish(turn_id)
        except QueueUnavailable:
            # Not lost: the sweeper publishes it when the broker is back.
            log.warning("turn_not_published", turn_id=str(turn_id))

    def _publish_learning(self, turn_id: TurnId) -> None:
        # Best effort: with the broker away nothing is learned from this turn, and nobody is kept waiting for it.
        with contextlib.suppress(QueueUnavailable):
            self._queue.publish_learning(turn_id)

    def _publish_live(self, frame: Frame, claim: Claim, body: bytes = b"") -> None:
        self._bus.publish(Live(frame, claim.to.account_id, claim.conversation_id, claim.turn_id, body))

    def _count(self, claim: Claim, draft: _Draft, state: TurnState, now: datetime) -> None:
        self._metrics.finished(state.value, after_s=(now - claim.received_at).total_seconds())
        if draft.failure:
            self._metrics.skill_failed(draft.failure.skill, draft.failure.code)
        self._metrics.generated(
            prompt_tokens=draft.prompt_tokens,
            completion_tokens=draft.completion_tokens,
            over_s=time.monotonic() - draft.began,
        )
