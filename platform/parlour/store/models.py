"""The tables of the content database. Every personal column is `Sealed`; look-ups go by keyed hash."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, MetaData, String, UniqueConstraint, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from parlour.store.types import Sealed, UtcDateTime

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """All content tables. Constraint names are fixed so that migrations can name them on every database."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {datetime: UtcDateTime, bytes: LargeBinary}  # noqa: RUF012 (SQLAlchemy's own protocol)


class Workspace(Base):
    """An organisation's space: its bots, its people, its system prompt."""

    __tablename__ = "workspaces"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    system_prompt: Mapped[str | None]
    created_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]


class Account(Base):
    """A bot in a messenger. One gateway at a time holds the sender lease: it alone posts drafts and deliveries."""

    __tablename__ = "accounts"
    __table_args__ = (UniqueConstraint("channel", "lookup_hash"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"), index=True)
    channel: Mapped[str] = mapped_column(String(32))
    lookup_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    name: Mapped[str] = mapped_column(String(200))
    # Tokens, sealed under the workspace's key.
    credentials: Mapped[bytes | None] = mapped_column(Sealed)
    state: Mapped[str] = mapped_column(String(16), default="active")
    # Where a polling channel stands: confirmed to the messenger only after everything below it is committed.
    cursor: Mapped[int | None] = mapped_column(BigInteger)
    sender_owner: Mapped[str | None] = mapped_column(String(64))
    sender_until: Mapped[datetime | None]
    created_at: Mapped[datetime]


class User(Base):
    """A person in a workspace."""

    __tablename__ = "users"
    __table_args__ = (
        # For lists in order of arrival.
        Index("ix_users_state_listed", "workspace_id", "state", "id"),
        Index("ix_users_role_listed", "workspace_id", "role", "id"),
        Index(
            "ix_users_expires_at",
            "expires_at",
            sqlite_where=text("expires_at IS NOT NULL"),
            postgresql_where=text("expires_at IS NOT NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    role: Mapped[str] = mapped_column(String(16), default="member")
    # active, pending (has a pairing code), blocked, merged (into another user, by linking), erased
    state: Mapped[str] = mapped_column(String(16), default="active")
    # What they were before they were blocked, active or pending; none for who is not.
    blocked_from: Mapped[str | None] = mapped_column(String(16))
    language: Mapped[str | None] = mapped_column(String(16))
    # Whether they may be remembered: asked, given, refused; none: not asked yet. The newest row of `consents`.
    consent: Mapped[str | None] = mapped_column(String(16))
    pairing_hash: Mapped[bytes | None] = mapped_column(LargeBinary(32), index=True)
    pairing_until: Mapped[datetime | None]
    # The code that links another messenger to this person, while it lasts.
    link_hash: Mapped[bytes | None] = mapped_column(LargeBinary(32), index=True)
    link_until: Mapped[datetime | None]
    # Who they are now. What they said before stays sealed under this row's own key: see docs/people.md.
    merged_into: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime]
    # When they were last heard of, where the turn that told it is purged; newer turns count more.
    heard_at: Mapped[datetime | None]
    # When to look whether they were heard of since; only where a rule for identities is set.
    expires_at: Mapped[datetime | None]


class Identity(Base):
    """A person in a messenger: a keyed hash to look up, the id and the name sealed under the person's key."""

    __tablename__ = "identities"
    __table_args__ = (UniqueConstraint("workspace_id", "channel", "lookup_hash"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    channel: Mapped[str] = mapped_column(String(32))
    lookup_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    external_id: Mapped[bytes] = mapped_column(Sealed)
    name: Mapped[bytes | None] = mapped_column(Sealed)
    created_at: Mapped[datetime]


class Conversation(Base):
    """A chat, or a thread or topic in one. Its lease orders its turns, its fence refuses late writes."""

    __tablename__ = "conversations"
    __table_args__ = (
        UniqueConstraint("account_id", "lookup_hash"),
        # For lists, newest first: all, of one bot, groups alone.
        Index("ix_conversations_listed", "workspace_id", "created_at", "id"),
        Index("ix_conversations_account_listed", "account_id", "created_at", "id"),
        Index(
            "ix_conversations_groups_listed",
            "workspace_id",
            "created_at",
            "id",
            sqlite_where=text("user_id IS NULL"),
            postgresql_where=text("user_id IS NULL"),
        ),
        Index(
            "ix_conversations_lease_until",
            "lease_until",
            sqlite_where=text("lease_until IS NOT NULL"),
            postgresql_where=text("lease_until IS NOT NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    # The person of a private chat; none for a group.
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    lookup_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    # Where to send: sealed under the person's key in a private chat, under the workspace's in a group.
    address: Mapped[bytes] = mapped_column(Sealed)
    is_private: Mapped[bool]
    mode: Mapped[str | None] = mapped_column(String(16))
    # The open handoff: a human answers here and the assistant is silent. No foreign key: a handoff names its
    # conversation already.
    handoff_id: Mapped[UUID | None]
    # Turns up to this one belong to what `/new` closed: they no longer go into a prompt.
    fresh_from_seq: Mapped[int] = mapped_column(BigInteger, default=0)
    # The name of the skill that its person chose for it by `/skills NAME`; `/new` ends it.
    bound_skill: Mapped[str | None] = mapped_column(String(64))
    last_seq: Mapped[int] = mapped_column(BigInteger, default=0)
    lease_owner: Mapped[str | None] = mapped_column(String(64))
    lease_until: Mapped[datetime | None]
    fence: Mapped[int] = mapped_column(BigInteger, default=0)
    created_at: Mapped[datetime]


class Turn(Base):
    """One thing a person said and what became of it."""

    __tablename__ = "turns"
    __table_args__ = (
        UniqueConstraint("account_id", "event_id"),
        UniqueConstraint("conversation_id", "seq"),
        Index("ix_turns_expires_at", "expires_at"),
        # Only what is open is ever searched for: the index stays as small as the backlog.
        Index(
            "ix_turns_open",
            "due_at",
            sqlite_where=text("state IN ('queued', 'running')"),
            postgresql_where=text("state IN ('queued', 'running')"),
        ),
        Index(
            "ix_turns_open_conversation",
            "conversation_id",
            "seq",
            sqlite_where=text("state IN ('queued', 'running')"),
            postgresql_where=text("state IN ('queued', 'running')"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    conversation_id: Mapped[UUID] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"))
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    event_id: Mapped[str] = mapped_column(String(128))
    seq: Mapped[int] = mapped_column(BigInteger)
    # message, command, retry
    kind: Mapped[str] = mapped_column(String(16))
    # queued, running, answered, failed, stopped, merged, refused, dropped
    state: Mapped[str] = mapped_column(String(16))
    attempts: Mapped[int] = mapped_column(default=0)
    is_stop_requested: Mapped[bool] = mapped_column(default=False)
    merged_into: Mapped[UUID | None]
    language: Mapped[str | None] = mapped_column(String(16))
    # What went wrong, as a word an operator can look up; never a text of the user's or the model's.
    error: Mapped[str | None] = mapped_column(String(64))
    due_at: Mapped[datetime]
    received_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    first_piece_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    # Where it was routed, and why: names of handlers and scores (`skills.routing.Route`), nothing of what was said.
    route: Mapped[str | None]
    prompt_tokens: Mapped[int] = mapped_column(default=0)
    completion_tokens: Mapped[int] = mapped_column(default=0)
    # Never before its messages: they would go with it.
    expires_at: Mapped[datetime | None]


class Message(Base):
    """What was said, sealed under the key of the person who said it or was answered."""

    __tablename__ = "messages"
    __table_args__ = (
        Index("ix_messages_conversation_id_seq", "conversation_id", "seq"),
        Index("ix_messages_expires_at", "expires_at"),
        Index("ix_messages_external", "conversation_id", "external_hash"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    conversation_id: Mapped[UUID] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"))
    turn_id: Mapped[UUID] = mapped_column(ForeignKey("turns.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    # The turn's seq: a person's message and its answer share it.
    seq: Mapped[int] = mapped_column(BigInteger)
    # user, assistant, notice (a notice is never part of a prompt)
    author: Mapped[str] = mapped_column(String(16))
    body: Mapped[bytes] = mapped_column(Sealed)
    # Files and buttons of an answer that has some; see `turns.extras`.
    extras: Mapped[bytes | None] = mapped_column(Sealed)
    # Keyed hash of the messenger's own message id, to find the message that an edit belongs to.
    external_hash: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    # That id itself, to answer as a reply to it.
    external_key: Mapped[bytes | None] = mapped_column(Sealed)
    edited_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]


class Attachment(Base):
    """A file a person sent, or was sent. A person's is taken in by reference first, so that no acknowledgement waits
    for a download.
    """

    __tablename__ = "attachments"
    __table_args__ = (
        Index("ix_attachments_expires_at", "expires_at"),
        Index(
            "ix_attachments_waiting",
            "account_id",
            sqlite_where=text("state = 'waiting'"),
            postgresql_where=text("state = 'waiting'"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    message_id: Mapped[UUID] = mapped_column(ForeignKey("messages.id", ondelete="CASCADE"), index=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    # waiting, stored, too_large, failed
    state: Mapped[str] = mapped_column(String(16))
    attempts: Mapped[int] = mapped_column(default=0)
    size: Mapped[int | None] = mapped_column(BigInteger)
    name: Mapped[bytes] = mapped_column(Sealed)
    media_type: Mapped[bytes] = mapped_column(Sealed)
    reference: Mapped[bytes] = mapped_column(Sealed)
    content: Mapped[bytes | None] = mapped_column(Sealed)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]


class Delivery(Base):
    """The ledger: what has to reach a messenger, how far it got, and what the messenger said."""

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("turn_id", "ordinal"),
        Index(
            "ix_deliveries_due",
            "account_id",
            "due_at",
            sqlite_where=text("state IN ('drafting', 'pending', 'sending', 'unknown')"),
            postgresql_where=text("state IN ('drafting', 'pending', 'sending', 'unknown')"),
        ),
        Index(
            "ix_deliveries_open_conversation",
            "conversation_id",
            "turn_seq",
            "ordinal",
            sqlite_where=text("state IN ('drafting', 'pending', 'sending', 'unknown')"),
            postgresql_where=text("state IN ('drafting', 'pending', 'sending', 'unknown')"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    conversation_id: Mapped[UUID] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"), index=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    turn_id: Mapped[UUID] = mapped_column(ForeignKey("turns.id", ondelete="CASCADE"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    # None while only a draft of it is out.
    message_id: Mapped[UUID | None] = mapped_column(ForeignKey("messages.id", ondelete="CASCADE"), index=True)
    turn_seq: Mapped[int] = mapped_column(BigInteger)
    ordinal: Mapped[int]
    # drafting (a draft is out, the answer is not ready), pending, sending, sent, unknown, failed
    state: Mapped[str] = mapped_column(String(16))
    # How many parts the messenger's limits make of it, and the part that goes next; 0 parts: not planned yet.
    part_count: Mapped[int] = mapped_column(default=0)
    part_index: Mapped[int] = mapped_column(default=0)
    # The planned parts while they are being sent, so that a new version of the splitter cannot shift them midway.
    parts: Mapped[bytes | None] = mapped_column(Sealed)
    # opening (the draft's first post went out, its key is not known yet), open, none
    draft_state: Mapped[str] = mapped_column(String(16), default="none")
    # The messenger's ids of what is out: the draft first, then each part.
    external_keys: Mapped[bytes | None] = mapped_column(Sealed)
    attempts: Mapped[int] = mapped_column(default=0)
    owner: Mapped[str | None] = mapped_column(String(64))
    error: Mapped[str | None] = mapped_column(String(64))
    due_at: Mapped[datetime]
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]


class Feedback(Base):
    """A thumb up or down under an answer; pressing again changes it."""

    __tablename__ = "feedback"
    __table_args__ = (
        UniqueConstraint("turn_id", "user_id"),
        Index("ix_feedback_expires_at", "expires_at"),
        Index("ix_feedback_listed", "created_at", "id"),
        # In the words of a query for them alone: they are few among those up.
        Index(
            "ix_feedback_down_listed",
            "created_at",
            "id",
            sqlite_where=text("is_positive IS 0"),
            postgresql_where=text("is_positive IS false"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    turn_id: Mapped[UUID] = mapped_column(ForeignKey("turns.id", ondelete="CASCADE"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    is_positive: Mapped[bool]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
