"""How a workspace's messengers and its answering fare, as SQL tells it: the same whichever process is asked."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from parlour.store.database import Database
from parlour.store.ids import WorkspaceId
from parlour.store.models import Account, Conversation, Delivery, Turn
from parlour.turns.states import DeliveryState, TurnState, is_open_delivery, is_open_turn

COUNTED_AT_MOST: Final = 1_000


@dataclass(frozen=True, slots=True)
class MessengerHealth:
    """One bot. `held_by` is the gateway that posts for it now; `put_off` are deliveries that the messenger's limit
    (429) put off.
    """

    id: UUID
    channel: str
    name: str
    state: str
    held_by: str | None
    held_until: datetime | None
    waiting: int
    unknown: int
    put_off: int
    oldest_due_at: datetime | None


@dataclass(frozen=True, slots=True)
class AnsweringHealth:
    """Turns that wait and run now, and the workers that hold them."""

    waiting: int
    running: int
    workers: tuple[str, ...]
    oldest_at: datetime | None


def list_messengers(database: Database, workspace_id: WorkspaceId) -> list[MessengerHealth]:
    """The workspace's bots, oldest first. Reads open deliveries only."""
    now = database.clock.now()
    with database.read() as session:
        accounts = session.scalars(
            select(Account).where(Account.workspace_id == workspace_id, Account.state != "removed").order_by(Account.id)
        ).all()
        return [_health(session, account, now) for account in accounts]


def answering(database: Database, workspace_id: WorkspaceId) -> AnsweringHealth:
    """How far answering has come. Reads open turns only, `COUNTED_AT_MOST` of them."""
    wanted = (
        select(Turn.state, Turn.received_at, Conversation.lease_owner, Conversation.lease_until)
        .join(Conversation, Conversation.id == Turn.conversation_id)
        .where(is_open_turn(Turn.state), Conversation.workspace_id == workspace_id)
        .order_by(Turn.due_at)
        .limit(COUNTED_AT_MOST)
    )
    with database.read() as session:
        rows = session.execute(wanted).all()
    now = database.clock.now()
    running = [row for row in rows if row.state == TurnState.RUNNING.value]
    workers = {row.lease_owner for row in running if row.lease_owner and row.lease_until and row.lease_until > now}
    oldest = min((row.received_at for row in rows), default=None)
    return AnsweringHealth(len(rows) - len(running), len(running), tuple(sorted(workers)), oldest)


def _health(session: Session, account: Account, now: datetime) -> MessengerHealth:
    rows = session.execute(
        select(Delivery.state, Delivery.error, Delivery.due_at)
        .where(Delivery.account_id == account.id, is_open_delivery(Delivery.state))
        .order_by(Delivery.due_at)
        .limit(COUNTED_AT_MOST)
    ).all()
    is_held = account.sender_until is not None and account.sender_until > now
    waiting = [row for row in rows if row.state in {DeliveryState.PENDING.value, DeliveryState.SENDING.value}]
    return MessengerHealth(
        id=account.id,
        channel=account.channel,
        name=account.name,
        state=account.state,
        held_by=account.sender_owner if is_held else None,
        held_until=account.sender_until if is_held else None,
        waiting=len(waiting),
        unknown=sum(row.state == DeliveryState.UNKNOWN.value for row in rows),
        put_off=sum(row.error == "throttled" for row in rows),
        oldest_due_at=min((row.due_at for row in waiting), default=None),
    )
