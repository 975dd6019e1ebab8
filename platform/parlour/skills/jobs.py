"""What skills do by themselves: when it is due, who does it, and how it went. SQL alone decides; see `job_runs.py`.

A job runs once for each time that it is due, whatever the number of schedulers and workers: a worker takes it by a
lease, and what it writes at the end counts only under the fence that the lease gave. Times that were missed while
nothing ran are made up for by one run.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import ColumnElement, Select, delete, exists, func, or_, select, text, update
from sqlalchemy.orm import Session

from parlour.sdk.manifest import Manifest
from parlour.sdk.schedule import read_schedule
from parlour.skills.views import SkillView, is_at_work, readable
from parlour.store.changes import changed_rows
from parlour.store.database import Database
from parlour.store.ids import JobId, SkillId, UserId, WorkspaceId, new_id
from parlour.store.models import Turn
from parlour.store.skill_models import TELLING, Job, SkillErasure, SkillRow

log = structlog.get_logger(__name__)

LEASE: Final = timedelta(seconds=30)
# A job that was published and that nobody took was lost, or nobody had room for it.
_PUBLISH_AGAIN_AFTER: Final = timedelta(seconds=30)
# A person who waits so long for a worker comes before any job.
_LONG_WAIT: Final = timedelta(seconds=5)
# A job that has waited for people so long starts among them.
_MOST_PATIENCE: Final = timedelta(minutes=10)
# A run whose worker died is tried again; one that kills its worker each time is given up until it is due again.
_MOST_ATTEMPTS: Final = 3
_BATCH: Final = 200
_LONGEST_ERROR: Final = 160
# A skill whose manifest is none is looked at again when it may have been upgraded.
_LOOK_AGAIN_AFTER: Final = timedelta(hours=1)
# A skill that was told of an erasure and failed is told again after this; where nobody is to be told of, nothing runs.
_TELL_AGAIN: Final = "1h"
_WAITING: Final = text("state IN ('queued', 'running') AND state = 'queued'")


@dataclass(frozen=True, slots=True)
class JobView:
    """A job as an operator sees it."""

    skill: str
    name: str
    schedule: str
    due_at: datetime
    is_running: bool
    runs: int
    started_at: datetime | None
    finished_at: datetime | None
    outcome: str | None
    error: str | None


@dataclass(frozen=True, slots=True)
class JobClaim:
    """A run that this worker, and no other, may do while its lease lasts."""

    job_id: JobId
    skill: SkillView
    workspace_id: WorkspaceId
    name: str
    fence: int

    @property
    def handler(self) -> str:
        """The id of what is called."""
        return self.name if self.is_telling else f"job:{self.name}"

    @property
    def is_telling(self) -> bool:
        """Whether the skill is told of erasures, once for each."""
        return self.name.startswith(TELLING)


class JobBook:
    """All jobs. `owner` names this process in leases."""

    def __init__(self, database: Database, *, owner: str) -> None:
        self._database = database
        self._owner = owner

    # ---- for the scheduler ----

    def due(self) -> list[JobId]:
        """The jobs that a worker should be told of now, those first that wait longest; none while people wait long."""
        now = self._database.clock.now()
        is_lost = or_(Job.published_at.is_(None), Job.published_at <= now - _PUBLISH_AGAIN_AFTER)
        with self._database.read() as session:
            wanted = _due(session, now).where(is_lost).limit(_BATCH)
            return [JobId(job.id) for job, _ in session.execute(wanted).all()]

    def published(self, job_ids: list[JobId]) -> None:
        """Workers were told of these."""
        now = self._database.clock.now()
        with self._database.begin() as session:
            session.execute(update(Job).where(Job.id.in_(job_ids)).values(published_at=now))

    # ---- for workers ----

    def claim(self, first: JobId | None = None) -> JobClaim | None:
        """Take a job that is due, `first` before others; None when there is none, or people wait long."""
        now = self._database.clock.now()
        with self._database.begin() as session:
            rows = session.execute(_due(session, now).limit(_BATCH)).all()
            for job, row in sorted(rows, key=lambda found: found[0].id != first):
                skill = readable(session, row)
                if skill is None:
                    # Else it would always be among the first that are looked at.
                    job.due_at = now + _LOOK_AGAIN_AFTER
                elif self._takes(session, job, now):
                    return JobClaim(JobId(job.id), skill, WorkspaceId(row.workspace_id), job.name, job.fence)
        return None

    def renew(self, claim: JobClaim) -> bool:
        """Keep the job; False: it was taken over, and what runs must end."""
        until = self._database.clock.now() + LEASE
        with self._database.begin(is_durable=False) as session:
            return changed_rows(session, update(Job).where(_held(claim)).values(lease_until=until)) == 1

    def finish(self, claim: JobClaim, outcome: str, error: str | None = None) -> bool:
        """Write down how it went and when it is due again; whether that still counted."""
        now = self._database.clock.now()
        with self._database.begin() as session:
            job = session.scalars(select(Job).where(_held(claim)).with_for_update()).one_or_none()
            if job is None:
                return False
            _end(job, outcome, error, now)
            # Whoever was erased since it looked: told at once, not when its time comes again.
            its = exists().where(SkillErasure.skill_id == claim.skill.id)
            if claim.is_telling and outcome == "done" and session.scalar(select(its)):
                job.due_at = now
        return True

    def untold(self, claim: JobClaim) -> list[UserId]:
        """Who was erased and this skill does not know it yet, whoever waits longest first."""
        wanted = select(SkillErasure.subject_id).where(SkillErasure.skill_id == claim.skill.id)
        with self._database.read() as session:
            return [UserId(one) for one in session.scalars(wanted.order_by(SkillErasure.created_at).limit(_BATCH))]

    def told(self, claim: JobClaim, user_id: UserId) -> None:
        """The skill knows it now."""
        its = SkillErasure.skill_id == claim.skill.id, SkillErasure.subject_id == user_id
        with self._database.begin() as session:
            session.execute(delete(SkillErasure).where(*its))

    def not_told(self, claim: JobClaim, user_id: UserId) -> None:
        """The skill failed on it: all others come first."""
        its = SkillErasure.skill_id == claim.skill.id, SkillErasure.subject_id == user_id
        with self._database.begin() as session:
            session.execute(update(SkillErasure).where(*its).values(created_at=self._database.clock.now()))

    def hand_back(self, claim: JobClaim) -> None:
        """Let it go, to be begun anew by whoever is there: this worker shuts down. It does not count as a try."""
        values = {"lease_owner": None, "lease_until": None, "published_at": None, "attempts": Job.attempts - 1}
        with self._database.begin() as session:
            session.execute(update(Job).where(_held(claim)).values(values))

    def _takes(self, session: Session, job: Job, now: datetime) -> bool:
        if job.attempts >= _MOST_ATTEMPTS:
            log.warning("job_given_up", job_id=str(job.id), attempts=job.attempts)
            _end(job, "given_up", None, now)
            return False
        taken = {
            "lease_owner": self._owner,
            "lease_until": now + LEASE,
            "fence": Job.fence + 1,
            "attempts": Job.attempts + 1,
            "started_at": now,
        }
        is_taken = changed_rows(session, update(Job).where(Job.id == job.id, *_is_free(now)).values(taken)) == 1
        session.refresh(job)
        return is_taken

    # ---- for operators ----

    def all(self, workspace_id: WorkspaceId, skill: str | None = None) -> list[JobView]:
        """The jobs of a workspace's skills, or of one, by name."""
        now = self._database.clock.now()
        wanted = select(Job, SkillRow.name).join(SkillRow).where(SkillRow.workspace_id == workspace_id)
        if skill is not None:
            wanted = wanted.where(SkillRow.name == skill)
        with self._database.read() as session:
            return [_view(job, name, now) for job, name in session.execute(wanted.order_by(SkillRow.name, Job.name))]


