"""The delivery ledger: what has to reach a messenger, who is sending it, and what the messenger said. Synchronous.

One gateway at a time holds an account's sender lease and moves its rows. A row that a dead or frozen gateway left in
`sending` becomes `unknown`: nobody knows whether its request was carried out, so the messenger is asked before
anything is sent again.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import and_, delete, exists, func, or_, select, update
from sqlalchemy.engine import CursorResult, Row
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from parlour.privacy.errors import KeyShredded
from parlour.privacy.service import Privacy
from parlour.store.database import Database
from parlour.store.ids import AccountId, ConversationId, DeliveryId, TurnId, UserId, new_id
from parlour.store.models import Account, Conversation, Delivery, Message, Turn
from parlour.turns.budget import Lane, SendBudget
from parlour.turns.conversations import message_hash, open_address
from parlour.turns.ports import Address, Messenger
from parlour.turns.states import Author, DeliveryState, DraftState, is_open_delivery

_WAITING = (DeliveryState.PENDING.value, DeliveryState.UNKNOWN.value)
_BLOCKING = (DeliveryState.PENDING.value, DeliveryState.SENDING.value, DeliveryState.UNKNOWN.value)
# Given up after this long: an answer that comes a day late helps nobody.
_GIVE_UP_AFTER = timedelta(days=1)
_KNOWN_KEYS = 50


@dataclass(frozen=True, slots=True)
class Shipment:
    """One part of one delivery, taken for sending by this process."""

    delivery_id: DeliveryId
    turn_id: TurnId
    conversation_id: ConversationId
    user_id: UserId
    message_id: UUID
    address: Address
    lane: Lane
    text: str
    index: int
    count: int
    attempts: int
    must_settle: bool
    keys: tuple[str, ...]
    has_draft: bool
    reply_to: str | None
    language: str
    is_answer: bool
    created_at: datetime

    @property
    def draft_key(self) -> str | None:
        """The messenger's id of the draft that the first part replaces."""
        return self.keys[0] if self.has_draft and self.index == 0 and self.keys else None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a shipment: the row's next state, and when it is due again."""

    shipment: Shipment
    state: DeliveryState
    delay_s: float = 0.0
    external_key: str | None = None
    error: str | None = None
    counts: bool = True
    holds_up_chat: bool = False
    drops_draft: bool = False


@dataclass(frozen=True, slots=True)
class DraftTarget:
    """Where the drafts of a turn go."""

    turn_id: TurnId
    conversation_id: ConversationId
    account_id: AccountId
    user_id: UserId
    seq: int
    address: Address
    lane: Lane
    reply_to: str | None


