"""Finding what is due and was not taken up: the broker may lose, repeat and reorder, this does not."""

from datetime import datetime, timedelta
from typing import Protocol

import structlog
from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.orm import Session

from parlour.skills.jobs import JobBook
from parlour.store.database import Database
from parlour.store.ids import JobId, TurnId
from parlour.store.models import Conversation, Turn
from parlour.turns.heads import is_first_turn
from parlour.turns.metrics import Metrics
from parlour.turns.ports import QueueUnavailable, TurnQueue
from parlour.turns.states import is_open_turn

log = structlog.get_logger(__name__)

SWEEP_EVERY_S = 1.0
# A published turn that nobody took in this time, although the queue is empty, was lost.
_LOST_AFTER = timedelta(seconds=2)
# While the queue is not empty it is more likely still in it than lost.
_LOST_BEHIND_OTHERS = timedelta(seconds=30)
_BATCH = 500


def sweep(database: Database, queue: TurnQueue, metrics: Metrics) -> int:
    """Publish again every first turn of a conversation that is due and that nobody holds; return how many.

    That covers a task the broker lost, a worker that died (its lease has run out), a broker that was away when the turn
    came, and turns whose next try is due. Publishing one too often costs a look at the lease, nothing else.
    """
    now = database.clock.now()
    try:
        patience = _LOST_BEHIND_OTHERS if queue.depth() > 0 else timedelta()
    except QueueUnavailable as error:
        log.warning("sweep_without_broker", reason=str(error))
        return 0
    with database.read() as session:
        # What a worker had once is not in the queue any more: it died or handed the turn back, nobody else will tell.
        is_due = or_(Turn.due_at <= now - patience, and_(Turn.started_at.is_not(None), Turn.due_at <= now))
        due = _due(session, is_due, now=now)
    published = _publish(queue, due)
    if published:
        with database.begin() as session:
            session.execute(update(Turn).where(Turn.id.in_(published)).values(due_at=now + max(_LOST_AFTER, patience)))
        log.info("turns_republished", count=len(published))
        metrics.republished(len(published))
    return len(published)


class JobQueue(Protocol):
    """Tells workers that a job is due. May lose and repeat; SQL is the truth."""

    def publish_job(self, job_id: JobId) -> None:
        """Tell one worker. Raises `QueueUnavailable`."""
        ...


def sweep_jobs(jobs: JobBook, queue: JobQueue) -> int:
    """Publish the skills' jobs that are due; return how many. Publishing one twice costs a look at its lease."""
    told: list[JobId] = []
    for job_id in jobs.due():
        try:
            queue.publish_job(job_id)
        except QueueUnavailable as error:
            log.warning("sweep_without_broker", reason=str(error))
            break
        told.append(job_id)
    if told:
        jobs.published(told)
    return len(told)


def _due(session: Session, is_due: ColumnElement[bool], *, now: datetime) -> list[TurnId]:
    wanted = (
        select(Turn.id)
        .join(Conversation, Conversation.id == Turn.conversation_id)
        .where(
            is_open_turn(Turn.state),
            is_due,
            or_(Conversation.lease_until.is_(None), Conversation.lease_until < now),
            is_first_turn(),
        )
        .order_by(Turn.due_at)
        .limit(_BATCH)
    )
    return [TurnId(found) for found in session.scalars(wanted)]


def _publish(queue: TurnQueue, due: list[TurnId]) -> list[TurnId]:
    published = []
    for turn_id in due:
        try:
            queue.publish(turn_id)
        except QueueUnavailable as error:
            log.warning("sweep_without_broker", reason=str(error))
            break
        published.append(turn_id)
    return published
