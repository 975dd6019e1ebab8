"""The tables of what is known about people: what they agreed to, what is remembered of them, what they used."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from parlour.store.models import Base
from parlour.store.types import Sealed


class Consent(Base):
    """One step of a person's consent to being remembered: what they were asked, in which words, and what they said.

    Rows are never changed; a person's newest decision counts, and stands in `users.consent` too.
    """

    __tablename__ = "consents"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    # asked, given, refused
    decision: Mapped[str] = mapped_column(String(16))
    version: Mapped[str] = mapped_column(String(16))
    language: Mapped[str] = mapped_column(String(16))
    # The platform's own words, as the person read them; none for a no of somebody who was not asked.
    text: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]


class ProfileEntry(Base):
    """One thing that is remembered about a person."""

    __tablename__ = "profile_entries"
    __table_args__ = (
        UniqueConstraint("user_id", "kind", "lookup_hash"),
        Index("ix_profile_entries_expires_at", "expires_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    # preference, interest, memory
    kind: Mapped[str] = mapped_column(String(16))
    # told (the person asked for it), learned (from what they wrote)
    source: Mapped[str] = mapped_column(String(16))
    # The turn that it came from, while that is kept.
    turn_id: Mapped[UUID | None]
    # Keyed hash of what it is about, so that one thing is remembered once.
    lookup_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    # What it is about and what it says, as JSON.
    body: Mapped[bytes] = mapped_column(Sealed)
    # What it means, to find out whether a question has to do with it; a vector tells much of what it was made of.
    vector: Mapped[bytes | None] = mapped_column(Sealed)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]


class UsageDay(Base):
    """What one person used on one day, in UTC. Written only where a quota is set."""

    __tablename__ = "usage_days"
    __table_args__ = (
        UniqueConstraint("user_id", "day"),
        Index("ix_usage_days_day_workspace_id", "day", "workspace_id"),
        Index("ix_usage_days_expires_at", "expires_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    # Its first moment.
    day: Mapped[datetime]
    turns: Mapped[int] = mapped_column(default=0)
    tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    expires_at: Mapped[datetime | None]
