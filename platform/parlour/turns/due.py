"""What is due in an account: how the ledger reads it, marks it, and writes down what became of it."""

from collections.abc import Iterable
from datetime import datetime
from functools import cache
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, exists, func, literal_column, select, update
from sqlalchemy.orm import aliased

from parlour.store.models import Account, Conversation, Delivery, Message, Turn
from parlour.store.prepared import Change, Query, only
from parlour.turns.heads import is_first_delivery
from parlour.turns.states import Author, DeliveryState, is_open_delivery

WAITING: Final = (DeliveryState.PENDING.value, DeliveryState.UNKNOWN.value)


class Due(NamedTuple):
    """A delivery that may be next, with what its conversation, message and turn say of it."""

    id: UUID
    conversation_id: UUID
    account_id: UUID
    turn_id: UUID
    user_id: UUID
    state: str
    part_index: int
    parts: bytes | None
    draft_state: str
    external_keys: bytes | None
    attempts: int
    created_at: datetime
    workspace_id: UUID
    # The person of a private chat.
    owner_id: UUID | None
    address: bytes
    message_id: UUID
    message_user_id: UUID
    author: str
    body: bytes
    extras: bytes | None
    language: str | None
    kind: str
    # What the turn answers.
    asked_id: UUID | None
    asked_user_id: UUID | None
    asked_key: bytes | None


def _is_waiting() -> tuple[ColumnElement[bool], ...]:
    return (
        Delivery.account_id == bindparam("account"),
        is_open_delivery(Delivery.state),
        Delivery.state.in_([literal_column(f"'{state}'") for state in WAITING]),
    )


_FIRST = select(func.min(Delivery.due_at)).where(*_is_waiting())
# Parameters: `account`; the second wants `now` too. None where nothing waits.
FIRST_DUE: Final = Query(_FIRST, only)
NEXT_DUE: Final = Query(_FIRST.where(Delivery.due_at > bindparam("now")), only)
# Whether `sender` has the lease on `account`; holds it for the transaction.
HELD: Final = Query(
    select(Account.id)
    .where(
        Account.id == bindparam("account"),
        Account.sender_owner == bindparam("sender"),
        Account.sender_until >= bindparam("now"),
    )
    # Not against those who only refer to the account: intake goes on meanwhile.
    .with_for_update(key_share=True),
    only,
)
_asked = aliased(Message)
# One at most, whatever the table holds: a delivery that came twice would be sent twice.
_ASKED_ID = (
    select(Message.id)
    .where(Message.turn_id == Delivery.turn_id, Message.author == Author.USER.value)
    .correlate(Delivery)
    .limit(1)
    .scalar_subquery()
)
# The first of each conversation of `account`, `at_most` so many.
DUE: Final = Query(
    select(
        Delivery.id,
        Delivery.conversation_id,
        Delivery.account_id,
        Delivery.turn_id,
        Delivery.user_id,
        Delivery.state,
        Delivery.part_index,
        Delivery.parts,
        Delivery.draft_state,
        Delivery.external_keys,
        Delivery.attempts,
        Delivery.created_at,
        Conversation.workspace_id,
        Conversation.user_id.label("owner_id"),
        Conversation.address,
        Message.id.label("message_id"),
        Message.user_id.label("message_user_id"),
        Message.author,
        Message.body,
        Message.extras,
        Turn.language,
        Turn.kind,
        _asked.id.label("asked_id"),
        _asked.user_id.label("asked_user_id"),
        _asked.external_key.label("asked_key"),
    )
    .join(Conversation, Conversation.id == Delivery.conversation_id)
    .join(Message, Message.id == Delivery.message_id)
    .join(Turn, Turn.id == Delivery.turn_id)
    .outerjoin(_asked, _asked.id == _ASKED_ID)
    .where(*_is_waiting(), Delivery.due_at <= bindparam("now"), is_first_delivery())
    .order_by(Delivery.due_at)
    .limit(bindparam("at_most")),
    Due,
)
PUT_OFF: Final = Change(update(Delivery).where(Delivery.id == bindparam("delivery")).values(due_at=bindparam("until")))
GIVE_UP: Final = Change(
    update(Delivery)
    .where(Delivery.id == bindparam("delivery"))
    .values(state=DeliveryState.FAILED.value, error=bindparam("reason"))
)
# `planned` is how many parts there are, `kept` the parts, sealed, where they are kept.
MARK: Final = Change(
    update(Delivery)
    .where(Delivery.id == bindparam("delivery"))
    .values(
        state=DeliveryState.SENDING.value,
        owner=bindparam("sender"),
        part_count=bindparam("planned"),
        parts=bindparam("kept"),
    )
)
# Makes the answer findable by the messenger's id of its part `index`, once that is recorded as sent.
REMEMBER: Final = Change(
    update(Message)
    .where(
        Message.id == bindparam("message"),
        exists().where(Delivery.id == bindparam("delivery"), Delivery.part_index > bindparam("index")),
    )
    .values(external_hash=bindparam("found_by"))
)


@cache
def _recording(columns: tuple[str, ...]) -> Change:
    is_ours = (
        Delivery.id == bindparam("delivery"),
        Delivery.owner == bindparam("sender"),
        Delivery.state == DeliveryState.SENDING.value,
    )
    return Change(update(Delivery).where(*is_ours).values({name: bindparam(f"new_{name}") for name in columns}))


def recording(columns: Iterable[str]) -> Change:
    """Writes `new_…` of these columns into `delivery`, if `sender` is still sending it. There are few such sets."""
    return _recording(tuple(sorted(columns)))
