"""The tables of knowledge: documents, and the passages they are split into.

Documents are the organisation's: they are sealed under the workspace's key, and found by keyed hashes.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from parlour.store.models import Base
from parlour.store.types import Sealed


class KnowledgeSource(Base):
    """A document, and who may read it. Its name is unique in its workspace."""

    __tablename__ = "knowledge_sources"
    __table_args__ = (UniqueConstraint("workspace_id", "lookup_hash"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    # Of the name; and of the folder's name for a document that came with its folder.
    lookup_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    folder_hash: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    name: Mapped[bytes] = mapped_column(Sealed)
    # Where it was read from.
    origin: Mapped[bytes] = mapped_column(Sealed)
    # markdown, text, html, pdf, docx, xlsx, csv, dialogues
    format: Mapped[str] = mapped_column(String(16))
    # guest, member, auditor, admin, owner: the least a person must be to find anything of it.
    least_role: Mapped[str] = mapped_column(String(16))
    # Keyed hash of the file: what has not changed is not read again.
    content_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    byte_count: Mapped[int] = mapped_column(BigInteger)
    passage_count: Mapped[int]
    # The model of the passages' vectors; none: full text only.
    embedder: Mapped[str | None] = mapped_column(String(100))
    # Grows with every change in the workspace, so that a process notices that its index is old.
    revision: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime]
    indexed_at: Mapped[datetime]


class KnowledgePassage(Base):
    """A piece of a document. Passages are never changed: they are replaced with their document."""

    __tablename__ = "knowledge_passages"
    __table_args__ = (UniqueConstraint("number"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    source_id: Mapped[UUID] = mapped_column(ForeignKey("knowledge_sources.id", ondelete="CASCADE"), index=True)
    # What SQLite's full-text index knows it by.
    number: Mapped[int] = mapped_column(BigInteger)
    # Its place in the document's order.
    ordinal: Mapped[int]
    # Text, headings, page and row as JSON.
    body: Mapped[bytes] = mapped_column(Sealed)
    # Of length 1, 16-bit floats.
    vector: Mapped[bytes | None] = mapped_column(Sealed)
    # Keyed hashes of its words. `knowledge_terms` indexes them, on SQLite a virtual table, on PostgreSQL an index: the
    # migrations make it.
    terms: Mapped[str] = mapped_column(Text().with_variant(TSVECTOR(), "postgresql"))
