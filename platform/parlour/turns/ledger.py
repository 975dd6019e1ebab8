"""The delivery ledger: what has to reach a messenger, who is sending it, and what the messenger said. Synchronous.

One gateway at a time holds an account's sender lease and moves its rows. A row that a dead or frozen gateway left in
`sending` becomes `unknown`: nobody knows whether its request was carried out, so the messenger is asked before
anything is sent again.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from parlour.privacy.errors import KeyShredded, KeysUnavailable, PrivacyError
from parlour.privacy.service import Privacy
from parlour.store.changes import changed_rows
from parlour.store.database import Database
from parlour.store.errors import StoreError
from parlour.store.ids import AccountId, ConversationId, DeliveryId, TurnId, UserId
from parlour.store.models import Account, Attachment, Delivery, Message
from parlour.turns.budget import SendBudget
from parlour.turns.conversations import message_hash, opened_address
from parlour.turns.draft_rows import DraftRows
from parlour.turns.due import DUE, FIRST_DUE, GIVE_UP, HELD, MARK, NEXT_DUE, PUT_OFF, REMEMBER, WAITING, Due, recording
from parlour.turns.extras import open_extras
from parlour.turns.message_keys import AnsweredMessage, MessageKeys
from parlour.turns.parts import Parts, pack, parts_of, unpack
from parlour.turns.ports import Address, Messenger, PostedFile
from parlour.turns.said import Enclosure
from parlour.turns.shipments import Outcome, Shipment
from parlour.turns.states import IN_THREAD, Author, DeliveryState, DraftState, is_open_delivery

log = structlog.get_logger(__name__)

# Given up after this long: an answer that comes a day late helps nobody.
_GIVE_UP_AFTER = timedelta(days=1)
_KNOWN_KEYS = 50
# What cannot be opened because the key provider does not answer is tried again after this.
_KEYS_WAIT = timedelta(seconds=5)


class Ledger:
    """The rows of `deliveries`, as one gateway process moves them."""

    def __init__(
        self, *, database: Database, privacy: Privacy, budget: SendBudget, owner: str, lease: timedelta
    ) -> None:
        self._database = database
        self._privacy = privacy
        self._budget = budget
        self._owner = owner
        self._keys = MessageKeys(privacy)
        self.lease = lease
        self.drafts = DraftRows(database=database, privacy=privacy)

    # ---- the sender lease ----

    def hold(self, account_id: AccountId, *, is_first: bool = False) -> bool:
        """Take or keep the account's sender lease. What the last holder was sending becomes `unknown`.

        `is_first`: this sender has sent nothing yet, so what stands in this process's own name is a predecessor's too.
        """
        now = self._database.clock.now()
        is_left_over = Delivery.owner.is_not(None) if is_first else Delivery.owner != self._owner
        may_have_it = or_(
            Account.sender_owner == self._owner, Account.sender_until.is_(None), Account.sender_until < now
        )
        with self._database.begin() as session:
            held = changed_rows(
                session,
                update(Account)
                .where(Account.id == account_id, may_have_it)
                .values(sender_owner=self._owner, sender_until=now + self.lease),
            )
            if held:
                session.execute(
                    update(Delivery)
                    .where(
                        Delivery.account_id == account_id,
                        is_open_delivery(Delivery.state),
                        Delivery.state == DeliveryState.SENDING.value,
                        is_left_over,
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

    def take_due(
        self, messenger: Messenger, *, limit: int, is_told: bool = False
    ) -> tuple[list[Shipment], float | None]:
        """What may be sent now, marked `sending`; and after how many seconds the next one is due, if any is.

        Within a conversation one delivery goes at a time, in the order of its turns. What the send budget does not
        grant is put off in SQL, so nothing waits in memory and one chat's limit holds up no other. Nothing is taken
        without the account's lease, whatever this process believes. `is_told` by the bus that something is due, it is
        not looked for first.
        """
        now = self._database.clock.now()
        account = messenger.account_id
        if not is_told:
            # Mostly there is nothing: seen without a transaction to write in, of which SQLite has one at a time.
            with self._database.read() as session:
                first = FIRST_DUE.ask(session, account=account)
            first_due = first.first()
            if first_due is None or first_due > now:
                return [], (first_due - now).total_seconds() if first_due else None
        with self._database.begin() as session:
            held = HELD.ask(session, account=account, sender=self._owner, now=now)
            rows = DUE.ask(session, account=account, now=now, at_most=limit)
            if held.first() is None:
                return [], None
            taken = self._take_all(session, messenger, rows.all(), now)
            following = NEXT_DUE.ask(session, account=account, now=now)
        next_due = following.first()
        return taken, (next_due - now).total_seconds() if next_due else None

    def record(self, outcomes: Sequence[Outcome]) -> bool:
        """Write down what the messenger said, many at once; whether anything else waits in the account.

        Rows that were taken over meanwhile are left alone.
        """
        now = self._database.clock.now()
        accounts = {UUID(outcome.shipment.lane.account) for outcome in outcomes}
        with self._database.begin(is_durable=False) as session:
            for outcome in outcomes:
                self._record(session, outcome, now)
            left = [FIRST_DUE.ask(session, account=account) for account in accounts]
        return any(first.first() is not None for first in left)

    def known_keys(self, shipment: Shipment) -> frozenset[str]:
        """The messenger's ids of other messages of ours in the conversation, newest first, as many as may matter.

        Raises `KeysUnavailable`: with some of them missing, another's message would be taken for this one.
        """
        with self._database.read() as session:
            rows = session.execute(
                select(Delivery.user_id, Delivery.id, Delivery.external_keys)
                .where(
                    Delivery.conversation_id == shipment.conversation_id,
                    Delivery.id != shipment.delivery_id,
                    Delivery.external_keys.is_not(None),
                )
                .order_by(Delivery.turn_seq.desc())
                .limit(_KNOWN_KEYS)
            ).all()
        known = set(shipment.keys)
        for user_id, delivery_id, sealed in rows:
            try:
                known.update(self._keys.open(UserId(user_id), delivery_id, sealed))
            except KeysUnavailable:
                raise
            except PrivacyError:
                # Someone else's in the same chat, who was erased since.
                continue
        return frozenset(known)

    def file(self, user_id: UserId, enclosure: Enclosure) -> PostedFile | None:
        """The file to post, None when it is gone."""
        with self._database.read() as session:
            content = session.scalar(select(Attachment.content).where(Attachment.id == enclosure.id))
        if content is None:
            return None
        try:
            opened = self._privacy.sealer.open(user_id, Attachment.content, enclosure.id, content)
        except KeyShredded:
            return None
        return PostedFile(enclosure.name, enclosure.media_type, opened, enclosure.alt, enclosure.words)

    # ---- inside ----

    def _take_all(self, session: Session, messenger: Messenger, rows: Sequence[Due], now: datetime) -> list[Shipment]:
        """What of these can be sent. Where a key cannot be had, that one waits, and those behind it for the next look.

        Asking for more keys would take a provider's patience for each, with the transaction open.
        """
        taken = []
        for row in rows:
            try:
                shipment = self._take(session, messenger, row, now)
            except KeysUnavailable:
                log.warning("delivery_waits_for_keys", delivery_id=str(row.id))
                PUT_OFF.run(session, delivery=row.id, until=now + _KEYS_WAIT)
                break
            if shipment is not None:
                taken.append(shipment)
        return taken

    def _take(self, session: Session, messenger: Messenger, due: Due, now: datetime) -> Shipment | None:
        """The next part of the delivery, marked `sending`; None when it has to wait or cannot be sent at all."""
        try:
            address = opened_address(self._privacy, due.owner_id or due.workspace_id, due.conversation_id, due.address)
            wait_s = self._budget.reserve(self._keys.lane(due.account_id, address), messenger.limits(address))
            if wait_s > 0:
                PUT_OFF.run(session, delivery=due.id, until=now + timedelta(seconds=wait_s))
                return None
            parts = self._plan(messenger, due)
            shipment = self._shipment(session, due, address, parts)
        except (StoreError, KeysUnavailable):
            raise
        except Exception as error:  # noqa: BLE001 (one that cannot be read must not hold up the account; logged below)
            _give_up(session, due, error)
            return None
        MARK.put_off(session, delivery=due.id, sender=self._owner, planned=len(parts.all), kept=self._kept(due, parts))
        return shipment

    def _shipment(self, session: Session, due: Due, address: Address, parts: Parts) -> Shipment:
        part, is_handle = parts.all[due.part_index], due.part_index == parts.handle
        is_settled = due.draft_state != DraftState.OPENING.value or due.part_index > 0
        return Shipment(
            delivery_id=DeliveryId(due.id),
            turn_id=TurnId(due.turn_id),
            conversation_id=ConversationId(due.conversation_id),
            user_id=UserId(due.user_id),
            message_id=due.message_id,
            address=address,
            lane=self._keys.lane(due.account_id, address),
            text=part if isinstance(part, str) else "",
            index=due.part_index,
            count=len(parts.all),
            attempts=due.attempts,
            must_settle=due.state == DeliveryState.UNKNOWN.value or not is_settled,
            keys=self._keys.open(UserId(due.user_id), due.id, due.external_keys),
            has_draft=due.draft_state == DraftState.OPEN.value,
            reply_to=self._keys.open_asked(AnsweredMessage(due.asked_id, due.asked_user_id, due.asked_key)),
            language=due.language or "en",
            is_answer=due.author == Author.ASSISTANT.value,
            created_at=due.created_at,
            enclosure=None if isinstance(part, str) else part,
            buttons=parts.buttons if is_handle else (),
            is_handle=is_handle,
            under=self._keys.thread_of(session, due) if due.kind == IN_THREAD else None,
        )

    def _plan(self, messenger: Messenger, due: Due) -> Parts:
        """The parts of the delivery: as they were planned before, where some of them are sent already."""
        sealer, user_id = self._privacy.sealer, UserId(due.message_user_id)
        extras = open_extras(sealer, user_id, due.message_id, due.extras)
        if due.parts is not None:
            return unpack(sealer.open(UserId(due.user_id), Delivery.parts, due.id, due.parts), extras)
        text = sealer.open_text(user_id, Message.body, due.message_id, due.body)
        return parts_of(text, extras, messenger.split, has_draft=due.draft_state != DraftState.NONE.value)

    def _kept(self, due: Due, parts: Parts) -> bytes | None:
        """The parts as they are stored, sealed, until all are sent; None where there is but one text."""
        if due.parts is not None or not parts.are_kept:
            return due.parts
        return self._privacy.sealer.seal(UserId(due.user_id), Delivery.parts, due.id, pack(parts))

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
        elif state.value in WAITING and now - shipment.created_at > _GIVE_UP_AFTER:
            values |= {"state": DeliveryState.FAILED.value, "error": "too_late", "parts": None}
        if outcome.drops_draft:
            values |= {"draft_state": DraftState.NONE.value, "external_keys": None}
        row = {"delivery": shipment.delivery_id, "sender": self._owner}
        row |= {f"new_{name}": value for name, value in values.items()}
        if outcome.holds_up_chat:
            if recording(values).run(session, **row):
                _hold_up(session, shipment, values["due_at"])
            return
        recording(values).put_off(session, **row)
        if shipment.is_handle and state is DeliveryState.SENT:
            self._remember_message(session, shipment, outcome.external_key or "")

    def _sent(self, shipment: Shipment, key: str, now: datetime) -> dict[str, Any]:
        """What changes when a part is there: the next one is due, or the delivery is done."""
        before = shipment.keys if shipment.index or not shipment.has_draft else ()
        try:
            sealed = self._keys.seal(shipment.user_id, shipment.delivery_id, [*before, key])
        except KeysUnavailable:
            raise
        except PrivacyError as error:
            # Erased while it was on its way: what the messenger said of it cannot be kept, and no more of it is sent.
            return {"state": DeliveryState.FAILED.value, "error": _reason(error), "parts": None}
        done = {
            "external_keys": sealed,
            "draft_state": DraftState.NONE.value,
            "part_index": shipment.index + 1,
        }
        if shipment.index + 1 < shipment.count:
            return done | {"state": DeliveryState.PENDING.value, "attempts": 0, "due_at": now}
        return done | {"sent_at": now, "parts": None}

    def _remember_message(self, session: Session, shipment: Shipment, key: str) -> None:
        """Make the answer findable by the messenger's id of the part where the buttons are."""
        found_by = message_hash(self._privacy, shipment.conversation_id, key)
        REMEMBER.put_off(
            session,
            message=shipment.message_id,
            delivery=shipment.delivery_id,
            index=shipment.index,
            found_by=found_by,
        )


def _give_up(session: Session, due: Due, error: Exception) -> None:
    """Nothing can be sent of what cannot be opened; of an erased person nothing shall be."""
    GIVE_UP.run(session, delivery=due.id, reason=_reason(error))
    if not isinstance(error, KeyShredded):
        log.error("delivery_unreadable", delivery_id=str(due.id), exc_info=error)


def _reason(error: Exception) -> str:
    return "erased" if isinstance(error, KeyShredded) else type(error).__name__


def _hold_up(session: Session, shipment: Shipment, until: datetime) -> None:
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
