"""What would go before it goes: counts by class and age, for the next purge or for a rule that is thought of."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import Session

from parlour.privacy.classes import DataClass, Kept
from parlour.privacy.going import Going
from parlour.privacy.holds import held
from parlour.privacy.retention import Retention, check_place, read_policy
from parlour.privacy.rules import Rule
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

    What is under a hold is left out of it. People who were not heard of for their time count as one row each, whatever
    goes with them. Raises `SubjectUnknown` for a rule of a place that is not there.
    """
    with database.read() as session:
        if rule is not None:
            check_place(session, rule.workspace_id, rule.scope)
        policy = read_policy(session, retention.defaults)
        going = Going(policy if rule is None else policy.with_rule(rule), held(session), now, rule)
        found = []
        for one in going.tables():
            its = [] if workspace_id is None else [one.workspace == workspace_id]
            found += _by_age(session, one, [going.rows(one), *its], now)
    return found


def _by_age(session: Session, one: Kept, conditions: list[ColumnElement[bool]], now: datetime) -> list[Due]:
    youngest_first = [(one.since > now - timedelta(days=days), at) for at, (_, days) in enumerate(_AGES)]
    age = case(*youngest_first, else_=len(_AGES)).label("age")
    counted = select(age, func.count()).select_from(one.table).where(*conditions).group_by("age").order_by("age")
    words = [*(word for word, _ in _AGES), "over 365 days"]
    return [Due(one.data_class, one.table.__tablename__, words[at], rows) for at, rows in session.execute(counted)]
