"""How long data is kept: rules, the narrowest of which wins. Values alone, no database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Self
from uuid import UUID

from parlour.privacy.classes import DataClass, knows_conversations
from parlour.privacy.errors import PrivacyError

MOST_DAYS: Final = 36_500
# Python turns no number of thousands of digits into an int.
_MOST_DIGITS: Final = 5
FOREVER: Final = "forever"


class RuleRefused(PrivacyError):
    """The retention rule cannot be set."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a rule covers: a workspace, a channel of it, or one conversation of it."""

    channel: str | None = None
    conversation_id: UUID | None = None

    @property
    def word(self) -> str:
        """As it is stored and shown."""
        if self.conversation_id is not None:
            return f"conversation:{self.conversation_id}"
        return "workspace" if self.channel is None else f"channel:{self.channel}"

    @classmethod
    def of(cls, word: str) -> Self:
        """The scope that `word` stands for."""
        kind, _, name = word.partition(":")
        if kind == "conversation":
            return cls(conversation_id=UUID(name))
        return cls(channel=name) if kind == "channel" else cls()

    def covers(self, channel: str | None, conversation_id: UUID | None) -> bool:
        """Whether a row of that channel and conversation is covered."""
        if self.conversation_id is not None:
            return self.conversation_id == conversation_id
        return self.channel is None or self.channel == channel


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `keep` None: until somebody deletes it."""

    workspace_id: UUID
    scope: Scope
    data_class: DataClass
    keep: timedelta | None


@dataclass(frozen=True, slots=True)
class Policy:
    """All rules, and what holds where there is none."""

    rules: Sequence[Rule]
    defaults: Mapping[DataClass, timedelta | None]
    _by_place: Mapping[tuple[UUID, str, DataClass], Rule] = field(init=False)

    def __post_init__(self) -> None:
        """Index the rules by what they cover."""
        by_place = {(rule.workspace_id, rule.scope.word, rule.data_class): rule for rule in self.rules}
        object.__setattr__(self, "_by_place", by_place)

    def with_rule(self, rule: Rule) -> Self:
        """The same with this rule, in the place of one that is set for the same."""
        same = rule.workspace_id, rule.scope, rule.data_class
        others = [one for one in self.rules if (one.workspace_id, one.scope, one.data_class) != same]
        return replace(self, rules=[*others, rule])

    def keep(
        self,
        data_class: DataClass,
        workspace_id: UUID,
        *,
        channel: str | None = None,
        conversation_id: UUID | None = None,
    ) -> timedelta | None:
        """How long a row is kept: by the rule of its conversation, its channel, its workspace, or by default."""
        rule = self.rule_for(data_class, workspace_id, channel=channel, conversation_id=conversation_id)
        return self.defaults.get(data_class) if rule is None else rule.keep

    def rule_for(
        self,
        data_class: DataClass,
        workspace_id: UUID,
        *,
        channel: str | None = None,
        conversation_id: UUID | None = None,
    ) -> Rule | None:
        """The narrowest rule there is for such a row."""
        scopes = [Scope(channel=channel, conversation_id=conversation_id), Scope(channel=channel), Scope()]
        found = (self._by_place.get((workspace_id, scope.word, data_class)) for scope in scopes)
        return next((rule for rule in found if rule is not None), None)

    def until(
        self,
        data_class: DataClass,
        since: datetime,
        workspace_id: UUID,
        *,
        channel: str | None = None,
        conversation_id: UUID | None = None,
    ) -> datetime | None:
        """When a row of that time goes; None: not by itself. A turn is never to go before its messages."""
        keeps = [self.keep(data_class, workspace_id, channel=channel, conversation_id=conversation_id)]
        if data_class is DataClass.OPERATIONAL and conversation_id is not None:
            keeps.append(self.keep(DataClass.MESSAGE, workspace_id, channel=channel, conversation_id=conversation_id))
        known = [keep for keep in keeps if keep is not None]
        return since + max(known) if len(known) == len(keeps) else None


def checked_class(word: str) -> DataClass:
    """The class of that name. Raises `RuleRefused`."""
    try:
        return DataClass(word)
    except ValueError:
        raise RuleRefused(f"No data class {word!r}. There are: {', '.join(DataClass)}.") from None


def checked_days(word: str) -> int | None:
    """So many days, None for `forever`. Raises `RuleRefused`."""
    if word == FOREVER:
        return None
    is_number = word.isascii() and word.isdigit() and len(word) <= _MOST_DIGITS
    if not is_number or not 1 <= int(word) <= MOST_DAYS:
        problem = f"{word!r} is no number of days to keep something."
        raise RuleRefused(f"{problem} Give 1 to {MOST_DAYS}, or {FOREVER}.")
    return int(word)


def check_scope(data_class: DataClass, scope: Scope) -> None:
    """Raises `RuleRefused` for a channel or conversation where data of the class belongs to none."""
    if scope != Scope() and not knows_conversations(data_class):
        problem = f"Data of the class {data_class} belongs to no channel and no conversation."
        raise RuleRefused(f"{problem} Set the rule for the whole workspace.")
