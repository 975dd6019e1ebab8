"""What would go before it goes: counts by class and age, for the next purge or for a rule that is thought of."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from parlour.privacy.classes import KEPT, DataClass, Kept
from parlour.privacy.holds import held
from parlour.privacy.retention import Retention, check_place, read_policy
from parlour.privacy.rules import Policy, Rule
from parlour.store.database import Database


@dataclass(frozen=True, slots=True)
class Due:
    """Rows that a purge would delete, of one class and age."""

    data_class: DataClass
    table: str
    age: str
    rows: int


_AGES: Final = (("under 30 days", 30), ("30 to 90 days", 90), ("90 to 365 days", 365))


def preview(
    database: Database,
    retention: Retention,
    *,
    now: datetime,
    rule: Rule | None = None,
    workspace_id: UUID | None = None,
) -> list[Due]:
    """What would go, by class and age: with the next purge (of a workspace, or of all), or once `rule` were set.

    What is under a hold is left out of it. Raises `SubjectUnknown` for a rule of a place that is not there.
    """
    with database.read() as session:
        if rule is not None:
            check_place(session, rule.workspace_id, rule.scope)
        holds = held(session)
        found = []
        for one in KEPT:
            if rule is None:
                its = [] if workspace_id is None else [one.workspace == workspace_id]
                conditions = [[one.table.expires_at <= now, *its]]
            elif one.data_class is rule.data_class:
                policy = read_policy(session, retention.defaults)
                conditions = _under(one, policy, rule, now)
            else:
                continue
            for condition in conditions:
                found += _by_age(session, one, [*condition, *([holds.lets_go(one)] if holds else [])], now)
    return found


def _under(one: Kept, policy: Policy, rule: Rule, now: datetime) -> list[list[ColumnElement[bool]]]:
    """Conditions for the rows that `rule` would govern, leaving out those of narrower rules."""
    if rule.keep is None:
        return []
    covered: list[ColumnElement[bool]] = [one.workspace == rule.workspace_id, one.since <= now - rule.keep]
    narrower = [
        other.scope
        for other in policy.rules
        if other.workspace_id == rule.workspace_id and other.data_class is rule.data_class and other.scope != rule.scope
    ]
    conversation, channel = one.conversation, one.channel
    if conversation is None or channel is None:
        return [covered]
    if rule.scope.conversation_id is not None:
        return [[*covered, conversation == rule.scope.conversation_id]]
    special = [scope.conversation_id for scope in narrower if scope.conversation_id is not None]
    if special:
        covered.append(conversation.not_in(special))
    if rule.scope.channel is not None:
        return [[*covered, channel == rule.scope.channel]]
    channels = [scope.channel for scope in narrower if scope.channel is not None]
    return [[*covered, channel.not_in(channels)] if channels else covered]


def _by_age(session: Session, one: Kept, conditions: list[ColumnElement[bool]], now: datetime) -> list[Due]:
    found, newest = [], None
    for word, days in (*_AGES, ("over 365 days", None)):
        window = [one.since <= newest] if newest is not None else []
        if days is not None:
            newest = now - timedelta(days=days)
            window.append(one.since > newest)
        rows = session.scalars(select(func.count()).select_from(one.table).where(*conditions, *window)).one()
        if rows:
            found.append(Due(one.data_class, one.table.__tablename__, word, rows))
    return found
