"""`/people`: see them, find one by a messenger's handle, admit, block, give roles, export, erase."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from parlour.admin.api.authority import Caller, changes, sees
from parlour.admin.api.cursors import Cursor, Limit, Page
from parlour.admin.api.reasons import Reason, Why, reason_of
from parlour.admin.api.resource import HANDLE, Body, resource
from parlour.admin.rights import Right
from parlour.from_settings import quota_rules
from parlour.people import users
from parlour.people.errors import UserUnknown
from parlour.people.finding import find_user, find_user_or_id
from parlour.people.states import ConsentState, Role, UserState
from parlour.people.users import UserView
from parlour.privacy.audit import LONGEST_REASON
from parlour.privacy.export import export_person
from parlour.store.ids import UserId

router = resource()

UserParam = Annotated[UUID, Path(description="The person's id.", examples=["01a205dc-284c-76f5-b6ea-c4fcc0328c41"])]


class IdentityShown(BaseModel):
    """A person in a messenger. Id and name are null where their key is gone."""

    channel: str = Field(examples=["telegram"])
    external_id: str | None = Field(examples=["12345"])
    name: str | None = Field(examples=["Ann"])


class PersonShown(BaseModel):
    """A person, as people who run Parlour see them: nothing of what they said."""

    id: UUID
    role: Role
    state: UserState
    language: str | None
    consent: str | None = Field(description="Whether they may be remembered: asked, given, refused.")
    created_at: datetime
    merged_into: UUID | None = Field(description="Who they are now, once they linked another messenger.")
    identities: list[IdentityShown]


class ConsentStep(BaseModel):
    """One step of a person's consent to being remembered: what they were asked, or said."""

    decision: ConsentState
    version: str = Field(description="Of the words that they were asked in; empty for a no of somebody unasked.")
    language: str
    at: datetime


class QuotaUsed(BaseModel):
    """How much of one of today's quotas is used: of the person's own, or of their workspace's."""

    scope: Literal["user", "workspace"]
    unit: Literal["turns", "tokens"]
    used: int
    limit: int
    resets_at: datetime


class OnePerson(PersonShown):
    """The same, what they used today, how much is remembered of them, and each step of their consent, oldest first."""

    profile_entries: int
    consent_steps: list[ConsentStep]
    used_today: list[QuotaUsed] = Field(description="Of each quota that is set.")


class Changed(BaseModel):
    """What a person is now."""

    id: UUID
    role: Role | None = None
    state: UserState | None = None


class NewRole(Body):
    """A role to give."""

    model_config = ConfigDict(json_schema_extra={"example": {"role": "admin", "reason": "On call from May"}})

    role: Role
    reason: Reason = None


class PairingCode(Body):
    """What a stranger was told, and what they are to be."""

    model_config = ConfigDict(json_schema_extra={"example": {"code": "ABCD-EFGH", "role": "member"}})

    code: str = Field(min_length=1, max_length=32, examples=["ABCD-EFGH"])
    role: Role = Role.MEMBER
    reason: Reason = None


class Opening(Body):
    """The reason for which what somebody wrote is opened."""

    model_config = ConfigDict(json_schema_extra={"example": {"reason": "She asked for it by letter."}})

    reason: str = Field(
        min_length=1, max_length=LONGEST_REASON, pattern=r"\S", description="Why; it stands in the audit log, sealed."
    )


class Erasure(BaseModel):
    """A finished erasure."""

    id: UUID
    receipt_id: UUID
    receipt: str = Field(description="Signed; `POST /v1/receipts/verify` checks it, as does anyone offline.")


