"""The tables of privacy: how long data is kept, what must be kept, what was erased, and who did what."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from parlour.store.models import Base
from parlour.store.types import Sealed


class RetentionRule(Base):
    """How long one class of data is kept in a workspace, a channel of it, or one conversation."""

    __tablename__ = "retention_rules"
    __table_args__ = (UniqueConstraint("workspace_id", "scope", "data_class"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    # workspace, channel:telegram, conversation:UUID
    scope: Mapped[str] = mapped_column(String(64))
    # The conversation of that scope: its rules go with it.
    conversation_id: Mapped[UUID | None] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"), index=True)
    data_class: Mapped[str] = mapped_column(String(16))
    # None: kept until somebody deletes it.
    keep_days: Mapped[int | None]
    created_at: Mapped[datetime]


class RetentionChange(Base):
    """A rule that was set or cleared, and rows that may still have their old date. Gone when all have the new one."""

    __tablename__ = "retention_changes"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"), index=True)
    scope: Mapped[str] = mapped_column(String(64))
    data_class: Mapped[str] = mapped_column(String(16))
    changed_at: Mapped[datetime] = mapped_column(index=True)


class LegalHold(Base):
    """Nothing of a person, a conversation or a whole workspace (neither is named) is deleted while this stands."""

    __tablename__ = "legal_holds"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    conversation_id: Mapped[UUID | None] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"), index=True)
    # Sealed under the workspace's key.
    reason: Mapped[bytes] = mapped_column(Sealed)
    placed_by: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    released_at: Mapped[datetime | None]


class Erasure(Base):
    """A person who is being erased or was. The row outlives them: no restored backup may bring them back."""

    __tablename__ = "erasures"
    __table_args__ = (
        Index(
            "ix_erasures_unfinished",
            "requested_at",
            sqlite_where=text("finished_at IS NULL"),
            postgresql_where=text("finished_at IS NULL"),
        ),
    )

    subject_id: Mapped[UUID] = mapped_column(primary_key=True)
    # The same for all rows of one person, who may have been several users before they were linked.
    receipt_id: Mapped[UUID] = mapped_column(index=True)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"), index=True)
    actor: Mapped[str] = mapped_column(String(64))
    requested_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    # As it was handed out; it holds ids and counts, nothing personal.
    receipt: Mapped[str | None] = mapped_column(Text)


class PrivacyRequest(Base):
    """What a person asked for in the chat: an export, or to be forgotten. The scheduler sees to it."""

    __tablename__ = "privacy_requests"
    __table_args__ = (UniqueConstraint("user_id", "kind"), Index("ix_privacy_requests_due_at", "due_at"))

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    turn_id: Mapped[UUID] = mapped_column(ForeignKey("turns.id", ondelete="CASCADE"), index=True)
    # export, erase
    kind: Mapped[str] = mapped_column(String(16))
    # asked (wants a second word), confirmed
    state: Mapped[str] = mapped_column(String(16))
    attempts: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    due_at: Mapped[datetime]


class AuditEntry(Base):
    """Who did what with whom, and why. Each entry's hash covers the one before: see `privacy.audit`."""

    __tablename__ = "audit_entries"
    # For lists, newest first: all of a workspace, by who, by what (or how it begins), by when.
    __table_args__ = (
        Index("ix_audit_entries_listed", "workspace_id", "seq"),
        Index("ix_audit_entries_actor_listed", "workspace_id", "actor", "seq"),
        Index("ix_audit_entries_action", "action", postgresql_ops={"action": "varchar_pattern_ops"}),
        Index("ix_audit_entries_at", "at"),
    )

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    id: Mapped[UUID]
    at: Mapped[datetime]
    # user:UUID, command:NAME (an account of the machine), system
    actor: Mapped[str] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(64))
    # The id of whom or what it was done to.
    subject: Mapped[str] = mapped_column(String(64), index=True)
    # Whose key seals the reason.
    workspace_id: Mapped[UUID | None]
    reason: Mapped[bytes | None] = mapped_column(Sealed)
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))


class AuditHead(Base):
    """The newest entry of the chain. Its row is what writers wait for: the chain has one end."""

    __tablename__ = "audit_heads"

    name: Mapped[str] = mapped_column(String(16), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))
