"""What goes first in its conversation: one turn is answered at a time there, and one delivery sent."""

from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, literal_column, or_
from sqlalchemy.orm import InstrumentedAttribute, aliased

from parlour.store.models import Delivery, Turn
from parlour.turns.states import DeliveryState, is_open_delivery, is_open_turn

_BLOCKING = (DeliveryState.PENDING.value, DeliveryState.SENDING.value, DeliveryState.UNKNOWN.value)


def is_first_turn() -> ColumnElement[bool]:
    """Whether nothing earlier of the same conversation is open."""
    earlier = aliased(Turn)
    return ~exists().where(
        earlier.conversation_id == Turn.conversation_id,
        is_open_turn(earlier.state),
        earlier.seq < Turn.seq,
    )


def is_first_delivery() -> ColumnElement[bool]:
    """Whether nothing earlier of the same conversation has to be sent first."""
    earlier = aliased(Delivery)
    return ~exists().where(
        earlier.conversation_id == Delivery.conversation_id,
        _is_blocking(earlier.state),
        or_(
            earlier.turn_seq < Delivery.turn_seq,
            and_(earlier.turn_seq == Delivery.turn_seq, earlier.ordinal < Delivery.ordinal),
        ),
    )


def is_delivery_waiting(conversation_id: UUID, *, before_seq: int) -> ColumnElement[bool]:
    """Whether anything of the conversation's turns before that one has still to be sent."""
    return exists().where(
        Delivery.conversation_id == conversation_id, _is_blocking(Delivery.state), Delivery.turn_seq < before_seq
    )


def _is_blocking(state: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    return and_(is_open_delivery(state), state.in_([literal_column(f"'{one}'") for one in _BLOCKING]))
