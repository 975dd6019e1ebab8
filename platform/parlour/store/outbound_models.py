"""The tables of what is said without being asked, who wants to be told what, and of who talks to a human."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from parlour.store.models import Base
from parlour.store.types import Sealed


class Subscription(Base):
    """A conversation that wants to be told about a topic of a skill. Whoever asked for it in a group is its person."""

    __tablename__ = "subscriptions"
    __table_args__ = (
        UniqueConstraint("skill_id", "topic_hash", "conversation_id"),
        Index("ix_subscriptions_expires_at", "expires_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    skill_id: Mapped[UUID] = mapped_column(ForeignKey("skills.id", ondelete="CASCADE"))
    conversation_id: Mapped[UUID] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    # Keyed hash of the topic, to find it by; what somebody watches tells something about them.
    topic_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    topic: Mapped[bytes] = mapped_column(Sealed)
    created_at: Mapped[datetime]
    # Kept until it is ended, unless a rule says otherwise.
    expires_at: Mapped[datetime | None]


class Handoff(Base):
    """A conversation that a human takes over; `Conversation.handoff_id` names the one that is open there."""

    __tablename__ = "handoffs"
    __table_args__ = (
        Index("ix_handoffs_place_id_state", "place_id", "state"),
        Index("ix_handoffs_expires_at", "expires_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    conversation_id: Mapped[UUID] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"), index=True)
    # The person who asked for it.
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    # The conversation in which people are who answer.
    place_id: Mapped[UUID] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"))
    # waiting, claimed, ended
    state: Mapped[str] = mapped_column(String(16))
    # Whoever took it, and how they are called, sealed under their own key.
    agent_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    agent_name: Mapped[bytes | None] = mapped_column(Sealed)
    language: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime]
    claimed_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