def plan(session: Session, skill_id: SkillId, manifest: Manifest, *, now: datetime) -> None:
    """Bring a skill's jobs in line with its manifest; one whose schedule stays keeps its time and its record."""
    there = {job.name: job for job in session.scalars(select(Job).where(Job.skill_id == skill_id))}
    wanted = {entry.name: entry.schedule for entry in manifest.of_kind("job")}
    wanted |= {entry.id: _TELL_AGAIN for entry in manifest.of_kind("erased")}
    for name, job in there.items():
        if name not in wanted:
            session.delete(job)
    for name, schedule in wanted.items():
        known = there.get(name)
        if known is None:
            job = Job(id=new_id(), skill_id=skill_id, name=name, schedule=schedule)
            job.due_at = read_schedule(schedule)(now)
            session.add(job)
        elif known.schedule != schedule:
            known.schedule, known.due_at = schedule, read_schedule(schedule)(now)


def unplan(session: Session, skill_id: SkillId) -> None:
    """The skill is taken out: it does nothing by itself any more."""
    session.execute(delete(Job).where(Job.skill_id == skill_id))


def _due(session: Session, now: datetime) -> Select[Job, SkillRow]:
    """Jobs that may be begun, with their skills, the longest due first; none of skills that are enabled nowhere."""
    latest = now - _MOST_PATIENCE if _is_anyone_waiting(session, now) else now
    wanted = select(Job, SkillRow).join(SkillRow, SkillRow.id == Job.skill_id)
    return wanted.where(Job.due_at <= latest, *_is_free(now), is_at_work()).order_by(Job.due_at)


def _is_anyone_waiting(session: Session, now: datetime) -> bool:
    """Whether a person waits long for a worker. Looks at open turns alone, by their index."""
    oldest = select(func.min(Turn.received_at)).where(_WAITING, Turn.due_at <= now)
    found: datetime | None = session.scalar(oldest)
    return found is not None and found <= now - _LONG_WAIT


def _is_free(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (Job.due_at <= now, or_(Job.lease_until.is_(None), Job.lease_until < now))


def _held(claim: JobClaim) -> ColumnElement[bool]:
    return (Job.id == claim.job_id) & (Job.fence == claim.fence) & Job.lease_owner.is_not(None)


def _end(job: Job, outcome: str, error: str | None, now: datetime) -> None:
    job.due_at = _following(read_schedule(job.schedule), job.due_at, now)
    job.lease_owner = job.lease_until = job.published_at = None
    job.attempts, job.runs = 0, job.runs + 1
    job.finished_at, job.outcome, job.error = now, outcome, error and error[:_LONGEST_ERROR]


def _following(schedule: Callable[[datetime], datetime], due_at: datetime, now: datetime) -> datetime:
    """The next time, in step with the last one where none was missed; never several for what was missed."""
    following = schedule(due_at)
    return following if following > now else schedule(now)


def _view(job: Job, skill: str, now: datetime) -> JobView:
    return JobView(
        skill=skill,
        name=job.name,
        schedule=job.schedule,
        due_at=job.due_at,
        is_running=job.lease_until is not None and job.lease_until > now,
        runs=job.runs,
        started_at=job.started_at,
        finished_at=job.finished_at,
        outcome=job.outcome,
        error=job.error,
    )
