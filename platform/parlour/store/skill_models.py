"""The tables of skills: what is installed, what it was granted, how it is set, and the documents it keeps."""

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from parlour.store.models import Base
from parlour.store.types import Sealed

# How the job of a skill is called that tells it of erasures: the id of its handler.
TELLING: Final = "erased:"


class SkillRow(Base):
    """A skill in a workspace. One that was removed without its data keeps its row, so that it finds its data again."""

    __tablename__ = "skills"
    __table_args__ = (UniqueConstraint("workspace_id", "name"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(64))
    version: Mapped[str] = mapped_column(String(64))
    # enabled, disabled, removed
    state: Mapped[str] = mapped_column(String(16))
    # As it was shown when it was installed.
    manifest: Mapped[str] = mapped_column(Text)
    # Every file that was installed, by hash.
    lock: Mapped[str] = mapped_column(Text)
    # The folder that holds it, named by its content.
    folder: Mapped[str] = mapped_column(String(160))
    # Where it came from: a path, an address or a package's name, without any password.
    source: Mapped[str | None] = mapped_column(String(500))
    # The version before, as JSON, until this one has answered; then it is taken back no more.
    previous: Mapped[str | None] = mapped_column(Text)
    installed_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class SkillScope(Base):
    """An exception to whether a skill is enabled in its workspace: for one channel, or for one conversation."""

    __tablename__ = "skill_scopes"
    __table_args__ = (UniqueConstraint("skill_id", "channel"), UniqueConstraint("skill_id", "conversation_id"))

    id: Mapped[UUID] = mapped_column(primary_key=True)
    skill_id: Mapped[UUID] = mapped_column(ForeignKey("skills.id", ondelete="CASCADE"))
    # One of the two is set.
    channel: Mapped[str | None] = mapped_column(String(32))
    conversation_id: Mapped[UUID | None] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"), index=True)
    is_enabled: Mapped[bool]


class Job(Base):
    """What a skill does by itself, and when. Its lease keeps it from running twice at once, its fence late writes."""

    __tablename__ = "jobs"
    __table_args__ = (UniqueConstraint("skill_id", "name"), Index("ix_jobs_due_at", "due_at"))

    id: Mapped[UUID] = mapped_column(primary_key=True)
    skill_id: Mapped[UUID] = mapped_column(ForeignKey("skills.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(128))
    schedule: Mapped[str] = mapped_column(String(128))
    due_at: Mapped[datetime]
    # When a worker was last told of it; told again only after a while.
    published_at: Mapped[datetime | None]
    lease_owner: Mapped[str | None] = mapped_column(String(64))
    lease_until: Mapped[datetime | None]
    fence: Mapped[int] = mapped_column(BigInteger, default=0)
    # Tries of the run that is due: more than one only after a worker died in it.
    attempts: Mapped[int] = mapped_column(default=0)
    runs: Mapped[int] = mapped_column(BigInteger, default=0)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    # Of the last run: done, failed, given_up
    outcome: Mapped[str | None] = mapped_column(String(16))
    # What went wrong: a class and a place in the skill's code, never what it worked on.
    error: Mapped[str | None] = mapped_column(String(160))


class SkillErasure(Base):
    """A skill that is still to be told that a person was erased. Refers to nobody: they are gone."""

    __tablename__ = "skill_erasures"
    __table_args__ = (UniqueConstraint("skill_id", "subject_id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    skill_id: Mapped[UUID] = mapped_column(ForeignKey("skills.id", ondelete="CASCADE"))
    # The person's id. The skill is told the name that it knew them by, which is derived from it.
    subject_id: Mapped[UUID]
    created_at: Mapped[datetime]


class SkillGrant(Base):
    """One thing that a skill may do: a capability, for `Http` one host, for `Skills` one skill (in `host`)."""

    __tablename__ = "skill_grants"
    __table_args__ = (UniqueConstraint("skill_id", "capability", "host"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    skill_id: Mapped[UUID] = mapped_column(ForeignKey("skills.id", ondelete="CASCADE"))
    capability: Mapped[str] = mapped_column(String(32))
    # Empty for every capability but Http.
    host: Mapped[str] = mapped_column(String(255))
    granted_at: Mapped[datetime]


class SkillSetting(Base):
    """One value that an operator set, as JSON, sealed under the workspace's key."""

    __tablename__ = "skill_settings"
    __table_args__ = (UniqueConstraint("skill_id", "name"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    skill_id: Mapped[UUID] = mapped_column(ForeignKey("skills.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(64))
    value: Mapped[bytes] = mapped_column(Sealed)
    updated_at: Mapped[datetime]


class SkillDocument(Base):
    """A document of a skill: about a person, sealed under that person's key, or shared, under the workspace's."""

    __tablename__ = "skill_documents"
    __table_args__ = (
        UniqueConstraint("skill_id", "subject_id", "kind", "lookup_hash"),
        Index("ix_skill_documents_expires_at", "expires_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    skill_id: Mapped[UUID] = mapped_column(ForeignKey("skills.id", ondelete="CASCADE"))
    # Whose key seals it: the person's, or the workspace's.
    subject_id: Mapped[UUID]
    # The person it is about; none for a shared one.
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(64))
    # Keyed hash of the id that the skill gave it; the id itself stands in the body.
    lookup_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    body: Mapped[bytes] = mapped_column(Sealed)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
