"""Order among turns: one lease a conversation, one turn at a time, a fence against workers back from the dead."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar
from uuid import UUID

import structlog
from sqlalchemy import and_, bindparam, or_, select, update
from sqlalchemy.orm import Session

from parlour.privacy.errors import KeysUnavailable, PrivacyError
from parlour.store.database import Database
from parlour.store.ids import AccountId, ConversationId, TurnId, UserId, WorkspaceId
from parlour.store.models import Account, Conversation, Turn, User, Workspace
from parlour.store.prepared import Asked, Change, Query
from parlour.turns.ending import merge
from parlour.turns.outbox import Outbox, Recipient
from parlour.turns.states import Author, Mode, TurnState, is_open_turn
from parlour.turns.wording import say

log = structlog.get_logger(__name__)

_CONVERSATION = select(Turn.conversation_id).where(Turn.id == bindparam("turn")).scalar_subquery()
_TAKE_LEASE = (
    update(Conversation)
    .where(
        Conversation.id == _CONVERSATION,
        or_(Conversation.lease_until.is_(None), Conversation.lease_until < bindparam("now")),
    )
    .values(lease_owner=bindparam("worker"), lease_until=bindparam("until"), fence=Conversation.fence + 1)
    .returning(
        Conversation.id,
        Conversation.workspace_id,
        Conversation.fence,
        Conversation.mode,
        Conversation.fresh_from_seq,
        Conversation.is_private,
    )
)
_RELEASE = Change(
    update(Conversation)
    .where(Conversation.id == bindparam("conversation"), Conversation.fence == bindparam("held_fence"))
    .values(lease_owner=None, lease_until=None)
)
# With what their other rows say about how to answer them.
_OPEN_TURNS = (
    select(
        Turn.id,
        Turn.conversation_id,
        Turn.account_id,
        Turn.user_id,
        Turn.seq,
        Turn.attempts,
        Turn.language,
        Turn.received_at,
        Turn.started_at,
        Account.channel,
        Workspace.system_prompt,
        User.consent,
        User.role,
    )
    .join(Account, Account.id == Turn.account_id)
    .join(Workspace, Workspace.id == Account.workspace_id)
    .join(User, User.id == Turn.user_id)
    .where(Turn.conversation_id == _CONVERSATION, is_open_turn(Turn.state))
    .order_by(Turn.seq)
)
_NEXT_OPEN = Query(
    select(Turn.id)
    .where(Turn.conversation_id == bindparam("conversation"), is_open_turn(Turn.state))
    .order_by(Turn.seq)
    .limit(1),
    TurnId,
)
_BEGIN = Change(
    update(Turn)
    .where(Turn.id == bindparam("turn"))
    .values(
        state=TurnState.RUNNING.value,
        attempts=bindparam("attempt"),
        error=None,
        started_at=bindparam("started"),
        due_at=bindparam("due"),
    )
)


class LeaseLost(Exception):
    """Another worker has taken the conversation over; nothing of this one may be written any more."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A turn that this worker, and no other, may answer while its lease lasts."""

    turn_id: TurnId
    conversation_id: ConversationId
    workspace_id: WorkspaceId
    user_id: UserId
    seq: int
    fence: int
    attempt: int
    language: str
    received_at: datetime
    first_started_at: datetime
    fresh_from_seq: int
    system_prompt: str | None
    to: Recipient
    is_private: bool
    consent: str | None
    role: str


class _Leased(NamedTuple):
    """A conversation's row, just leased."""

    id: UUID
    workspace_id: UUID
    fence: int
    mode: str | None
    fresh_from_seq: int
    is_private: bool


class _Open(NamedTuple):
    """A turn's row, while it is open, and its surroundings."""

    id: UUID
    conversation_id: UUID
    account_id: UUID
    user_id: UUID
    seq: int
    attempts: int
    language: str | None
    received_at: datetime
    started_at: datetime | None
    channel: str
    system_prompt: str | None
    consent: str | None
    role: str


