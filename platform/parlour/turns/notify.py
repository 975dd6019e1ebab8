"""Telling conversations what they subscribed to: `Notify`, on the host's side. Synchronous."""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from parlour.people.states import UserState
from parlour.privacy.service import Privacy
from parlour.sdk.errors import NotAvailable, TooMuch
from parlour.sdk.replies import Reply
from parlour.skills.desk import Whose
from parlour.skills.rich import gathered
from parlour.store.database import Database
from parlour.store.errors import DatabaseLocked
from parlour.store.ids import ConversationId, UserId, new_id
from parlour.store.models import Account, Conversation, User
from parlour.store.outbound_models import Subscription
from parlour.turns.announce import Announcement, announce
from parlour.turns.gate import RateGate
from parlour.turns.outbox import Outbox
from parlour.turns.ports import Live, LiveBus

log = structlog.get_logger(__name__)

_CALLS_PER_MINUTE: Final = 60
_BATCH: Final = 50
# So far apart a large audience is told, about a third of what Telegram takes: people's answers go in between.
_APART: Final = timedelta(seconds=0.1)


@dataclass(frozen=True, slots=True)
class _Subscriber:
    conversation_id: ConversationId
    user_id: UserId


class Notifier:
    """Subscriptions, and what is told about their topics. See `skills.desk.NotifyPort`."""

    def __init__(self, *, database: Database, privacy: Privacy, outbox: Outbox, bus: LiveBus) -> None:
        self._database = database
        self._privacy = privacy
        self._outbox = outbox
        self._bus = bus
        self._gate = RateGate(_CALLS_PER_MINUTE, monotonic=lambda: database.clock.now().timestamp())

    def subscribe(self, whose: Whose, topic: str) -> None:
        """The run's conversation wants to be told; asking twice is asking once."""
        conversation_id, user_id = _asking(whose)
        row_id = new_id()
        with self._database.begin() as session:
            dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
            row = dialect.insert(Subscription).values(
                id=row_id,
                skill_id=whose.skill_id,
                conversation_id=conversation_id,
                user_id=user_id,
                topic_hash=self._topic_hash(whose, topic),
                topic=self._privacy.sealer.seal(user_id, Subscription.topic, row_id, topic),
                created_at=self._database.clock.now(),
            )
            session.execute(row.on_conflict_do_nothing(index_elements=["skill_id", "topic_hash", "conversation_id"]))

    def unsubscribe(self, whose: Whose, topic: str) -> None:
        """It wants no more of it, whoever of a group asked for it."""
        conversation_id, _ = _asking(whose)
        gone = delete(Subscription).where(
            Subscription.skill_id == whose.skill_id,
            Subscription.topic_hash == self._topic_hash(whose, topic),
            Subscription.conversation_id == conversation_id,
        )
        with self._database.begin() as session:
            session.execute(gone)

    def tell(self, whose: Whose, topic: str, replies: Sequence[Reply], *, once: str) -> int:
        """Tell all subscribers; how many were told now. Raises `TooMuch`, and `Invalid` for too large a reply.

        A transaction for some at a time: a crash in the middle leaves the others untold, and telling again with the
        same `once` tells those alone.
        """
        if not self._gate.admits(whose.skill_id):
            raise TooMuch(f"Notify.subscribers: at most {_CALLS_PER_MINUTE} calls a minute. Put news together.")
        text, rich = gathered(list(replies))
        name = self._privacy.lookup.hash(
            "announcement", str(whose.skill_id), topic, once or secrets.token_hex(16)
        ).hex()[:32]
        with self._database.read() as session:
            subscribers = list(self._subscribers(session, whose, topic))
        told = 0
        for start in range(0, len(subscribers), _BATCH):
            told += self._tell_some(subscribers[start : start + _BATCH], Announcement(text, name, rich=rich), told)
        log.info("subscribers_told", skill_id=str(whose.skill_id), count=told)
        return told

    def _tell_some(self, some: Sequence[_Subscriber], what: Announcement, told: int) -> int:
        """How many of them were told; `told` were before them."""
        try:
            live = self._put(some, what, told)
        except DatabaseLocked:
            # Somebody held one of their conversations and waited for another one. Nobody of these was told.
            live = self._put(some, what, told)
        for said in live:
            self._bus.publish(said)
        return len(live)

    def _put(self, some: Sequence[_Subscriber], what: Announcement, told: int) -> list[Live]:
        """Tell them in one transaction; what to publish then. `what.once` is completed for each."""
        live: list[Live] = []
        now = self._database.clock.now()
        with self._database.begin() as session:
            for one in some:
                mine = replace(what, once=f"{what.once}:{one.conversation_id.hex}")
                due_at = now + _APART * (told + len(live))
                said = announce(session, self._outbox, one.conversation_id, one.user_id, mine, now=now, due_at=due_at)
                if said is not None:
                    live.append(said)
        return live

    def _subscribers(self, session: Session, whose: Whose, topic: str) -> Iterable[_Subscriber]:
        """Those who can still be told."""
        rows = session.execute(
            select(Subscription.conversation_id, Subscription.user_id)
            .join(Conversation, Conversation.id == Subscription.conversation_id)
            .join(Account, Account.id == Conversation.account_id)
            .join(User, User.id == Subscription.user_id)
            .where(
                Subscription.skill_id == whose.skill_id,
                Subscription.topic_hash == self._topic_hash(whose, topic),
                Account.state != "removed",
                User.state == UserState.ACTIVE.value,
            )
            # Whoever locks several conversations does so in this order.
            .order_by(Subscription.conversation_id)
        )
        return [_Subscriber(ConversationId(conversation), UserId(user)) for conversation, user in rows]

    def _topic_hash(self, whose: Whose, topic: str) -> bytes:
        return self._privacy.lookup.hash("topic", str(whose.skill_id), topic)


def _asking(whose: Whose) -> tuple[ConversationId, UserId]:
    if whose.conversation_id is None or whose.user_id is None:
        raise NotAvailable("A job has no conversation that could subscribe.")
    return whose.conversation_id, whose.user_id
