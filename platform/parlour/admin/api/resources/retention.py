"""`/retention`: how long data is kept: see, set, try out, run."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from parlour.admin.api.authority import Caller, changes, sees
from parlour.admin.api.reasons import Reason, Why, reason_of
from parlour.admin.api.resource import Body, resource
from parlour.admin.rights import Right
from parlour.privacy.classes import DataClass
from parlour.privacy.preview import Due, preview
from parlour.privacy.purging import purge_now
from parlour.privacy.retention import clear_rule, read_policy, redate, set_rule
from parlour.privacy.rules import MOST_DAYS, Rule, Scope

router = resource()

Days = Annotated[int | None, Field(ge=1, le=MOST_DAYS, description="null: until somebody deletes it.")]


class RuleShown(BaseModel):
    """How long data of a class is kept in a place; neither channel nor conversation: the whole workspace."""

    data_class: DataClass
    channel: str | None = None
    conversation_id: UUID | None = None
    days: Days


class Rules(BaseModel):
    """The workspace's rules, the narrowest of which wins, and what holds where there is none."""

    rules: list[RuleShown]
    defaults: list[RuleShown]


class Place(Body):
    """What a rule covers."""

    model_config = ConfigDict(json_schema_extra={"example": {"data_class": "message"}})

    data_class: DataClass
    channel: str | None = Field(None, max_length=32, examples=["telegram"])
    conversation_id: UUID | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.channel is not None and self.conversation_id is not None:
            raise ValueError("Name a channel or a conversation, not both.")
        return self

    @property
    def scope(self) -> Scope:
        """The same as rules know it."""
        return Scope(channel=self.channel, conversation_id=self.conversation_id)


class NewRule(Place):
    """A rule to set or to try out."""

    model_config = ConfigDict(json_schema_extra={"example": {"data_class": "message", "days": 30}})

    days: Days

    def rule(self, workspace_id: UUID) -> Rule:
        """The same for this workspace."""
        return Rule(workspace_id, self.scope, self.data_class, None if self.days is None else timedelta(self.days))


class SetRule(NewRule):
    """A rule to set, and why."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"data_class": "message", "days": 30, "reason": "House policy 7"}}
    )

    reason: Reason = None


class ClearedRule(Place):
    """A rule to take away, and why."""

    reason: Reason = None


class Redated(BaseModel):
    """How many rows got a new date by it."""

    redated: int


class Cleared(Redated):
    """Whether there was a rule to take away."""

    was_there: bool


class DueShown(BaseModel):
    """Rows that go or went, of one class and age."""

    data_class: DataClass
    table: str
    age: str
    rows: int


class DueList(BaseModel):
    """What goes or went. What is under a hold is left out of it."""

    items: list[DueShown]


@router.get("/retention", summary="Show the rules")
def show(caller: Annotated[Caller, sees(Right.SEE_RETENTION)]) -> Rules:
    """The workspace's rules, and what holds where there is none."""
    parts = caller.platform
    with parts.database.read() as session:
        policy = read_policy(session, parts.retention.defaults)
    return Rules(
        rules=[_shown(rule) for rule in policy.rules if rule.workspace_id == caller.workspace_id],
        defaults=[RuleShown(data_class=one, days=_days(keep)) for one, keep in policy.defaults.items()],
    )


@router.put("/retention", summary="Set a rule")
def set_(caller: Annotated[Caller, changes(Right.MANAGE_RETENTION)], wanted: SetRule) -> Redated:
    """Set how long data of a class is kept; what is there already gets its new date at once."""
    parts = caller.platform
    rule = wanted.rule(caller.workspace_id)
    set_rule(parts.database, parts.privacy, rule, actor=caller.actor, reason=wanted.reason)
    return Redated(redated=redate(parts.database, parts.retention))


@router.post("/retention/clear", summary="Clear a rule")
def clear(caller: Annotated[Caller, changes(Right.MANAGE_RETENTION)], place: ClearedRule) -> Cleared:
    """Take a rule away; the next wider one counts again."""
    parts = caller.platform
    was_there = clear_rule(
        parts.database,
        parts.privacy,
        caller.workspace_id,
        place.scope,
        place.data_class,
        actor=caller.actor,
        reason=place.reason,
    )
    return Cleared(was_there=was_there, redated=redate(parts.database, parts.retention) if was_there else 0)


@router.get("/retention/preview", summary="Preview the next purge")
def preview_purge(caller: Annotated[Caller, sees(Right.SEE_RETENTION)]) -> DueList:
    """What the next purge would delete of this workspace. Deletes nothing."""
    parts = caller.platform
    found = preview(parts.database, parts.retention, now=parts.clock.now(), workspace_id=caller.workspace_id)
    return _told(found)


@router.post("/retention/preview", summary="Try a rule out")
def preview_rule(caller: Annotated[Caller, sees(Right.SEE_RETENTION)], wanted: NewRule) -> DueList:
    """What such a rule would delete. Sets and deletes nothing."""
    parts = caller.platform
    rule = wanted.rule(caller.workspace_id)
    return _told(preview(parts.database, parts.retention, now=parts.clock.now(), rule=rule))


@router.post("/retention/run", summary="Purge now")
def run(caller: Annotated[Caller, changes(Right.MANAGE_RETENTION)], why: Why | None = None) -> DueList:
    """Delete what is past its time, now, as the scheduler does every ten minutes. Tells what went of this workspace."""
    parts = caller.platform
    gone = purge_now(
        parts.database,
        parts.privacy,
        parts.retention,
        parts.eraser,
        workspace_id=caller.workspace_id,
        actor=caller.actor,
        reason=reason_of(why),
    )
    return _told(gone)


def _told(found: Sequence[Due]) -> DueList:
    return DueList(
        items=[DueShown(data_class=one.data_class, table=one.table, age=one.age, rows=one.rows) for one in found]
    )


def _shown(rule: Rule) -> RuleShown:
    scope = rule.scope
    return RuleShown(
        data_class=rule.data_class,
        channel=scope.channel,
        conversation_id=scope.conversation_id,
        days=_days(rule.keep),
    )


def _days(keep: timedelta | None) -> int | None:
    return None if keep is None else keep.days
