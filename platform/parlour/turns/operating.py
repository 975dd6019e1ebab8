"""What an operator does with turns: look them up by the id a user was told, try one again, drop one. Never content."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, select, update
from sqlalchemy.orm import Session

from parlour.people.doer import Doer
from parlour.privacy.audit import Deed, record
from parlour.skills.routing import Route, Rule, from_json
from parlour.store.database import Database
from parlour.store.ids import TurnId, WorkspaceId
from parlour.store.models import Account, Conversation, Delivery, Turn
from parlour.turns.order import next_open, recipient_of
from parlour.turns.outbox import Outbox
from parlour.turns.states import OPEN_TURNS, Author, TurnState
from parlour.turns.stuck import stuck_turns
from parlour.turns.wording import say

RETRYABLE = (TurnState.FAILED.value, TurnState.STOPPED.value, TurnState.DROPPED.value)


class NoSuchTurn(Exception):
    """There is no turn with this id."""


class NotPossible(Exception):
    """The turn's state does not allow it."""


@dataclass(frozen=True, slots=True)
class TurnView:
    """A turn as operators see it: ids, states and times."""

    id: UUID
    state: str
    channel: str
    conversation_id: UUID
    user_id: UUID
    seq: int
    kind: str
    attempts: int
    error: str | None
    received_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    due_at: datetime
    lease_owner: str | None
    lease_until: datetime | None
    delivery: str | None
    delivery_error: str | None
    # Why its skill could not answer: the handler, the exception's class and its place.
    failure: str | None = None


def list_turns(database: Database, *, state: str | None = None, limit: int = 100) -> list[TurnView]:
    """Turns in a state (any open one by default), those that wait longest first."""
    states = [state] if state else [one.value for one in OPEN_TURNS]
    with database.read() as session:
        return _views(session, Turn.state.in_(states), limit=limit)


def list_stuck(database: Database, *, limit: int = 100) -> list[TurnView]:
    """Open turns that are older than they should be (`turns.stuck`), the longest waiting first."""
    with database.read() as session:
        found = stuck_turns(session, now=database.clock.now())
        return _views(session, Turn.id.in_(found), limit=limit) if found else []


def page_of_turns(
    database: Database,
    workspace_id: WorkspaceId,
    *,
    state: str | None = None,
    after: UUID | None = None,
    limit: int = 50,
) -> list[TurnView]:
    """A workspace's turns in a state (any open one by default) in order of arrival, at most `limit` behind `after`."""
    states = [state] if state else [one.value for one in OPEN_TURNS]
    condition = Turn.state.in_(states) & (Conversation.workspace_id == workspace_id)
    if after is not None:
        condition &= Turn.id > after
    with database.read() as session:
        return _views(session, condition, limit=limit, order=Turn.id)


def show_turn(database: Database, turn_id: TurnId, *, workspace_id: WorkspaceId | None = None) -> TurnView:
    """One turn, of that workspace where one is named. Raises `NoSuchTurn`."""
    is_it = Turn.id == turn_id
    if workspace_id is not None:
        is_it = and_(is_it, Conversation.workspace_id == workspace_id)
    with database.read() as session:
        found = _views(session, is_it, limit=1)
    if not found:
        raise NoSuchTurn(f"No turn {turn_id}. List open ones with: parlour turn list")
    return found[0]


def route_of(database: Database, turn_id: TurnId) -> Route:
    """Where a turn went, and why. Raises `NoSuchTurn`, also for one that is not answered.

    A turn that was answered and has no route is plain chat: where no skill is enabled, nothing is chosen.
    """
    with database.read() as session:
        row = session.execute(select(Turn.state, Turn.route).where(Turn.id == turn_id)).one_or_none()
    if row is None:
        raise NoSuchTurn(f"No turn {turn_id}. List open ones with: parlour turn list")
    if row.route is not None:
        return from_json(row.route)
    if row.state not in {TurnState.ANSWERED.value, TurnState.STOPPED.value}:
        raise NoSuchTurn(f"Turn {turn_id} is {row.state}: it has no answer whose way could be told.")
    return Route(Rule.CHAT)


def retry_turn(
    database: Database, turn_id: TurnId, *, workspace_id: WorkspaceId | None = None, by: Doer | None = None
) -> TurnId:
    """Put a turn that ended without an answer back into its conversation's queue; returns the turn to publish.

    Its place in the conversation stays: it is answered before what came later and still waits. Whoever acts for one
    workspace names it, and `by` who they are, for the audit log. Raises `NoSuchTurn`, `NotPossible`.
    """
    now = database.clock.now()
    with database.begin() as session:
        turn = _locked(session, turn_id, workspace_id)
        if turn.state not in RETRYABLE:
            raise NotPossible(f"Turn {turn_id} is {turn.state}. Only {', '.join(RETRYABLE)} ones can be tried again.")
        said_before = update(Delivery).where(Delivery.turn_id == turn_id, Delivery.ordinal == 0)
        session.execute(said_before.values(ordinal=_next_ordinal(session, turn_id)))
        turn.state, turn.attempts, turn.error = TurnState.QUEUED.value, 0, None
        turn.is_stop_requested, turn.finished_at, turn.due_at = False, None, now
        session.flush()
        following = next_open(session, turn.conversation_id).first() or turn_id
        _note(session, by, "turn.retry", turn, now)
        return following


