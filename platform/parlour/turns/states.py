"""The words for where a turn, a message's author and a delivery stand; the tables hold exactly these."""

from enum import StrEnum
from typing import Final

from sqlalchemy import ColumnElement, literal_column
from sqlalchemy.orm import InstrumentedAttribute


class TurnState(StrEnum):
    """Where a turn stands. Open ones are `queued` and `running`; all others are final."""

    QUEUED = "queued"
    RUNNING = "running"
    ANSWERED = "answered"
    FAILED = "failed"
    STOPPED = "stopped"
    MERGED = "merged"  # answered together with a later one
    REPLACED = "replaced"  # asked again by /retry
    REFUSED = "refused"  # not taken: too long, too many, stale, not admitted
    DROPPED = "dropped"  # by an operator


# The kind of a turn that nobody's message began.
ANNOUNCED: Final = "announced"
# The kind of one that belongs into the thread of an earlier one, whose `once` is `announce.thread_root` of its own.
IN_THREAD: Final = "in_thread"

OPEN_TURNS = (TurnState.QUEUED, TurnState.RUNNING)


class DeliveryState(StrEnum):
    """Where a delivery stands in the ledger."""

    DRAFTING = "drafting"  # only a draft of it is out
    PENDING = "pending"
    SENDING = "sending"  # a request may be on its way
    UNKNOWN = "unknown"  # a request went out and no answer came back: to be settled
    SENT = "sent"
    FAILED = "failed"


class DraftState(StrEnum):
    """What is known of a delivery's draft message."""

    NONE = "none"
    OPENING = "opening"  # its first post went out, its id is not known
    OPEN = "open"  # its id is in `external_keys`


class HandoffState(StrEnum):
    """Where a handoff to a human stands."""

    WAITING = "waiting"
    CLAIMED = "claimed"
    ENDED = "ended"


class Author(StrEnum):
    """Who a message is by. A notice is by the platform and never part of a prompt."""

    USER = "user"
    ASSISTANT = "assistant"
    NOTICE = "notice"


class Mode(StrEnum):
    """What a message does that arrives while an earlier one is being answered."""

    QUEUE = "queue"
    MERGE = "merge"
    INTERRUPT = "interrupt"


# Their mailbox is SQL itself: what is committed is delivered, and the page or terminal shows it.
PULL_CHANNELS = frozenset({"web", "terminal"})

# Literals, not parameters: a database uses a partial index only for a condition that it sees while it plans.
_OPEN_TURN_WORDS: Final[list[ColumnElement[str]]] = [literal_column(f"'{state.value}'") for state in OPEN_TURNS]
_OPEN_DELIVERY_WORDS: Final[list[ColumnElement[str]]] = [
    literal_column(f"'{state}'") for state in ("drafting", "pending", "sending", "unknown")
]


def is_open_turn(state: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    """The condition of the partial indexes over open turns."""
    return state.in_(_OPEN_TURN_WORDS)


def is_open_delivery(state: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    """The condition of the partial indexes over open deliveries."""
    return state.in_(_OPEN_DELIVERY_WORDS)
