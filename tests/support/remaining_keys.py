"""Whether any key that remains opens what a backup holds of people: every value is tried with every key."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from uuid import UUID

from cryptography.exceptions import InvalidTag
from sqlalchemy import Table, select

from parlour.privacy.classes import SEALED_BY_MENTION, personal_tables, user_columns
from parlour.privacy.keystore import DataKey
from parlour.privacy.models import DataKeyRow
from parlour.privacy.service import Privacy
from parlour.store.database import Database
from parlour.store.ids import UserId
from parlour.store.types import Sealed

# As `privacy.sealing` writes them: version and key id, nonce, ciphertext with its tag.
_HEAD, _NONCE, _REST = slice(0, 17), slice(17, 29), slice(29, None)


@dataclass(frozen=True, slots=True)
class Value:
    """A sealed value and where it stands."""

    place: str
    row: UUID
    owner: UUID
    sealed: bytes

    def opens_with(self, key: DataKey, subject: UUID) -> bool:
        """Whether it opens as a value of this subject's under this key."""
        bound = self.sealed[_HEAD] + subject.bytes + self.row.bytes + self.place.encode()
        try:
            key.cipher.decrypt(self.sealed[_NONCE], self.sealed[_REST], bound)
        except InvalidTag:
            return False
        return True


def values_of(database: Database, users: Collection[UUID]) -> list[Value]:
    """Every sealed value of theirs in every row about these people."""
    with database.read() as session:
        return [
            Value(f"{table.name}.{column}", row["id"], row[owner], row[column])
            for table in personal_tables()
            for owner in _owners(table)
            for row in session.execute(select(table).where(table.c[owner].in_(users))).mappings()
            for column in _sealed(table)
            if row[column] is not None
        ]


def opened_by_any(privacy: Privacy, values: Collection[Value]) -> list[Value]:
    """The values that some key of the key store opens, whosever it is."""
    with privacy.key_store.read() as session:
        subjects = session.scalars(select(DataKeyRow.subject_id).where(DataKeyRow.wrapped.is_not(None))).all()
    keys = {subject: privacy.keyring.data_key(UserId(subject)) for subject in subjects}
    return [
        value
        for value in values
        if any(value.opens_with(key, bound) for subject, key in keys.items() for bound in {subject, value.owner})
    ]


def _owners(table: Table) -> list[str]:
    return ["id"] if table.name == "users" else [name for name in user_columns(table) if name != "merged_into"]


def _sealed(table: Table) -> Iterator[str]:
    """Its sealed columns, but for those under the key of somebody else who is named in the row."""
    sealed = (column.name for column in table.columns if isinstance(column.type, Sealed))
    return (name for name in sealed if (table.name, name) not in SEALED_BY_MENTION)
