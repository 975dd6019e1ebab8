"""Work that is older than it should be: found, counted and told. What takes it up again is elsewhere, and named here.

A turn that waits or whose lease has lapsed is published again by the sweeper; one that runs too long is ended by its
worker. A delivery is sent, settled or taken over by whichever gateway holds its account's sender lease, and that lease
goes to the next gateway that asks. A job is published again like a turn. So what is seen here for long has nobody who
could take it up, or breaks each time.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select
from sqlalchemy.orm import Session

from parlour.skills.views import is_at_work
from parlour.store.database import Database
from parlour.store.models import Account, Conversation, Delivery, Turn
from parlour.store.skill_models import Job, SkillRow
from parlour.turns.heads import is_first_delivery, is_first_turn
from parlour.turns.states import DeliveryState, TurnState, is_open_delivery, is_open_turn

log = structlog.get_logger(__name__)

LOOK_EVERY_S: Final = 10.0
# Longer than any burst on a machine of the right size; whoever waits so long has given up.
TURN_WAITS: Final = timedelta(minutes=5)
# Its worker ends it after half an hour (`running.LONGEST_ANSWER_S`); one that lives longer is at a second try, or hangs
# so that it cannot be ended and loses its lease next.
TURN_RUNS: Final = timedelta(minutes=30)
# A lapsed lease is taken up within two seconds where somebody is free to.
LEASE_LAPSED: Final = timedelta(seconds=30)
# What a limit puts off is due later; what is due is taken within a second.
DELIVERY_WAITS: Final = timedelta(minutes=1)
# Settling asks the messenger once a minute at the least.
DELIVERY_UNKNOWN: Final = timedelta(minutes=5)
# Its gateway ends a request after ten minutes.
DELIVERY_SENDS: Final = timedelta(minutes=15)
# Jobs give way to people for up to ten minutes.
JOB_WAITS: Final = timedelta(minutes=15)

# Past this many it is one outage, and its count of no more use.
COUNTED_AT_MOST: Final = 1_000
_IDS_SHOWN: Final = 3
# The sweeper puts a turn that it published off by so much at the most; what is put off further waits on purpose.
_PUBLISHED_AGAIN: Final = timedelta(seconds=30)


class Kind(StrEnum):
    """What is stuck."""

    TURN = "turn"
    DELIVERY = "delivery"
    SENDER = "sender"
    JOB = "job"


@dataclass(frozen=True, slots=True)
class Stuck:
    """So much work of one kind is stuck for one reason. `ids` are the longest stuck, a few of them."""

    kind: Kind
    reason: str
    count: int
    since: datetime
    ids: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Sign:
    """How one kind of stuck work is told. `rows` selects ids with since when; `remedy` is for whoever runs Parlour."""

    kind: Kind
    reason: str
    rows: Callable[[datetime], Select[UUID, Any]]
    remedy: str


def stuck_work(database: Database) -> list[Stuck]:
    """All work that is stuck now, by kind and reason; empty when all is well."""
    with database.read() as session:
        return read_stuck(session, now=database.clock.now())


def read_stuck(session: Session, *, now: datetime) -> list[Stuck]:
    """The same, in a session. Reads the indexes of open rows only: the cost follows the backlog, not what is stored."""
    found = [(sign, _rows(session, sign, now)) for sign in SIGNS]
    return [
        Stuck(sign.kind, sign.reason, len(rows), rows[0][1], tuple(row[0] for row in rows[:_IDS_SHOWN]))
        for sign, rows in found
        if rows
    ]


def stuck_turns(session: Session, *, now: datetime) -> list[UUID]:
    """The ids of the turns that are stuck, `COUNTED_AT_MOST` for each reason."""
    return [row[0] for sign in SIGNS if sign.kind is Kind.TURN for row in _rows(session, sign, now)]


def remedy_for(stuck: Stuck) -> str:
    """What to do about it."""
    return next(sign.remedy for sign in SIGNS if (sign.kind, sign.reason) == (stuck.kind, stuck.reason))


class StuckWatch:
    """Tells the log of stuck work when it changes: once for an outage, not once a look."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._told: dict[tuple[Kind, str], Stuck] = {}

    def look(self) -> None:
        """Look now. Warns of what is new or has doubled, and says what was freed."""
        now = self._database.clock.now()
        found = {(one.kind, one.reason): one for one in stuck_work(self._database)}
        for what, stuck in found.items():
            if _is_news(self._told.get(what), stuck):
                self._told[what] = stuck
                _warn(stuck, now)
        for kind, reason in self._told.keys() - found.keys():
            del self._told[kind, reason]
            log.info("work_freed", kind=kind.value, reason=reason)


