"""Ending turns that get no answer of their own, and what is out of one: a draft must not stay as a last word."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, select, update
from sqlalchemy.orm import Session

from parlour.privacy.errors import KeyShredded
from parlour.store.changes import changed_rows
from parlour.store.ids import AccountId, ConversationId, TurnId, UserId
from parlour.store.models import Account, Delivery, Turn
from parlour.turns.outbox import Outbox, Recipient
from parlour.turns.states import Author, DeliveryState, TurnState
from parlour.turns.wording import say


def merge(
    session: Session,
    outbox: Outbox,
    those: ColumnElement[bool],
    *,
    conversation_id: UUID,
    into: UUID,
    now: datetime,
) -> None:
    """Have the turn `into` answer those of the conversation, and whatever they were to answer besides themselves."""
    those = and_(Turn.conversation_id == conversation_id, those)
    # Before they are closed, `those` may be known by being open.
    _end_drafts(session, outbox, those, "merged", now)
    behind_them = Turn.merged_into.in_(select(Turn.id).where(those).correlate(None))
    session.execute(update(Turn).where(Turn.conversation_id == conversation_id, behind_them).values(merged_into=into))
    closed = {"state": TurnState.MERGED.value, "merged_into": into, "finished_at": now}
    session.execute(update(Turn).where(those).values(closed))


def stop_waiting(session: Session, outbox: Outbox, those: ColumnElement[bool], *, now: datetime) -> bool:
    """Stop those of these turns that no worker has; whether there was one."""
    waiting = and_(those, Turn.state == TurnState.QUEUED.value)
    _end_drafts(session, outbox, waiting, "stopped", now)
    return bool(
        changed_rows(session, update(Turn).where(waiting).values(state=TurnState.STOPPED.value, finished_at=now))
    )


def _end_drafts(session: Session, outbox: Outbox, those: ColumnElement[bool], key: str, now: datetime) -> None:
    """Put a word in the place of each draft that an earlier worker of those turns got out."""
    drafts = session.execute(
        select(Delivery, Account.channel, Turn.language)
        .join(Turn, Turn.id == Delivery.turn_id)
        .join(Account, Account.id == Delivery.account_id)
        .where(those, Delivery.state == DeliveryState.DRAFTING.value)
        .order_by(Delivery.turn_seq)
    ).all()
    for draft, channel, language in drafts:
        to = Recipient(
            channel=channel,
            account_id=AccountId(draft.account_id),
            conversation_id=ConversationId(draft.conversation_id),
            turn_id=TurnId(draft.turn_id),
            turn_seq=draft.turn_seq,
            user_id=UserId(draft.user_id),
        )
        try:
            outbox.put(session, to, say(key, language or "en"), author=Author.NOTICE, now=now)
        except KeyShredded:
            # Erased meanwhile: what was out for them is no longer ours to change.
            continue
