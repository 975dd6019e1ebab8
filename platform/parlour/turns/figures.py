"""What happened lately in a workspace, by the hour: turns, how long they took, tokens, errors. Never content."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Double, cast, func, select

from parlour.store.database import Database
from parlour.store.ids import WorkspaceId
from parlour.store.models import Account, Turn
from parlour.turns.states import TurnState

HOURS: Final = 24
# A busier day is shown by its newest turns: a page must not read a million rows.
READ_AT_MOST: Final = 5_000
_ERRORS_SHOWN: Final = 8
# The first moment of 1970 in the days that SQLite counts.
_JULIAN_1970: Final = 2_440_587.5


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour's turns by state, and its figures; latencies in seconds, from arrival to the answer's end."""

    since: datetime
    states: dict[str, int]
    p50_s: float | None
    p99_s: float | None
    tokens: int

    @property
    def turns(self) -> int:
        """All of them."""
        return sum(self.states.values())


@dataclass(frozen=True, slots=True)
class Figures:
    """The last day. `is_cut`: there were more turns than were read, the older ones are left out."""

    hours: Sequence[Hour]
    states: dict[str, int]
    waiting: int
    running: int
    p50_s: float | None
    p99_s: float | None
    prompt_tokens: int
    completion_tokens: int
    errors: Sequence[tuple[str, int]]
    is_cut: bool


def read_figures(database: Database, workspace_id: WorkspaceId) -> Figures:
    """What happened in the last 24 hours, and what waits now."""
    now = database.clock.now()
    first = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=HOURS - 1)
    accounts = select(Account.id).where(Account.workspace_id == workspace_id)
    turn = Turn.__table__.c
    received_s = _seconds(turn.received_at, database)
    took_s = _seconds(turn.finished_at, database) - received_s
    recent = (
        # As bare numbers: with two times made for each of thousands of rows this took twice as long.
        select(turn.state, received_s, took_s, turn.prompt_tokens, turn.completion_tokens, turn.error)
        # By id, which begins with its time: there is no index by time of arrival, and none is needed.
        .where(Turn.id >= _first_id(first), Turn.account_id.in_(accounts))
        .order_by(Turn.id.desc())
        .limit(READ_AT_MOST)
    )
    is_open = Turn.state.in_(("queued", "running"))
    open_now = select(Turn.state, func.count()).where(is_open, Turn.account_id.in_(accounts)).group_by(Turn.state)
    with database.read() as session:
        rows: Sequence[Any] = session.connection().execute(recent).all()
        waiting: dict[str, int] = dict(session.execute(open_now).all())
    day = [_Tally() for _ in range(HOURS)]
    errors: Counter[str] = Counter()
    # In one walk: a busy day has thousands.
    first_s = first.timestamp()
    for state, at_s, duration_s, prompt_tokens, completion_tokens, error in rows:
        number = int((at_s - first_s) // 3600)
        one = day[min(max(number, 0), HOURS - 1)]
        one.states[state] += 1
        one.prompt_tokens += prompt_tokens
        one.completion_tokens += completion_tokens
        if state == TurnState.ANSWERED and duration_s is not None:
            one.durations_s.append(round(duration_s, 3))
        if error:
            errors[error] += 1
    durations = sorted(duration for one in day for duration in one.durations_s)
    return Figures(
        hours=[one.hour(first + timedelta(hours=number)) for number, one in enumerate(day)],
        states=dict(sum((one.states for one in day), Counter[str]())),
        waiting=waiting.get(TurnState.QUEUED.value, 0),
        running=waiting.get(TurnState.RUNNING.value, 0),
        p50_s=_percentile(durations, 0.5),
        p99_s=_percentile(durations, 0.99),
        prompt_tokens=sum(one.prompt_tokens for one in day),
        completion_tokens=sum(one.completion_tokens for one in day),
        errors=errors.most_common(_ERRORS_SHOWN),
        is_cut=len(rows) == READ_AT_MOST,
    )


@dataclass(slots=True)
class _Tally:
    """What an hour's turns add up to."""

    states: Counter[str] = field(default_factory=Counter)
    durations_s: list[float] = field(default_factory=list)
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def hour(self, since: datetime) -> Hour:
        """As it is shown."""
        durations = sorted(self.durations_s)
        return Hour(
            since=since,
            states=dict(self.states),
            p50_s=_percentile(durations, 0.5),
            p99_s=_percentile(durations, 0.99),
            tokens=self.prompt_tokens + self.completion_tokens,
        )


def _seconds(column: ColumnElement[datetime], database: Database) -> ColumnElement[float]:
    """A time as seconds since 1970; on SQLite to the millisecond."""
    if database.is_sqlite:
        return (func.julianday(column) - _JULIAN_1970) * 86_400
    return cast(func.extract("epoch", column), Double)


def _percentile(ordered: Sequence[float], share: float) -> float | None:
    """The smallest that at least that share does not exceed (nearest rank)."""
    return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else None


def _first_id(moment: datetime) -> UUID:
    """The smallest UUIDv7 of that moment."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)
