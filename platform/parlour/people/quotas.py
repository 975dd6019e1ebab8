"""How much a person and a workspace may use in a day, counted in turns and in tokens; days begin at midnight UTC."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from sqlalchemy import Insert, bindparam, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from parlour.privacy.classes import DataClass
from parlour.privacy.retention import Retention
from parlour.store.ids import UserId, WorkspaceId, new_id
from parlour.store.people_models import UsageDay

# What workspaces used is read again after so long: so much they can go over, for no lock that all their turns share.
_FRESH_S: Final = 2.0

Unit = Literal["turns", "tokens"]
Scope = Literal["user", "workspace", "total"]


@dataclass(frozen=True, slots=True)
class QuotaRules:
    """The most that may be used in a day; 0 means no limit. `total` is for the whole installation."""

    user_turns: int = 0
    user_tokens: int = 0
    workspace_turns: int = 0
    workspace_tokens: int = 0
    total_turns: int = 0
    total_tokens: int = 0

    @property
    def is_set(self) -> bool:
        """Whether anything is limited at all: else nothing is counted, and nothing is asked of the database."""
        return any((self.user_turns, self.user_tokens, *self._shared))

    @property
    def is_shared(self) -> bool:
        """Whether a limit is shared by several people."""
        return any(self._shared)

    @property
    def _shared(self) -> tuple[int, ...]:
        return (self.workspace_turns, self.workspace_tokens, self.total_turns, self.total_tokens)


@dataclass(frozen=True, slots=True)
class Exceeded:
    """Which quota is used up, and when it begins anew."""

    scope: Scope
    unit: Unit
    limit: int
    resets_at: datetime


@dataclass(frozen=True, slots=True)
class Used:
    """What was used today."""

    turns: int = 0
    tokens: int = 0

    def of(self, unit: Unit) -> int:
        """In one unit."""
        return self.turns if unit == "turns" else self.tokens


@dataclass(frozen=True, slots=True)
class UsedToday:
    """How much of one of the day's quotas is used."""

    scope: Scope
    unit: Unit
    used: int
    limit: int
    resets_at: datetime


@dataclass(slots=True)
class _Shared:
    """What workspaces used, as it was read at some time."""

    day: datetime | None = None
    read_at: float = 0.0
    by_workspace: dict[UUID, Used] = field(default_factory=dict)


def _count_on(dialect: str) -> Insert:
    """Adds to a person's day and tells what it comes to."""
    row = sqlite.insert(UsageDay) if dialect == "sqlite" else postgresql.insert(UsageDay)
    added = {"turns": UsageDay.turns + row.excluded.turns, "tokens": UsageDay.tokens + row.excluded.tokens}
    return row.on_conflict_do_update(index_elements=["user_id", "day"], set_=added)


# Built once: one of them runs for every message where a quota is set.
_COUNT: Final = {dialect: _count_on(dialect) for dialect in ("sqlite", "postgresql")}
_UNCOUNT = (
    update(UsageDay)
    .where(UsageDay.user_id == bindparam("user"), UsageDay.day == bindparam("today"))
    .values(turns=UsageDay.turns - 1)
    .execution_options(synchronize_session=False)
)


