"""How a skill does: turns that went to it, those that failed, and how long they took."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from statistics import quantiles
from typing import Final

from sqlalchemy import select

from parlour.skills.routing import from_json
from parlour.store.database import Database
from parlour.store.ids import WorkspaceId
from parlour.store.models import Account, Turn

# Ids rise with time, so the newest turns are found without looking at the others, however many there are.
LOOKED_AT: Final = 2_000


@dataclass(frozen=True, slots=True)
class SkillFigures:
    """Of the turns that were looked at. `p50_ms`, `p95_ms`: from a worker's claim to the end of the answer."""

    turns: int = 0
    errors: int = 0
    p50_ms: int | None = None
    p95_ms: int | None = None


@dataclass(frozen=True, slots=True)
class _Run:
    is_failed: bool
    ms: float | None


def figures(database: Database, workspace_id: WorkspaceId, *, since: datetime) -> dict[str, SkillFigures]:
    """By skill's name, over the workspace's turns since then, the newest `LOOKED_AT` at most."""
    wanted = (
        select(Turn.route, Turn.state, Turn.started_at, Turn.finished_at)
        .join(Account, Account.id == Turn.account_id)
        .where(Account.workspace_id == workspace_id, Turn.received_at >= since)
        .order_by(Turn.id.desc())
        .limit(LOOKED_AT)
    )
    runs: dict[str, list[_Run]] = {}
    with database.read() as session:
        for route, state, started_at, finished_at in session.execute(wanted):
            name = None if route is None else from_json(route).skill
            if name is not None:
                ms = None if not (started_at and finished_at) else (finished_at - started_at).total_seconds() * 1_000
                runs.setdefault(name, []).append(_Run(state == "failed", ms))
    return {name: _figures(of_it) for name, of_it in runs.items()}


def _figures(runs: list[_Run]) -> SkillFigures:
    times = [run.ms for run in runs if run.ms is not None]
    return SkillFigures(
        turns=len(runs),
        errors=sum(run.is_failed for run in runs),
        p50_ms=_quantile(times, 50),
        p95_ms=_quantile(times, 95),
    )


def _quantile(times: Iterable[float], percent: int) -> int | None:
    known = list(times)
    if not known:
        return None
    return round(known[0] if len(known) == 1 else quantiles(known, n=100, method="inclusive")[percent - 1])