@router.get("/people", summary="List people")
def list_people(
    caller: Annotated[Caller, sees(Right.SEE_PEOPLE)],
    *,
    state: Annotated[UserState | None, Query(description="In this state; else all who are somebody now.")] = None,
    role: Annotated[Role | None, Query(description="With this role.")] = None,
    handle: Annotated[
        str | None,
        Query(pattern=HANDLE, max_length=200, description="The one who has it.", examples=["telegram:12345"]),
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[PersonShown]:
    """People in order of arrival. `handle` finds one by a messenger's id: names are sealed and cannot be searched."""
    parts, cursors = caller.platform, caller.cursors("people", state, role, handle)
    after = cursors.read(cursor)
    if handle is not None:
        return Page(items=_by_handle(caller, handle, state, role), next=None)
    found = users.list_users(
        parts.database,
        parts.privacy,
        state=state,
        role=role,
        after=None if after is None else UserId(UUID(after)),
        limit=limit + 1,
        workspace_id=caller.workspace_id,
    )
    return cursors.page(found, limit, position=lambda one: one.user_id, shown=_shown)


def _by_handle(caller: Caller, handle: str, state: UserState | None, role: Role | None) -> list[PersonShown]:
    parts = caller.platform
    try:
        view = users.show_user(parts.database, parts.privacy, handle, workspace_id=caller.workspace_id)
    except UserUnknown:
        return []
    return [_shown(view)] if state in {None, view.state} and role in {None, view.role} else []


@router.get("/people/{user_id}", summary="Show one person")
def show_person(caller: Annotated[Caller, sees(Right.SEE_PEOPLE)], user_id: UserParam) -> OnePerson:
    """One person, what they agreed to and used of today's quotas, and how much is remembered of them, never what."""
    parts = caller.platform
    rules = quota_rules(parts.settings)
    view = users.show_user(parts.database, parts.privacy, str(user_id), workspace_id=caller.workspace_id, quotas=rules)
    return OnePerson(
        **_shown(view).model_dump(),
        profile_entries=view.profile_entries or 0,
        consent_steps=[ConsentStep(**asdict(one)) for one in view.consent_steps or ()],
        used_today=[QuotaUsed(**asdict(one)) for one in view.used_today or ()],
    )


@router.put("/people/{user_id}/role", summary="Give a role")
def set_role(caller: Annotated[Caller, changes(Right.MANAGE_ROLES)], user_id: UserParam, given: NewRole) -> Changed:
    """Give a person a role. The last owner keeps theirs (409)."""
    found = _found(caller, user_id)
    users.set_role(caller.platform.database, found, given.role, by=caller.doer(given.reason))
    return Changed(id=found, role=given.role)


@router.post("/people/{user_id}/block", summary="Block a person")
def block(
    caller: Annotated[Caller, changes(Right.MANAGE_PEOPLE)], user_id: UserParam, why: Why | None = None
) -> Changed:
    """Let nothing from this person through any more, from whichever messenger."""
    found = _found(caller, user_id)
    users.block(caller.platform.database, found, by=caller.doer(reason_of(why)))
    return Changed(id=found, state=UserState.BLOCKED)


@router.post("/people/{user_id}/unblock", summary="Unblock a person")
def unblock(
    caller: Annotated[Caller, changes(Right.MANAGE_PEOPLE)], user_id: UserParam, why: Why | None = None
) -> Changed:
    """Let a blocked person talk again; a stranger who was never let in is `pending` again."""
    found = _found(caller, user_id)
    state = users.unblock(caller.platform.database, found, by=caller.doer(reason_of(why)))
    return Changed(id=found, state=state)


@router.post("/people/approve", summary="Admit by pairing code")
def approve(caller: Annotated[Caller, changes(Right.APPROVE_PEOPLE)], given: PairingCode) -> Changed:
    """Admit the person who was told this pairing code."""
    parts = caller.platform
    now = parts.clock.now()
    user_id = users.approve(
        parts.database,
        parts.privacy,
        given.code,
        now=now,
        role=given.role,
        workspace_id=caller.workspace_id,
        by=caller.doer(given.reason),
    )
    return Changed(id=user_id, role=given.role, state=UserState.ACTIVE)


@router.post(
    "/people/{user_id}/export",
    summary="Export a person's data",
    response_class=Response,
    responses={200: {"description": "A zip of JSON and HTML.", "content": {"application/zip": {}}}},
)
def export(caller: Annotated[Caller, sees(Right.EXPORT_PEOPLE)], user_id: UserParam, why: Opening) -> Response:
    """Everything that is held about a person, opened. It holds what they wrote: keep it safe. Stands in the audit."""
    parts = caller.platform
    found = _found(caller, user_id)
    made = export_person(parts.database, parts.privacy, found, actor=caller.actor, reason=why.reason)
    headers = {"Content-Disposition": f'attachment; filename="{made.name}"', "Cache-Control": "no-store"}
    return Response(made.content, media_type="application/zip", headers=headers)


@router.post("/people/{user_id}/erase", summary="Erase a person")
def erase(
    caller: Annotated[Caller, changes(Right.ERASE_PEOPLE)], user_id: UserParam, why: Why | None = None
) -> Erasure:
    """Erase a person for good: key first, then all that is stored. Nothing brings it back."""
    parts = caller.platform
    found = find_user_or_id(parts.database, parts.privacy, str(user_id), workspace_id=caller.workspace_id)
    done = parts.eraser.erase(found, actor=caller.actor, reason=reason_of(why))
    return Erasure(id=found, receipt_id=done.receipt_id, receipt=done.receipt)


def _found(caller: Caller, user_id: UUID) -> UserId:
    parts = caller.platform
    return find_user(parts.database, parts.privacy, str(user_id), workspace_id=caller.workspace_id)


def _shown(view: UserView) -> PersonShown:
    return PersonShown(
        id=view.user_id,
        role=view.role,
        state=view.state,
        language=view.language,
        consent=view.consent,
        created_at=view.created_at,
        merged_into=view.merged_into,
        identities=[IdentityShown(**asdict(one)) for one in view.identities],
    )
