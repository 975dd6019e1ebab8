"""`/tokens`: what programs show to use the API; owners make and revoke them."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

from parlour.admin.api import tokens
from parlour.admin.api.authority import Caller, changes, sees
from parlour.admin.api.cursors import Cursor, Limit, Page
from parlour.admin.api.resource import Body, resource
from parlour.admin.api.tokens import LONGEST_NAME, MOST_DAYS, USUAL_DAYS, TokenView
from parlour.admin.rights import Right
from parlour.people.states import Role

router = resource()


class TokenShown(BaseModel):
    """A token, without what opens anything."""

    id: UUID
    name: str
    role: Role
    rights: list[Right]
    made_by: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None = Field(description="To the minute.")


class TokenMade(TokenShown):
    """A new token."""

    token: str | None = Field(
        description="What to show. It is told now and never again: a request that is sent twice gets null."
    )


class NewToken(Body):
    """The token to make. It may be no more than the one that it is made with."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"name": "dashboard", "role": "auditor", "scopes": ["see people"], "days": 30}}
    )

    name: str = Field(min_length=1, max_length=LONGEST_NAME, examples=["dashboard"])
    role: Role = Role.AUDITOR
    scopes: list[Right] | None = Field(None, description="Only these rights of the role; null: all of them.")
    days: int = Field(USUAL_DAYS, ge=1, le=MOST_DAYS, description="How long it lasts.")


@router.get("/tokens", summary="List tokens")
def list_tokens(
    caller: Annotated[Caller, sees(Right.MANAGE_OPERATORS)], limit: Limit = 50, cursor: Cursor = None
) -> Page[TokenShown]:
    """The workspace's tokens, oldest first, those revoked too."""
    parts, cursors = caller.platform, caller.cursors("tokens")
    after = cursors.read(cursor)
    found = tokens.list_tokens(
        parts.database,
        parts.privacy,
        caller.workspace_id,
        after=None if after is None else UUID(after),
        limit=limit + 1,
    )
    return cursors.page(found, limit, position=lambda one: one.id, shown=_shown)


@router.post("/tokens", status_code=HTTPStatus.CREATED, summary="Make a token")
def create_token(caller: Annotated[Caller, changes(Right.MANAGE_OPERATORS)], wanted: NewToken) -> TokenMade:
    """A new token, told once."""
    parts = caller.platform
    view, token = tokens.create_token(
        parts.database,
        parts.privacy,
        caller.maker,
        name=wanted.name,
        role=wanted.role,
        scopes=wanted.scopes,
        days=wanted.days,
    )
    return TokenMade(**_shown(view).model_dump(), token=token)


@router.delete("/tokens/{token_id}", status_code=HTTPStatus.NO_CONTENT, summary="Revoke a token")
def revoke_token(
    caller: Annotated[Caller, changes(Right.MANAGE_OPERATORS)],
    token_id: Annotated[UUID, Path(description="The token's id.")],
) -> None:
    """It opens nothing any more, from its next request on."""
    tokens.revoke_token(caller.platform.database, caller.platform.privacy, caller.maker, token_id)


def _shown(view: TokenView) -> TokenShown:
    return TokenShown(
        id=view.id,
        name=view.name,
        role=view.role,
        rights=sorted(view.rights),
        made_by=view.made_by,
        created_at=view.created_at,
        expires_at=view.expires_at,
        revoked_at=view.revoked_at,
        last_used_at=view.last_used_at,
    )
