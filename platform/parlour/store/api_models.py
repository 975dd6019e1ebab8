"""The tables of the HTTP API: who may use it, and what was answered to requests that may come twice."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from parlour.store.models import Base
from parlour.store.types import Sealed


class ApiToken(Base):
    """What a program shows to use the API. Only its keyed hash is kept: nobody can be told it a second time."""

    __tablename__ = "api_tokens"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"), index=True)
    # What it is for, in its maker's words; sealed under the workspace's key.
    name: Mapped[bytes] = mapped_column(Sealed)
    lookup_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    role: Mapped[str] = mapped_column(String(16))
    # Rights of that role as a JSON list; none: all that the role has.
    scopes: Mapped[str | None] = mapped_column(Text)
    made_by: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    # To the minute.
    last_used_at: Mapped[datetime | None]


class ApiReply(Base):
    """What a request with an idempotency key was answered. It holds ids and states, never what people said."""

    __tablename__ = "api_replies"
    __table_args__ = (UniqueConstraint("token_id", "lookup_hash"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    token_id: Mapped[UUID] = mapped_column(ForeignKey("api_tokens.id", ondelete="CASCADE"))
    # Keyed hash of the idempotency key.
    lookup_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    # Keyed hash of method, path and body: the same key with another request is a mistake.
    request_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    # None while it is being answered.
    status: Mapped[int | None]
    body: Mapped[bytes | None] = mapped_column(Sealed)
    expires_at: Mapped[datetime] = mapped_column(index=True)
