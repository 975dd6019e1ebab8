"""`/skills`: see them, enable, set, take out, see their jobs; tell one what a person did."""

from dataclasses import asdict
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Self
from uuid import UUID

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from parlour.admin.api.authority import Caller, changes, sees
from parlour.admin.api.resource import Body, resource
from parlour.admin.rights import Right
from parlour.people.finding import find_user
from parlour.skills.jobs import JobBook
from parlour.skills.service import SkillBook
from parlour.skills.views import SkillView, secret_names
from parlour.store.ids import ConversationId

router = resource(HTTPStatus.BAD_GATEWAY)

Name = Annotated[str, Path(max_length=64, description="The skill's name.", examples=["customer-service"])]


class ScopeShown(BaseModel):
    """An exception to whether the skill is enabled: for one channel, or one conversation."""

    is_enabled: bool
    channel: str | None
    conversation_id: UUID | None


class SkillShown(BaseModel):
    """An installed skill."""

    name: str
    version: str
    description: str
    is_enabled: bool = Field(description="Where no scope says otherwise.")
    scopes: list[ScopeShown]
    grants: list[str]
    hosts: list[str]
    asks: list[str] = Field(description="The other skills that it may ask.")
    installed_at: datetime
    source: str | None


class OneSkill(SkillShown):
    """The same, with what it stores, how it is set (secrets left out) and what it still needs."""

    keeps: dict[str, str]
    settings: dict[str, JsonValue]
    missing_settings: list[str]
    secrets: list[str] = Field(description="Settings that can be set and not seen.")


class SkillList(BaseModel):
    """Installed skills by name, and the names of those that cannot be read any more."""

    items: list[SkillShown]
    unreadable: list[str]


class Where(Body):
    """Where to enable or disable it; neither: everywhere, and earlier exceptions are forgotten."""

    model_config = ConfigDict(json_schema_extra={"example": {"channel": "telegram"}})

    channel: str | None = Field(None, max_length=32)
    conversation_id: UUID | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.channel is not None and self.conversation_id is not None:
            raise ValueError("Name a channel or a conversation, not both.")
        return self


class Values(Body):
    """Settings; null takes one back to its default."""

    model_config = ConfigDict(json_schema_extra={"example": {"values": {"tone": "friendly"}}})

    values: dict[str, JsonValue] = Field(max_length=100)