class Quotas:
    """Counts what is used and says when it is too much. One for each process; safe to use from many threads."""

    def __init__(
        self, rules: QuotaRules, *, retention: Retention, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._rules = rules
        self._retention = retention
        self._monotonic = monotonic
        self._shared = _Shared()
        self._lock = threading.Lock()

    @property
    def is_set(self) -> bool:
        """Whether anything is limited at all."""
        return self._rules.is_set

    def take(self, session: Session, *, user_id: UserId, workspace_id: WorkspaceId, now: datetime) -> Exceeded | None:
        """Count one turn of this person, or say which quota does not allow it; then nothing is counted.

        One statement for a person's own quota; what is shared is read at most once in two seconds. A turn that is let
        through may use more tokens than are left: how many it needs is known only at its end.
        """
        if not self._rules.is_set:
            return None
        exceeded = self._of_workspace(session, workspace_id, now)
        if exceeded is not None:
            return exceeded
        used = self._add(session, user_id, workspace_id, now, turns=1)
        exceeded = self._of_person(Used(used.turns - 1, used.tokens), now)
        if exceeded is not None:
            session.execute(_UNCOUNT, {"user": user_id, "today": _day(now)})
        else:
            self._note(workspace_id, Used(1, 0))
        return exceeded

    def spend(
        self, session: Session, *, user_id: UserId, workspace_id: WorkspaceId, tokens: int, now: datetime
    ) -> None:
        """Count the tokens of an answer."""
        if self._rules.is_set and tokens:
            self._add(session, user_id, workspace_id, now, tokens=tokens)
            self._note(workspace_id, Used(0, tokens))

    def _add(
        self,
        session: Session,
        user_id: UserId,
        workspace_id: WorkspaceId,
        now: datetime,
        *,
        turns: int = 0,
        tokens: int = 0,
    ) -> Used:
        row = {
            "id": new_id(),
            "workspace_id": workspace_id,
            "user_id": user_id,
            "day": _day(now),
            "turns": turns,
            "tokens": tokens,
            "expires_at": self._retention.until_of_person(session, DataClass.OPERATIONAL, workspace_id, _day(now)),
        }
        counting = _COUNT[session.get_bind().dialect.name].values(row).returning(UsageDay.turns, UsageDay.tokens)
        return Used(*session.execute(counting).one())

    def _of_person(self, used: Used, now: datetime) -> Exceeded | None:
        units: tuple[tuple[Unit, int], ...] = (("turns", self._rules.user_turns), ("tokens", self._rules.user_tokens))
        for unit, limit in units:
            if limit and used.of(unit) >= limit:
                return Exceeded("user", unit, limit, _resets_at(now))
        return None

    def _of_workspace(self, session: Session, workspace_id: WorkspaceId, now: datetime) -> Exceeded | None:
        """Whether the workspace has had its quota, or the installation's is used up and this workspace had its share.

        The share is what each of the workspaces that wrote today would have of an even split. Below it nobody is
        refused for what others used; above it a workspace may use what is left.
        """
        if not self._rules.is_shared:
            return None
        every = self._fresh(session, now)
        own = every.get(workspace_id, Used())
        rules = self._rules
        units: tuple[tuple[Unit, int, int], ...] = (
            ("turns", rules.workspace_turns, rules.total_turns),
            ("tokens", rules.workspace_tokens, rules.total_tokens),
        )
        for unit, limit, total in units:
            if limit and own.of(unit) >= limit:
                return Exceeded("workspace", unit, limit, _resets_at(now))
            share = total / max(1, len(every))
            if total and own.of(unit) >= share and sum(one.of(unit) for one in every.values()) >= total:
                return Exceeded("total", unit, total, _resets_at(now))
        return None

    def _note(self, workspace_id: WorkspaceId, more: Used) -> None:
        """Count this process's own use at once; what others used comes with the next reading."""
        with self._lock:
            known = self._shared.by_workspace.get(workspace_id, Used())
            self._shared.by_workspace[workspace_id] = Used(known.turns + more.turns, known.tokens + more.tokens)

    def _fresh(self, session: Session, now: datetime) -> dict[UUID, Used]:
        with self._lock:
            shared, day = self._shared, _day(now)
            if shared.day != day or self._monotonic() - shared.read_at >= _FRESH_S:
                shared.by_workspace = used_by_workspace(session, now)
                shared.day, shared.read_at = day, self._monotonic()
            return dict(shared.by_workspace)


def used_by_workspace(session: Session, now: datetime) -> dict[UUID, Used]:
    """What each workspace used today."""
    summed = (
        select(UsageDay.workspace_id, func.sum(UsageDay.turns), func.sum(UsageDay.tokens))
        .where(UsageDay.day == _day(now))
        .group_by(UsageDay.workspace_id)
    )
    return {workspace: Used(int(turns), int(tokens)) for workspace, turns, tokens in session.execute(summed)}


def used_by_person(session: Session, user_id: UserId, now: datetime) -> Used:
    """What a person used today."""
    wanted = select(UsageDay.turns, UsageDay.tokens).where(UsageDay.user_id == user_id, UsageDay.day == _day(now))
    found = session.execute(wanted).one_or_none()
    return Used(*found) if found else Used()


def used_today(
    session: Session, rules: QuotaRules, *, user_id: UserId, workspace_id: WorkspaceId, now: datetime
) -> tuple[UsedToday, ...]:
    """What is used of each quota that is set for this person and for their workspace.

    The installation's is left out: it would tell what other workspaces use.
    """
    own, every = used_by_person(session, user_id, now), used_by_workspace(session, now)
    shared = every.get(workspace_id, Used())
    quotas: tuple[tuple[Scope, Unit, int, int], ...] = (
        ("user", "turns", own.turns, rules.user_turns),
        ("user", "tokens", own.tokens, rules.user_tokens),
        ("workspace", "turns", shared.turns, rules.workspace_turns),
        ("workspace", "tokens", shared.tokens, rules.workspace_tokens),
    )
    return tuple(UsedToday(*quota, resets_at=_resets_at(now)) for quota in quotas if quota[-1])


def _day(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _resets_at(now: datetime) -> datetime:
    return _day(now) + timedelta(days=1)