class Ledger:
    """The rows of `deliveries`, as one gateway process moves them."""

    def __init__(
        self, *, database: Database, privacy: Privacy, budget: SendBudget, owner: str, lease: timedelta
    ) -> None:
        self._database = database
        self._privacy = privacy
        self._budget = budget
        self._owner = owner
        self.lease = lease

    # ---- the sender lease ----

    def hold(self, account_id: AccountId) -> bool:
        """Take or keep the account's sender lease. Taking it over makes what the last holder was sending `unknown`."""
        now = self._database.clock.now()
        with self._database.begin() as session:
            held = _rowcount(
                session,
                update(Account)
                .where(
                    Account.id == account_id,
                    or_(
                        Account.sender_owner == self._owner, Account.sender_until.is_(None), Account.sender_until < now
                    ),
                )
                .values(sender_owner=self._owner, sender_until=now + self.lease),
            )
            if held:
                session.execute(
                    update(Delivery)
                    .where(
                        Delivery.account_id == account_id,
                        is_open_delivery(Delivery.state),
                        Delivery.state == DeliveryState.SENDING.value,
                        Delivery.owner != self._owner,
                    )
                    .values(state=DeliveryState.UNKNOWN.value, owner=None, due_at=now)
                )
        return bool(held)

    def let_go(self, account_id: AccountId) -> None:
        """Give the sender lease back, so that another gateway need not wait for its end."""
        with self._database.begin() as session:
            session.execute(
                update(Account)
                .where(Account.id == account_id, Account.sender_owner == self._owner)
                .values(sender_owner=None, sender_until=None)
            )

    # ---- taking and recording ----

    def take_due(self, messenger: Messenger, *, limit: int) -> tuple[list[Shipment], float | None]:
        """What may be sent now, marked `sending`; and after how many seconds the next one is due, if any is.

        Within a conversation one delivery goes at a time, in the order of its turns. What the send budget does not
        grant is put off in SQL, so nothing waits in memory and one chat's limit holds up no other.
        """
        now = self._database.clock.now()
        with self._database.begin() as session:
            rows = self._due(session, messenger.account_id, now, limit)
            taken = [shipment for row in rows if (shipment := self._take(session, messenger, row, now))]
            next_due = session.scalar(
                select(func.min(Delivery.due_at)).where(
                    Delivery.account_id == messenger.account_id,
                    is_open_delivery(Delivery.state),
                    Delivery.state.in_(_WAITING),
                    Delivery.due_at > now,
                )
            )
        return taken, (next_due - now).total_seconds() if next_due else None

    def record(self, outcomes: Sequence[Outcome]) -> None:
        """Write down what the messenger said, many at once. Rows that were taken over meanwhile are left alone."""
        now = self._database.clock.now()
        with self._database.begin() as session:
            for outcome in outcomes:
                self._record(session, outcome, now)

    def known_keys(self, shipment: Shipment) -> frozenset[str]:
        """The messenger's ids of other messages of ours in the conversation, newest first, as many as may matter."""
        with self._database.read() as session:
            rows = session.execute(
                select(Delivery.id, Delivery.user_id, Delivery.external_keys)
                .where(
                    Delivery.conversation_id == shipment.conversation_id,
                    Delivery.id != shipment.delivery_id,
                    Delivery.external_keys.is_not(None),
                )
                .order_by(Delivery.turn_seq.desc())
                .limit(_KNOWN_KEYS)
            ).all()
        return frozenset(key for row in rows for key in self._keys(*row)) | frozenset(shipment.keys)

    # ---- drafts ----

    def draft_target(self, turn_id: TurnId) -> DraftTarget | None:
        """Where drafts of the turn go, None when it is not being answered any more."""
        with self._database.read() as session:
            found = session.execute(
                select(Turn, Conversation)
                .join(Conversation, Conversation.id == Turn.conversation_id)
                .where(Turn.id == turn_id, Turn.state == "running")
            ).one_or_none()
            if found is None:
                return None
            turn, conversation = found
            address = open_address(self._privacy, conversation)
            return DraftTarget(
                turn_id=turn_id,
                conversation_id=ConversationId(conversation.id),
                account_id=AccountId(conversation.account_id),
                user_id=UserId(turn.user_id),
                seq=turn.seq,
                address=address,
                lane=self._lane(conversation.account_id, address),
                reply_to=self._reply_to(session, turn_id),
            )

    def begin_draft(self, target: DraftTarget) -> tuple[bool, str | None]:
        """Put the draft into the ledger before its first post. Returns whether it may be shown; its key if it is out.

        False: the answer is already in the ledger, or an earlier draft's fate is not known; drafts are over then.
        """
        now = self._database.clock.now()
        try:
            with self._database.begin() as session:
                session.add(
                    Delivery(
                        id=new_id(),
                        conversation_id=target.conversation_id,
                        account_id=target.account_id,
                        turn_id=target.turn_id,
                        user_id=target.user_id,
                        turn_seq=target.seq,
                        ordinal=0,
                        state=DeliveryState.DRAFTING.value,
                        draft_state=DraftState.OPENING.value,
                        due_at=now,
                        created_at=now,
                    )
                )
        except IntegrityError:
            return self._existing_draft(target)
        return True, None

    def draft_is_out(self, target: DraftTarget, key: str) -> None:
        """Remember the draft's id, whatever has become of the turn meanwhile."""
        with self._database.begin() as session:
            row_id = session.scalar(_draft_row(target))
            if row_id is not None:
                session.execute(
                    update(Delivery)
                    .where(Delivery.id == row_id)
                    .values(
                        draft_state=DraftState.OPEN.value, external_keys=self._seal_keys(target.user_id, row_id, [key])
                    )
                )

    def draft_is_not_out(self, target: DraftTarget) -> None:
        """The draft's first post certainly did not happen: as if it had never been tried."""
        with self._database.begin() as session:
            row_id = session.scalar(_draft_row(target))
            session.execute(
                delete(Delivery).where(Delivery.id == row_id, Delivery.state == DeliveryState.DRAFTING.value)
            )
            session.execute(update(Delivery).where(Delivery.id == row_id).values(draft_state=DraftState.NONE.value))

    # ---- inside ----

    def _due(self, session: Session, account_id: AccountId, now: datetime, limit: int) -> Sequence[Row[Any]]:
        earlier = aliased(Delivery)
        is_next = ~exists().where(
            earlier.conversation_id == Delivery.conversation_id,
            is_open_delivery(earlier.state),
            earlier.state.in_(_BLOCKING),
            or_(
                earlier.turn_seq < Delivery.turn_seq,
                and_(earlier.turn_seq == Delivery.turn_seq, earlier.ordinal < Delivery.ordinal),
            ),
        )
        return session.execute(
            select(Delivery, Conversation, Message, Turn.language)
            .join(Conversation, Conversation.id == Delivery.conversation_id)
            .join(Message, Message.id == Delivery.message_id)
            .join(Turn, Turn.id == Delivery.turn_id)
            .where(
                Delivery.account_id == account_id,
                is_open_delivery(Delivery.state),
                Delivery.state.in_(_WAITING),
                Delivery.due_at <= now,
                is_next,
            )
            .order_by(Delivery.due_at)
            .limit(limit)
        ).all()

    def _take(self, session: Session, messenger: Messenger, row: Row[Any], now: datetime) -> Shipment | None:
        delivery, conversation, message, language = row
        try:
            body = self._privacy.sealer.open_text(message.user_id, Message.body, message.id, message.body)
            address = open_address(self._privacy, conversation)
        except KeyShredded:
            # Its person was erased: nothing of them is sent any more.
            delivery.state, delivery.error = DeliveryState.FAILED.value, "erased"
            return None
        lane = self._lane(delivery.account_id, address)
        wait_s = self._budget.reserve(lane, messenger.limits(address))
        if wait_s > 0:
            delivery.due_at = now + timedelta(seconds=wait_s)
            return None
        must_settle = delivery.state == DeliveryState.UNKNOWN.value or (
            delivery.draft_state == DraftState.OPENING.value and delivery.part_index == 0
        )
        parts = self._plan(messenger, delivery, body)
        delivery.state, delivery.owner = DeliveryState.SENDING.value, self._owner
        return Shipment(
            delivery_id=DeliveryId(delivery.id),
            turn_id=TurnId(delivery.turn_id),
            conversation_id=ConversationId(conversation.id),
            user_id=UserId(delivery.user_id),
            message_id=message.id,
            address=address,
            lane=lane,
            text=parts[delivery.part_index],
            index=delivery.part_index,
            count=len(parts),
            attempts=delivery.attempts,
            must_settle=must_settle,
            keys=tuple(self._keys(delivery.id, delivery.user_id, delivery.external_keys)),
            has_draft=delivery.draft_state == DraftState.OPEN.value,
            reply_to=self._reply_to(session, TurnId(delivery.turn_id)),
            language=language or "en",
            is_answer=message.author == Author.ASSISTANT.value,
            created_at=delivery.created_at,
        )

    def _plan(self, messenger: Messenger, delivery: Delivery, body: str) -> list[str]:
        """The parts of the delivery. Several are kept, sealed, until all are sent: a new splitter may not shift them."""
        if delivery.parts is not None:
            opened = self._privacy.sealer.open(delivery.user_id, Delivery.parts, delivery.id, delivery.parts)
            return [str(part) for part in json.loads(opened)]
        parts = messenger.split(body)
        delivery.part_count = len(parts)
        if len(parts) > 1:
            delivery.parts = self._privacy.sealer.seal(delivery.user_id, Delivery.parts, delivery.id, json.dumps(parts))
        return parts

    def _record(self, session: Session, outcome: Outcome, now: datetime) -> None:
        shipment, state = outcome.shipment, outcome.state
        values: dict[str, Any] = {
            "state": state.value,
            "owner": None,
            "error": outcome.error,
            "due_at": now + timedelta(seconds=outcome.delay_s),
            "attempts": shipment.attempts + 1 if outcome.counts else shipment.attempts,
        }
        if state is DeliveryState.SENT:
            values |= self._sent(shipment, outcome.external_key or "", now)
        elif state in (DeliveryState.PENDING, DeliveryState.UNKNOWN) and now - shipment.created_at > _GIVE_UP_AFTER:
            values |= {"state": DeliveryState.FAILED.value, "error": "too_late", "parts": None}
        if outcome.drops_draft:
            values |= {"draft_state": DraftState.NONE.value, "external_keys": None}
        moved = _rowcount(
            session,
            update(Delivery)
            .where(
                Delivery.id == shipment.delivery_id,
                Delivery.owner == self._owner,
                Delivery.state == DeliveryState.SENDING.value,
            )
            .values(**values),
        )
        if moved and values["state"] == DeliveryState.SENT.value:
            self._remember_message(session, shipment, outcome.external_key or "")
        if moved and outcome.holds_up_chat:
            self._hold_up(session, shipment, values["due_at"])

    def _sent(self, shipment: Shipment, key: str, now: datetime) -> dict[str, Any]:
        keys = [*(shipment.keys if shipment.index or not shipment.has_draft else ()), key]
        sealed = self._seal_keys(shipment.user_id, shipment.delivery_id, keys)
        if shipment.index + 1 < shipment.count:
            return {
                "state": DeliveryState.PENDING.value,
                "part_index": shipment.index + 1,
                "attempts": 0,
                "due_at": now,
                "external_keys": sealed,
                "draft_state": DraftState.NONE.value,
            }
        return {
            "external_keys": sealed,
            "sent_at": now,
            "parts": None,
            "part_index": shipment.count,
            "draft_state": "none",
        }

    def _remember_message(self, session: Session, shipment: Shipment, key: str) -> None:
        """Make the answer findable by the messenger's id of its last part: that is where the buttons are."""
        session.execute(
            update(Message)
            .where(Message.id == shipment.message_id)
            .values(external_hash=message_hash(self._privacy, shipment.conversation_id, key))
        )

    def _hold_up(self, session: Session, shipment: Shipment, until: datetime) -> None:
        """Nothing else of the conversation is due before the messenger takes its next message."""
        session.execute(
            update(Delivery)
            .where(
                Delivery.conversation_id == shipment.conversation_id,
                is_open_delivery(Delivery.state),
                Delivery.state == DeliveryState.PENDING.value,
                Delivery.due_at < until,
            )
            .values(due_at=until)
        )

    def _existing_draft(self, target: DraftTarget) -> tuple[bool, str | None]:
        with self._database.read() as session:
            row = session.execute(
                select(
                    Delivery.id, Delivery.user_id, Delivery.external_keys, Delivery.state, Delivery.draft_state
                ).where(Delivery.turn_id == target.turn_id, Delivery.ordinal == 0)
            ).one_or_none()
        if row is None or row.state != DeliveryState.DRAFTING.value or row.draft_state != DraftState.OPEN.value:
            return False, None
        keys = self._keys(row.id, row.user_id, row.external_keys)
        return bool(keys), keys[0] if keys else None

    def _lane(self, account_id: UUID, address: Address) -> Lane:
        chat = self._privacy.lookup.hash("lane", str(account_id), address.chat)
        return Lane(account=str(account_id), chat=chat.hex())

    def _reply_to(self, session: Session, turn_id: TurnId) -> str | None:
        found = session.execute(
            select(Message.id, Message.user_id, Message.external_key).where(
                Message.turn_id == turn_id, Message.author == Author.USER.value, Message.external_key.is_not(None)
            )
        ).first()
        if found is None:
            return None
        row_id, user_id, sealed = found
        return self._privacy.sealer.open_text(user_id, Message.external_key, row_id, sealed)

    def _seal_keys(self, user_id: UUID, row_id: UUID, keys: Sequence[str]) -> bytes:
        return self._privacy.sealer.seal(user_id, Delivery.external_keys, row_id, json.dumps(list(keys)))

    def _keys(self, row_id: UUID, user_id: UUID, sealed: bytes | None) -> list[str]:
        if sealed is None:
            return []
        return [
            str(key) for key in json.loads(self._privacy.sealer.open(user_id, Delivery.external_keys, row_id, sealed))
        ]


def with_draft(shipment: Shipment, key: str | None) -> Shipment:
    """The shipment, knowing of a draft that this process put out after the row was read."""
    if key is None or shipment.index > 0:
        return shipment
    return replace(shipment, keys=(key,), has_draft=True, must_settle=False)


def _draft_row(target: DraftTarget) -> Any:
    return select(Delivery.id).where(Delivery.turn_id == target.turn_id, Delivery.ordinal == 0)


def _rowcount(session: Session, statement: Any) -> int:
    result: CursorResult[Any] = session.execute(statement)  # type: ignore[assignment]
    return result.rowcount
