"""What happened lately in a workspace, by the hour: turns, how long they took, tokens, errors. Never content."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select

from parlour.store.database import Database
from parlour.store.ids import WorkspaceId
from parlour.store.models import Account, Turn
from parlour.turns.states import TurnState

HOURS: Final = 24
# A busier day is shown by its newest turns: a page must not read a million rows.
READ_AT_MOST: Final = 10_000
_ERRORS_SHOWN: Final = 8


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
    recent = (
        select(Turn.state, Turn.received_at, Turn.finished_at, Turn.prompt_tokens, Turn.completion_tokens, Turn.error)
        # By id, which begins with its time: there is no index by time of arrival, and none is needed.
        .where(Turn.id >= _first_id(first), Turn.account_id.in_(accounts))
        .order_by(Turn.id.desc())
        .limit(READ_AT_MOST)
    )
    is_open = Turn.state.in_(("queued", "running"))
    open_now = select(Turn.state, func.count()).where(is_open, Turn.account_id.in_(accounts)).group_by(Turn.state)
    with database.read() as session:
        rows = session.execute(recent).all()
        waiting: dict[str, int] = dict(session.execute(open_now).all())
    errors = Counter(row.error for row in rows if row.error)
    durations = _durations(rows)
    return Figures(
        hours=[_hour(those, first + timedelta(hours=number)) for number, those in enumerate(_by_hour(rows, first))],
        states=dict(Counter(row.state for row in rows)),
        waiting=waiting.get(TurnState.QUEUED.value, 0),
        running=waiting.get(TurnState.RUNNING.value, 0),
        p50_s=_percentile(durations, 0.5),
        p99_s=_percentile(durations, 0.99),
        prompt_tokens=sum(row.prompt_tokens for row in rows),
        completion_tokens=sum(row.completion_tokens for row in rows),
        errors=errors.most_common(_ERRORS_SHOWN),
        is_cut=len(rows) == READ_AT_MOST,
    )


def _by_hour(rows: Sequence[Any], first: datetime) -> list[list[Any]]:
    """The rows of each hour. In one walk: a busy day has ten thousand."""
    hours: list[list[Any]] = [[] for _ in range(HOURS)]
    for row in rows:
        number = int((row.received_at - first).total_seconds() // 3600)
        if 0 <= number < HOURS:
            hours[number].append(row)
    return hours


def _hour(those: Sequence[Any], since: datetime) -> Hour:
    durations = _durations(those)
    return Hour(
        since=since,
        states=dict(Counter(row.state for row in those)),
        p50_s=_percentile(durations, 0.5),
        p99_s=_percentile(durations, 0.99),
        tokens=sum(row.prompt_tokens + row.completion_tokens for row in those),
    )


def _durations(rows: Sequence[Any]) -> list[float]:
    """How long the answered ones took, the shortest first."""
    answered = [row for row in rows if row.state == TurnState.ANSWERED and row.finished_at is not None]
    return sorted((row.finished_at - row.received_at).total_seconds() for row in answered)


def _percentile(ordered: Sequence[float], share: float) -> float | None:
    """The smallest that at least that share does not exceed (nearest rank)."""
    return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else None


def _first_id(moment: datetime) -> UUID:
    """The smallest UUIDv7 of that moment."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)
