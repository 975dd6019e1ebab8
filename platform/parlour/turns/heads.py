"""What goes first in its conversation: one turn is answered at a time there, and one delivery sent."""

from sqlalchemy import ColumnElement, and_, exists, literal_column, or_
from sqlalchemy.orm import aliased

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
        is_open_delivery(earlier.state),
        earlier.state.in_([literal_column(f"'{state}'") for state in _BLOCKING]),
        or_(
            earlier.turn_seq < Delivery.turn_seq,
            and_(earlier.turn_seq == Delivery.turn_seq, earlier.ordinal < Delivery.ordinal),
        ),
    )