def drop_turn(
    database: Database,
    outbox: Outbox,
    turn_id: TurnId,
    *,
    workspace_id: WorkspaceId | None = None,
    by: Doer | None = None,
) -> None:
    """End an open turn without an answer, and tell its user so. A worker that has it stops within a second.

    `workspace_id` and `by` as above. Raises `NoSuchTurn`, `NotPossible`.
    """
    now = database.clock.now()
    with database.begin() as session:
        turn = _locked(session, turn_id, workspace_id)
        if turn.state not in {one.value for one in OPEN_TURNS}:
            raise NotPossible(f"Turn {turn_id} is {turn.state} already. Only open ones can be dropped.")
        turn.state, turn.error, turn.finished_at = TurnState.DROPPED.value, "operator", now
        # The fence moves on: whatever the worker that has it still writes is refused.
        session.execute(
            update(Conversation)
            .where(Conversation.id == turn.conversation_id)
            .values(fence=Conversation.fence + 1, lease_owner=None, lease_until=None)
        )
        channel = session.scalars(select(Account.channel).where(Account.id == turn.account_id)).one()
        text = say("failed", turn.language, reference=turn.id)
        outbox.put(session, recipient_of(turn, channel), text, author=Author.NOTICE, now=now)
        _note(session, by, "turn.drop", turn, now)


def _note(session: Session, by: Doer | None, action: str, turn: Turn, now: datetime) -> None:
    if by is None:
        return
    session.flush()
    wanted = select(Conversation.workspace_id).where(Conversation.id == turn.conversation_id)
    workspace_id = WorkspaceId(session.scalars(wanted).one())
    record(session, by.privacy, Deed(by.actor, action, str(turn.id), workspace_id), now=now)


def _locked(session: Session, turn_id: TurnId, workspace_id: WorkspaceId | None) -> Turn:
    # Its conversation first, as whoever claims, ends or adds a turn does.
    of_turn = select(Turn.conversation_id).where(Turn.id == turn_id).scalar_subquery()
    session.execute(select(Conversation.id).where(Conversation.id == of_turn).with_for_update(key_share=True))
    wanted = select(Turn).where(Turn.id == turn_id).with_for_update()
    if workspace_id is not None:
        its = select(Conversation.workspace_id).where(Conversation.id == Turn.conversation_id).scalar_subquery()
        wanted = wanted.where(its == workspace_id)
    turn = session.scalars(wanted).one_or_none()
    if turn is None:
        raise NoSuchTurn(f"No turn {turn_id}. List open ones with: parlour turn list")
    return turn


def _next_ordinal(session: Session, turn_id: TurnId) -> int:
    """A place for what was already said about the turn: 0 is for the answer that is to come."""
    highest = session.scalar(select(func.max(Delivery.ordinal)).where(Delivery.turn_id == turn_id))
    return (highest or 0) + 1


def _views(
    session: Session,
    condition: ColumnElement[bool],
    *,
    limit: int,
    order: Any = Turn.received_at,  # noqa: ANN401 (a column)
) -> list[TurnView]:
    rows = session.execute(
        select(Turn, Conversation, Account.channel, Delivery.state, Delivery.error)
        .join(Conversation, Conversation.id == Turn.conversation_id)
        .join(Account, Account.id == Turn.account_id)
        .outerjoin(Delivery, (Delivery.turn_id == Turn.id) & (Delivery.ordinal == 0))
        .where(condition)
        .order_by(order)
        .limit(limit)
    ).all()
    return [_view(*row) for row in rows]


def _view(turn: Turn, conversation: Conversation, channel: str, delivery: str | None, error: str | None) -> TurnView:
    is_open = turn.state in {one.value for one in OPEN_TURNS}
    return TurnView(
        id=turn.id,
        state=turn.state,
        channel=channel,
        conversation_id=turn.conversation_id,
        user_id=turn.user_id,
        seq=turn.seq,
        kind=turn.kind,
        attempts=turn.attempts,
        error=turn.error,
        received_at=turn.received_at,
        started_at=turn.started_at,
        finished_at=turn.finished_at,
        due_at=turn.due_at,
        lease_owner=conversation.lease_owner if is_open else None,
        lease_until=conversation.lease_until if is_open else None,
        delivery=delivery,
        delivery_error=error,
        failure=from_json(turn.route).failure if turn.route else None,
    )
