"""The tables of the key store, a database of its own with its own short backup life."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, LargeBinary, MetaData, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from parlour.store.models import NAMING
from parlour.store.types import UtcDateTime


class KeyBase(DeclarativeBase):
    """All tables of the key store."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {datetime: UtcDateTime, bytes: LargeBinary}  # noqa: RUF012 (SQLAlchemy's own protocol)


class DataKeyRow(KeyBase):
    """The data key of a person or workspace, wrapped by the key-encryption key. Shredding empties `wrapped`."""

    __tablename__ = "data_keys"

    subject_id: Mapped[UUID] = mapped_column(primary_key=True)
    # Stands in every value sealed under it, so that a subject can have another key later.
    key_id: Mapped[UUID] = mapped_column(unique=True)
    kek_id: Mapped[str] = mapped_column(String(64), index=True)
    wrapped: Mapped[bytes | None]
    created_at: Mapped[datetime]
    shredded_at: Mapped[datetime | None]


class Tombstone(KeyBase):
    """A subject whose key was shredded. A key store restored from a backup must not revive it."""

    __tablename__ = "tombstones"

    subject_id: Mapped[UUID] = mapped_column(primary_key=True)
    # Indexed: every process asks for the newest ones twice a second, to drop their keys from its memory.
    at: Mapped[datetime] = mapped_column(index=True)


class WrappedSecret(KeyBase):
    """A secret of the installation, wrapped: where the provider hands out none, look-up hashes are made under it."""

    __tablename__ = "secrets"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    kek_id: Mapped[str] = mapped_column(String(64), index=True)
    wrapped: Mapped[bytes]
    created_at: Mapped[datetime]


class AuditAnchor(KeyBase):
    """How far the audit chain was once, kept apart from it: a chain cut short behind this is noticed."""

    __tablename__ = "audit_anchors"

    name: Mapped[str] = mapped_column(String(16), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    at: Mapped[datetime]