_LEASE = Query(_TAKE_LEASE, _Leased)
_EVERY_OPEN = Query(_OPEN_TURNS, _Open)
# A few suffice to give up poisoned ones and take the next.
_FIRST_OPEN = Query(_OPEN_TURNS.limit(4), _Open)
More = TypeVar("More")


class Order:
    """Claims, renews and lets go of conversations."""

    def __init__(
        self,
        *,
        database: Database,
        outbox: Outbox,
        owner: str,
        lease: timedelta,
        max_attempts: int,
        default_mode: Mode,
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._lease = lease
        self._max_attempts = max_attempts
        self._default_mode = default_mode
        self.owner = owner

    @property
    def lease(self) -> timedelta:
        """How long a claim lasts without renewal."""
        return self._lease

    def claim(self, turn_id: TurnId, ask: Callable[[Session, Claim], More]) -> tuple[Claim, More] | None:
        """The first open turn of `turn_id`'s conversation, or None when another worker has it or nothing is open.

        Whichever turn a worker is told of, it gets the conversation's first: order never depends on the broker.
        A turn that was tried `max_attempts` times is given up here, with a word to its user, and the next one is taken.
        What `ask` asks the database about the turn goes there in the round trip that commits the claim.
        """
        now = self._database.clock.now()
        with self._database.begin(is_durable=False) as session:
            lease = self._take_lease(session, turn_id, now)
            # In vain where the lease is another's; but waiting for that would be a round trip for every turn.
            first_turns = _FIRST_OPEN.ask(session, turn=turn_id)
            conversation = lease.first()
            if conversation is None:
                return None
            turn = self._first_open(session, conversation, first_turns.all(), now)
            if turn is None:
                release(session, conversation.id, conversation.fence)
                return None
            claim = self._begin(session, conversation, turn, now)
            return claim, ask(session, claim)

    def renew(self, claims: Collection[Claim]) -> set[Claim]:
        """Renew the leases and return the claims whose lease still stands; the others belong to someone else now."""
        now = self._database.clock.now()
        pairs = [and_(Conversation.id == claim.conversation_id, Conversation.fence == claim.fence) for claim in claims]
        with self._database.begin() as session:
            held = session.execute(
                update(Conversation)
                .where(or_(*pairs), Conversation.lease_owner == self.owner)
                .values(lease_until=now + self._lease)
                .returning(Conversation.id, Conversation.fence)
            ).all()
        # With the fence: this worker may have taken over from itself, and then only its later claim stands.
        standing = {(conversation_id, fence) for conversation_id, fence in held}
        return {claim for claim in claims if (claim.conversation_id, claim.fence) in standing}

    def stop_requested(self, claims: Collection[Claim]) -> set[TurnId]:
        """Which of these turns someone asked to stop (or an operator dropped) since they began."""
        ids = [claim.turn_id for claim in claims]
        with self._database.read() as session:
            wanted = select(Turn.id).where(
                Turn.id.in_(ids), or_(Turn.is_stop_requested.is_(True), Turn.state != TurnState.RUNNING.value)
            )
            return {TurnId(found) for found in session.scalars(wanted)}

    def hand_back(
        self, claim: Claim, *, delay: timedelta = timedelta(), counts: bool = False, error: str | None = None
    ) -> None:
        """Put the turn back into the queue and let the conversation go. `counts`: whether it was a try of the turn.

        `error` says what it waits for, to whoever looks at turns.
        """
        now = self._database.clock.now()
        with self._database.begin() as session:
            if not release(session, claim.conversation_id, claim.fence):
                return
            attempts = claim.attempt if counts else claim.attempt - 1
            session.execute(
                update(Turn)
                .where(Turn.id == claim.turn_id, Turn.state == TurnState.RUNNING.value)
                .values(state=TurnState.QUEUED.value, attempts=attempts, due_at=now + delay, error=error)
            )

    def _take_lease(self, session: Session, turn_id: TurnId, now: datetime) -> Asked[_Leased]:
        return _LEASE.ask(session, turn=turn_id, now=now, worker=self.owner, until=now + self._lease)

    def _first_open(self, session: Session, conversation: _Leased, turns: list[_Open], now: datetime) -> _Open | None:
        """The turn to answer next: given-up ones settled, those to be merged folded into the last."""
        mode = Mode(conversation.mode) if conversation.mode else self._default_mode
        if mode is Mode.MERGE and turns:
            turns = _EVERY_OPEN.all(session, turn=turns[0].id)
        while turns and turns[0].attempts >= self._max_attempts:
            self._give_up(session, turns.pop(0), now)
        if not turns:
            return None
        if mode is not Mode.MERGE:
            return turns[0]
        *earlier, last = turns
        if earlier:
            those = Turn.id.in_([turn.id for turn in earlier])
            merge(session, self._outbox, those, conversation_id=conversation.id, into=last.id, now=now)
        return last

    def _give_up(self, session: Session, turn: _Open, now: datetime) -> None:
        text, state = say("failed", turn.language or "en", reference=turn.id), TurnState.FAILED
        try:
            self._outbox.put(session, recipient_of(turn, turn.channel), text, author=Author.NOTICE, now=now)
        except KeysUnavailable:
            raise
        except PrivacyError:
            # Its person was erased, or their key is lost: nobody can be told, and those behind it do not wait for that.
            state = TurnState.DROPPED
        _close(session, turn, state, now, error="gave_up")
        log.warning("turn_given_up", turn_id=str(turn.id), attempts=turn.attempts)

    def _begin(self, session: Session, conversation: _Leased, turn: _Open, now: datetime) -> Claim:
        # The first start counts: it tells how long the engine has kept the turn waiting.
        started_at, attempt = turn.started_at or now, turn.attempts + 1
        _BEGIN.put_off(session, turn=turn.id, attempt=attempt, started=started_at, due=now + self._lease)
        return Claim(
            turn_id=TurnId(turn.id),
            conversation_id=ConversationId(turn.conversation_id),
            workspace_id=WorkspaceId(conversation.workspace_id),
            user_id=UserId(turn.user_id),
            seq=turn.seq,
            fence=conversation.fence,
            attempt=attempt,
            language=turn.language or "en",
            received_at=turn.received_at,
            first_started_at=started_at,
            fresh_from_seq=conversation.fresh_from_seq,
            system_prompt=turn.system_prompt,
            to=recipient_of(turn, turn.channel),
            is_private=conversation.is_private,
            consent=turn.consent,
            role=turn.role,
        )


def _close(session: Session, turn: _Open, state: TurnState, now: datetime, **more: object) -> None:
    session.execute(update(Turn).where(Turn.id == turn.id).values(state=state.value, finished_at=now, **more))


def recipient_of(turn: Turn | _Open, channel: str) -> Recipient:
    """Whom an answer to `turn` goes to."""
    return Recipient(
        channel=channel,
        account_id=AccountId(turn.account_id),
        conversation_id=ConversationId(turn.conversation_id),
        turn_id=TurnId(turn.id),
        turn_seq=turn.seq,
        user_id=UserId(turn.user_id),
    )


def release(session: Session, conversation_id: UUID, fence: int) -> bool:
    """Let the conversation go, if this fence is still the latest. False: someone else has it, write nothing."""
    return _RELEASE.run(session, conversation=conversation_id, held_fence=fence) == 1


def next_open(session: Session, conversation_id: UUID) -> Asked[TurnId]:
    """The conversation's first open turn, if there is one.

    Asked after `release` in one transaction: whoever adds a turn waits for it.
    """
    return _NEXT_OPEN.ask(session, conversation=conversation_id)