def _is_news(told: Stuck | None, now: Stuck) -> bool:
    """While an outage lasts, more joins it at every look: that is told each time it has doubled."""
    return told is None or now.count >= 2 * told.count or not set(told.ids) & set(now.ids)


def _warn(stuck: Stuck, now: datetime) -> None:
    log.warning(
        "work_stuck",
        kind=stuck.kind.value,
        reason=stuck.reason,
        count=stuck.count,
        oldest_s=round((now - stuck.since).total_seconds()),
        ids=[str(one) for one in stuck.ids],
    )


def _rows(session: Session, sign: Sign, now: datetime) -> Sequence[tuple[UUID, datetime]]:
    """The work with this sign, the longest stuck first."""
    rows = session.execute(sign.rows(now).limit(COUNTED_AT_MOST)).all()
    return sorted(((row[0], row[1]) for row in rows), key=lambda row: row[1])


# ---- turns ----


def _waiting_turns(now: datetime) -> Select[UUID, datetime]:
    """Nobody holds them, though they are due and nothing of their conversation comes before them."""
    return _first_turns(Turn.received_at).where(
        Turn.state == TurnState.QUEUED.value,
        Turn.due_at <= now + _PUBLISHED_AGAIN,
        Turn.received_at <= now - TURN_WAITS,
        Conversation.lease_until.is_(None),
    )


def _lapsed_turns(now: datetime) -> Select[UUID, Any]:
    """Their worker is gone, and no other has taken them over."""
    return _first_turns(Conversation.lease_until).where(Conversation.lease_until < now - LEASE_LAPSED)


def _long_turns(now: datetime) -> Select[UUID, Any]:
    """A worker is at them, and alive, and does not come to an end."""
    return _first_turns(Turn.started_at).where(
        Turn.state == TurnState.RUNNING.value, Turn.started_at <= now - TURN_RUNS, Conversation.lease_until >= now
    )


def _first_turns(since: Any) -> Select[UUID, Any]:  # noqa: ANN401 (a column that may be null)
    wanted = select(Turn.id, since).join(Conversation, Conversation.id == Turn.conversation_id)
    return wanted.where(is_open_turn(Turn.state), is_first_turn()).order_by(Turn.due_at)


# ---- deliveries and who sends them ----


def _waiting_deliveries(now: datetime) -> Select[UUID, datetime]:
    """Due, first of their conversation, and not sent."""
    return _deliveries(DeliveryState.PENDING, Delivery.due_at).where(
        Delivery.due_at <= now - DELIVERY_WAITS, is_first_delivery()
    )


def _unknown_deliveries(now: datetime) -> Select[UUID, datetime]:
    """A request for them went out, and the messenger has not said yet what became of it."""
    return _deliveries(DeliveryState.UNKNOWN, Delivery.created_at).where(Delivery.created_at <= now - DELIVERY_UNKNOWN)


def _orphaned_deliveries(now: datetime) -> Select[UUID, datetime]:
    """Whoever was sending them is gone, and no other gateway has come to settle them."""
    return _deliveries(DeliveryState.SENDING, Delivery.due_at).where(
        Delivery.due_at <= now - DELIVERY_WAITS,
        or_(_is_unheld(now), Account.sender_owner != Delivery.owner),
    )