class Event(Body):
    """What a person did."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"name": "bought", "person": "telegram:12345", "arguments": {"item": "lamp-17"}}}
    )

    name: str = Field(min_length=1, max_length=64, description="An event that the skill takes.")
    person: str = Field(min_length=1, max_length=200, description="Their id, or a messenger's as `telegram:12345`.")
    arguments: dict[str, JsonValue] = Field(default_factory=dict, max_length=100)


class Told(BaseModel):
    """What the skill said to it. Not kept: a request that is sent twice gets null."""

    result: JsonValue


class JobShown(BaseModel):
    """What a skill does by itself, and how its last run went."""

    skill: str
    name: str
    schedule: str
    due_at: datetime
    is_running: bool
    runs: int
    started_at: datetime | None
    finished_at: datetime | None
    outcome: str | None
    error: str | None = Field(description="A class and a place in the skill's code, never what it worked on.")


class JobList(BaseModel):
    """Jobs by name."""

    items: list[JobShown]


@router.get("/skills", summary="List skills")
def list_skills(caller: Annotated[Caller, sees(Right.SEE_SKILLS)]) -> SkillList:
    """Installed skills."""
    book = book_of(caller)
    return SkillList(items=[shown(one) for one in book.installed()], unreadable=list(book.unreadable()))


@router.get("/skills/{name}", summary="Show one skill")
def show_skill(caller: Annotated[Caller, sees(Right.SEE_SKILLS)], name: Name) -> OneSkill:
    """What a skill is, may do, and how it is set. Secrets are not shown."""
    book = book_of(caller)
    skill = book.get(name)
    return OneSkill(
        **shown(skill).model_dump(),
        keeps=dict(skill.manifest.keeps),
        settings=book.settings(skill),
        missing_settings=book.missing_settings(skill),
        secrets=secret_names(skill.manifest),
    )


@router.get("/skills/{name}/schema", summary="Show a skill's settings schema")
def schema(caller: Annotated[Caller, sees(Right.SEE_SKILLS)], name: Name) -> dict[str, Any]:
    """The JSON Schema that its settings keep to; `{}` where it has none."""
    return dict(book_of(caller).get(name).manifest.settings)


@router.get("/skills/{name}/jobs", summary="List a skill's jobs")
def jobs(caller: Annotated[Caller, sees(Right.SEE_SKILLS)], name: Name) -> JobList:
    """What it does by itself: when each is due, and how its last run went."""
    book_of(caller).get(name)
    found = JobBook(caller.platform.database, owner="api").all(caller.workspace_id, name)
    return JobList(items=[JobShown(**asdict(one)) for one in found])


@router.post("/skills/{name}/enable", status_code=HTTPStatus.NO_CONTENT, summary="Enable a skill")
def enable(caller: Annotated[Caller, changes(Right.MANAGE_SKILLS)], name: Name, where: Where | None = None) -> None:
    """Let it be called: everywhere, or where you say. A conversation's word goes before its channel's."""
    _set_enabled(caller, name, where or Where(), is_enabled=True)


@router.post("/skills/{name}/disable", status_code=HTTPStatus.NO_CONTENT, summary="Disable a skill")
def disable(caller: Annotated[Caller, changes(Right.MANAGE_SKILLS)], name: Name, where: Where | None = None) -> None:
    """Keep it from being called, everywhere or where you say; it stays installed, and so does what it stores."""
    _set_enabled(caller, name, where or Where(), is_enabled=False)


@router.put("/skills/{name}/settings", status_code=HTTPStatus.NO_CONTENT, summary="Set a skill")
def configure(caller: Annotated[Caller, changes(Right.MANAGE_SKILLS)], name: Name, given: Values) -> None:
    """Set what is named and leave the rest. A value that does not fit the schema changes nothing (422)."""
    book_of(caller).configure(name, given.values)


@router.delete("/skills/{name}", status_code=HTTPStatus.NO_CONTENT, summary="Remove a skill")
def remove(
    caller: Annotated[Caller, changes(Right.MANAGE_SKILLS)],
    name: Name,
    *,
    with_data: Annotated[bool, Query(description="Delete its settings and documents too.")] = False,
) -> None:
    """Take it out. What it stored stays, for when it is installed again, unless you say otherwise."""
    book_of(caller).remove(name, with_data=with_data)


@router.post("/skills/{name}/events", summary="Tell a skill what a person did")
def tell(caller: Annotated[Caller, changes(Right.MANAGE_SKILLS)], name: Name, event: Event) -> Told:
    """The skill's own code runs, confined, with the person's documents and nobody else's. 502 where it fails."""
    parts = caller.platform
    book_of(caller).get(name)
    user_id = find_user(parts.database, parts.privacy, event.person, workspace_id=caller.workspace_id)
    result: Any = parts.skills.inbox().tell(caller.workspace_id, user_id, name, event.name, event.arguments)
    return Told(result=result)


def _set_enabled(caller: Caller, name: str, where: Where, *, is_enabled: bool) -> None:
    conversation_id = None if where.conversation_id is None else ConversationId(where.conversation_id)
    book_of(caller).enable(name, is_enabled=is_enabled, channel=where.channel, conversation_id=conversation_id)


def book_of(caller: Caller) -> SkillBook:
    """The skills of the caller's workspace, changed in their name."""
    return caller.platform.skills.book(caller.workspace_id, actor=caller.actor)


def shown(skill: SkillView) -> SkillShown:
    """A skill as it is listed."""
    return SkillShown(
        name=skill.name,
        version=skill.version,
        description=skill.manifest.description,
        is_enabled=skill.is_enabled,
        scopes=[ScopeShown(**asdict(scope)) for scope in skill.scopes],
        grants=sorted(skill.grants),
        hosts=list(skill.hosts),
        asks=list(skill.asks),
        installed_at=skill.installed_at,
        source=skill.source,
    )
