"""Thumbs under answers, as people who run Parlour see them: which answer, when, up or down; and their totals."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, select

from parlour.skills.routing import from_json
from parlour.store.database import Database
from parlour.store.ids import WorkspaceId
from parlour.store.models import Feedback, Turn, User
from parlour.store.places import MOST, Place, is_behind

_CHAT: Final = "chat"
COUNTED_AT_MOST: Final = 2_000


@dataclass(frozen=True, slots=True)
class FeedbackFilter:
    """Which thumbs are wanted; what is None is not asked for."""

    is_positive: bool | None = None
    # Any of these: whoever linked their messengers has several.
    user_ids: Collection[UUID] | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class FeedbackLine:
    """One thumb. `answered_by` is the skill that wrote the answer, or `chat`."""

    id: UUID
    is_positive: bool
    created_at: datetime
    user_id: UUID
    turn_id: UUID
    conversation_id: UUID
    answered_by: str

    @property
    def place(self) -> Place:
        """Where it stands in the list."""
        return Place(self.created_at, self.id)

    @property
    def key(self) -> str:
        """The same as it stands in an address."""
        return self.place.word


@dataclass(frozen=True, slots=True)
class Totals:
    """Thumbs up and down. `is_all` is false where there are more than were counted."""

    up: int
    down: int
    is_all: bool = True


_ALL: Final = FeedbackFilter()


def list_feedback(
    database: Database,
    workspace_id: WorkspaceId,
    wanted: FeedbackFilter = _ALL,
    *,
    behind: Place | None = None,
    limit: int = 50,
) -> list[FeedbackLine]:
    """The newest first, at most `limit` from behind that place."""
    columns: tuple[Any, ...] = (
        Feedback.id,
        Feedback.is_positive,
        Feedback.created_at,
        Feedback.user_id,
        Feedback.turn_id,
        Turn.conversation_id,
        Turn.route,
    )
    query = select(*columns).join(Turn, Turn.id == Feedback.turn_id).join(User, User.id == Feedback.user_id)
    query = query.where(*_conditions(workspace_id, wanted))
    query = query.order_by(Feedback.created_at.desc(), Feedback.id.desc()).limit(min(limit, MOST))
    if behind is not None:
        query = query.where(is_behind(Feedback.created_at, Feedback.id, behind))
    with database.read() as session:
        rows = session.execute(query).all()
    return [_line(row) for row in rows]


def feedback_totals(
    database: Database,
    workspace_id: WorkspaceId,
    wanted: FeedbackFilter = _ALL,
    *,
    at_most: int = COUNTED_AT_MOST,
) -> Totals:
    """How many thumbs went up and down, of the newest `at_most`: a page must not wait for a count of all."""
    newest = select(Feedback.is_positive).join(User, User.id == Feedback.user_id)
    newest = newest.where(*_conditions(workspace_id, wanted)).order_by(Feedback.created_at.desc(), Feedback.id.desc())
    counted = newest.limit(at_most + 1).subquery()
    with database.read() as session:
        thumbs = session.scalars(select(counted.c.is_positive)).all()
    up = sum(thumbs[:at_most])
    return Totals(up, len(thumbs[:at_most]) - up, len(thumbs) <= at_most)


def _conditions(workspace_id: WorkspaceId, wanted: FeedbackFilter) -> list[ColumnElement[bool]]:
    found = [User.workspace_id == workspace_id]
    if wanted.is_positive is not None:
        found.append(Feedback.is_positive.is_(wanted.is_positive))
    if wanted.user_ids is not None:
        found.append(Feedback.user_id.in_(wanted.user_ids))
    if wanted.since is not None:
        found.append(Feedback.created_at >= wanted.since)
    if wanted.until is not None:
        found.append(Feedback.created_at < wanted.until)
    return found


def _line(row: Any) -> FeedbackLine:  # noqa: ANN401 (a row of several tables' columns)
    return FeedbackLine(
        id=row.id,
        is_positive=row.is_positive,
        created_at=row.created_at,
        user_id=row.user_id,
        turn_id=row.turn_id,
        conversation_id=row.conversation_id,
        answered_by=_answered_by(row.route),
    )


def _answered_by(route: str | None) -> str:
    """The skill that a route led to."""
    skill = from_json(route).skill if route else None
    return skill or _CHAT