def _long_deliveries(now: datetime) -> Select[UUID, datetime]:
    """A gateway is at them, and alive, and does not come to an end: it has a fault, or hangs at its own database."""
    return _deliveries(DeliveryState.SENDING, Delivery.due_at).where(
        Delivery.due_at <= now - DELIVERY_SENDS, Account.sender_owner == Delivery.owner, Account.sender_until >= now
    )


def _deliveries(state: DeliveryState, since: Any) -> Select[UUID, Any]:  # noqa: ANN401 (a column)
    # By account, as the index of open ones is.
    wanted = select(Delivery.id, since).join(Account, Account.id == Delivery.account_id)
    return wanted.where(is_open_delivery(Delivery.state), Delivery.state == state.value, _is_in_use())


def _missing_senders(now: datetime) -> Select[UUID, Any]:
    """Accounts with something to send and no gateway that does."""
    states = [DeliveryState.PENDING.value, DeliveryState.UNKNOWN.value]
    is_due = and_(
        Delivery.account_id == Account.id,
        is_open_delivery(Delivery.state),
        Delivery.state.in_(states),
        Delivery.due_at <= now - DELIVERY_WAITS,
    )
    oldest = select(func.min(Delivery.due_at)).where(is_due).correlate(Account).scalar_subquery()
    return select(Account.id, oldest).where(_is_in_use(), _is_unheld(now), exists().where(is_due))


def _is_unheld(now: datetime) -> ColumnElement[bool]:
    return or_(Account.sender_until.is_(None), Account.sender_until < now - LEASE_LAPSED)


def _is_in_use() -> ColumnElement[bool]:
    return Account.state != "removed"


# ---- jobs ----


def _waiting_jobs(now: datetime) -> Select[UUID, datetime]:
    """Due for longer than they give way to people, and not begun."""
    return _jobs(Job.due_at).where(Job.due_at <= now - JOB_WAITS, Job.lease_until.is_(None))


def _lapsed_jobs(now: datetime) -> Select[UUID, Any]:
    """Begun by a worker that is gone, and not by another since."""
    return _jobs(Job.lease_until).where(Job.due_at <= now, Job.lease_until < now - LEASE_LAPSED)


def _jobs(since: Any) -> Select[UUID, Any]:  # noqa: ANN401 (a column that may be null)
    """Of skills that are enabled somewhere: those of others rest on purpose."""
    wanted = select(Job.id, since).join(SkillRow, SkillRow.id == Job.skill_id)
    return wanted.where(is_at_work()).order_by(Job.due_at)


_WORKER: Final = "Is a worker running, and are there enough? See: parlour turn list --stuck"
_GATEWAY: Final = "Is a gateway running for that messenger? Its log says what the messenger answers."
_SKILL: Final = "Is a worker running? See: parlour skill info NAME"

SIGNS: Final = (
    Sign(Kind.TURN, "waiting", _waiting_turns, _WORKER),
    Sign(Kind.TURN, "lease_lapsed", _lapsed_turns, _WORKER),
    Sign(
        Kind.TURN,
        "running",
        _long_turns,
        "See: parlour turn list --stuck, and end one with: parlour turn drop TURN",
    ),
    Sign(Kind.DELIVERY, "waiting", _waiting_deliveries, _GATEWAY),
    Sign(Kind.DELIVERY, "unknown", _unknown_deliveries, _GATEWAY),
    Sign(Kind.DELIVERY, "owner_gone", _orphaned_deliveries, _GATEWAY),
    Sign(Kind.DELIVERY, "sending", _long_deliveries, "Restart the gateway: the next one settles it."),
    Sign(Kind.SENDER, "missing", _missing_senders, _GATEWAY),
    Sign(Kind.JOB, "waiting", _waiting_jobs, _SKILL),
    Sign(Kind.JOB, "lease_lapsed", _lapsed_jobs, _SKILL),
)
