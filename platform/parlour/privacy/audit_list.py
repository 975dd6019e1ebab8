"""The audit log as one workspace's people read it: newest first, by who, what, whom and when."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from heapq import merge
from itertools import islice
from typing import Final

from sqlalchemy import ColumnElement, select

from parlour.privacy.audit import AuditView, views
from parlour.privacy.service import Privacy
from parlour.store.database import Database
from parlour.store.ids import WorkspaceId
from parlour.store.privacy_models import AuditEntry

MOST: Final = 200
# Numbers grow with time, but for transactions that ran side by side: so many at the most. A time thus bounds the walk
# along the numbers, which would else begin at the newest.
_OUT_OF_STEP: Final = 1_000
# What is about the whole installation though it has a workspace: that whose key seals the reason.
_OF_ALL: Final = ("keys.rotate", "keys.rewrap", "keys.retire")


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries are wanted; what is None is not asked for. `action` is one, or how several begin: `hold.`.

    Of `actors` and `subjects` any: a person is named by several ids (`people.finding.named_in_audit`).
    """

    actors: Sequence[str] | None = None
    action: str | None = None
    subjects: Sequence[str] | None = None
    since: datetime | None = None
    until: datetime | None = None


_ALL: Final = AuditFilter()


def list_audit(
    database: Database,
    privacy: Privacy,
    workspace_id: WorkspaceId,
    wanted: AuditFilter = _ALL,
    *,
    before: int | None = None,
    limit: int = 50,
) -> list[AuditView]:
    """The newest first, at most `limit` below the number `before`.

    Those of the workspace, and those that are about the whole installation, such as a new key; why, where somebody of
    another workspace said so, is theirs.
    """
    limit = min(limit, MOST)
    query = select(AuditEntry).where(*_conditions(wanted)).order_by(AuditEntry.seq.desc()).limit(limit)
    if before is not None:
        query = query.where(AuditEntry.seq < before)
    with database.read() as session:
        # A walk along one index each: for `or` a database would walk along the whole chain.
        walks = [
            session.scalars(one).all()
            for one in (
                query.where(AuditEntry.workspace_id == workspace_id),
                query.where(AuditEntry.workspace_id.is_(None)),
                query.where(AuditEntry.action.in_(_OF_ALL), AuditEntry.workspace_id != workspace_id),
            )
        ]
    found = list(islice(merge(*walks, key=lambda entry: -entry.seq), limit))
    foreign = {entry.seq for entry in found if entry.workspace_id not in {None, workspace_id}}
    return [replace(one, reason=None) if one.seq in foreign else one for one in views(privacy, found)]


def _conditions(wanted: AuditFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.actors is not None:
        found.append(AuditEntry.actor.in_(wanted.actors))
    if wanted.action is not None:
        found.append(AuditEntry.action.startswith(wanted.action, autoescape=True))
    if wanted.subjects is not None:
        found.append(AuditEntry.subject.in_(wanted.subjects))
    if wanted.since is not None:
        first = select(AuditEntry.seq).where(AuditEntry.at >= wanted.since).order_by(AuditEntry.at).limit(1)
        found += [AuditEntry.at >= wanted.since, AuditEntry.seq >= first.scalar_subquery() - _OUT_OF_STEP]
    if wanted.until is not None:
        last = select(AuditEntry.seq).where(AuditEntry.at < wanted.until).order_by(AuditEntry.at.desc()).limit(1)
        found += [AuditEntry.at < wanted.until, AuditEntry.seq <= last.scalar_subquery() + _OUT_OF_STEP]
    return found
