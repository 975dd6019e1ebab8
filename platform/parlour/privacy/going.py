"""Which rows a purge deletes, as conditions: for the dates that they have, or as if a rule were set."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, case, exists, literal, or_

from parlour.privacy.classes import KEPT, DataClass, Kept, kept
from parlour.privacy.holds import Held
from parlour.privacy.retention import affected
from parlour.privacy.rules import Policy, Rule, Scope
from parlour.privacy.silence import is_silent
from parlour.privacy.withdrawing import is_in_use
from parlour.store.models import Attachment, Message, Turn, User

_MESSAGES: Final = kept(DataClass.MESSAGE)[0]
_FEEDBACK: Final = kept(DataClass.FEEDBACK)[0]


@dataclass(frozen=True, slots=True)
class Going:
    """A purge at a time, by the policy; with a rule, which must be one of the policy's: what goes because of it."""

    policy: Policy
    holds: Held
    now: datetime
    rule: Rule | None = None

    def tables(self) -> Sequence[Kept]:
        """Those that something may go from."""
        if self.rule is None:
            return KEPT
        concerned = affected(self.rule.data_class, self.rule.scope)
        with_them = kept(DataClass.ATTACHMENT) if self.rule.data_class is DataClass.MESSAGE else ()
        return [one for one in KEPT if one in concerned or one in with_them]

    def rows(self, one: Kept) -> ColumnElement[bool]:
        """The rows of the table that go, by themselves or with what they hang on."""
        by_date = self._by_date(one)
        if one.table is User:
            return and_(by_date, is_silent(self._last_kept(one, DataClass.IDENTITY), self.holds))
        if one.table is Turn:
            return and_(by_date, ~self._is_waited_for(_MESSAGES), ~self._is_waited_for(_FEEDBACK))
        if one.table is not Attachment:
            return by_date
        with_message = exists().where(Message.id == Attachment.message_id, self._by_date(_MESSAGES))
        if self.rule is None:
            return or_(by_date, with_message)
        return with_message if self.rule.data_class is DataClass.MESSAGE else by_date

    def _is_waited_for(self, one: Kept) -> ColumnElement[bool]:
        """Whether a turn waits for a row of this table, which stays."""
        return exists().where(one.table.turn_id == Turn.id, self._by_date(one).is_not(True))

    def _by_date(self, one: Kept) -> ColumnElement[bool]:
        due = self._is_due_by_rule(one, self.rule) if self.rule is not None else None
        if due is None:
            due = one.table.expires_at <= self.now
        return and_(due, self.holds.lets_go(one)) if self.holds else due

    def _is_due_by_rule(self, one: Kept, rule: Rule) -> ColumnElement[bool] | None:
        """None for a table whose dates do not hang on the rule."""
        if one not in affected(rule.data_class, rule.scope):
            return None
        ends = [self._last_kept(one, one.data_class)]
        if one.data_class is DataClass.OPERATIONAL and one.conversation is not None:
            ends.append(self._last_kept(one, DataClass.MESSAGE))
        # A person is looked at by when they were last heard of, and their own date says nothing of that.
        past = [one.since <= end for end in ends] if one.table is not User else []
        return and_(is_in_use(one.table.expires_at), *self._governed(one, rule), *past)

    def _governed(self, one: Kept, rule: Rule) -> list[ColumnElement[bool]]:
        """Conditions for the rows in the rule's scope, leaving out those that a narrower one is for."""
        found: list[ColumnElement[bool]] = [one.workspace == rule.workspace_id]
        if one.conversation is None or one.channel is None:
            return found
        if rule.scope.conversation_id is not None:
            return [*found, one.conversation == rule.scope.conversation_id]
        others = [
            other.scope
            for other in self.policy.rules
            if (other.workspace_id, other.data_class) == (rule.workspace_id, rule.data_class)
        ]
        found.append(one.conversation.not_in([scope.conversation_id for scope in others if scope.conversation_id]))
        if rule.scope.channel is not None:
            return [*found, one.channel == rule.scope.channel]
        return [*found, one.channel.not_in([scope.channel for scope in others if scope.channel is not None])]

    def _last_kept(self, one: Kept, data_class: DataClass) -> ColumnElement[Any]:
        """Up to when a row of its place is past its time, by the narrowest rule there; NULL: never."""
        rules = [rule for rule in self.policy.rules if rule.data_class is data_class]
        by_place = [
            (condition, self._before(rule.keep))
            for rule in sorted(rules, key=_breadth)
            if (condition := _place(one, rule)) is not None
        ]
        otherwise = None if one.is_ended_by_people else self.policy.defaults.get(data_class)
        return case(*by_place, else_=self._before(otherwise)) if by_place else self._before(otherwise)

    def _before(self, keep: timedelta | None) -> ColumnElement[Any]:
        return literal(None if keep is None else self.now - keep, User.created_at.type)


def _breadth(rule: Rule) -> int:
    return (rule.scope.conversation_id is None) + (rule.scope == Scope())


def _place(one: Kept, rule: Rule) -> ColumnElement[bool] | None:
    """Whether a row is in the rule's scope; None where no row of the table can be."""
    if rule.scope == Scope():
        return one.workspace == rule.workspace_id
    if one.conversation is None or one.channel is None:
        return None
    if rule.scope.conversation_id is not None:
        return one.conversation == rule.scope.conversation_id
    return and_(one.workspace == rule.workspace_id, one.channel == rule.scope.channel)
