"""Every sealed column: a flipped bit, a value from another row, person or column is an error that names the row."""

from typing import Any
from uuid import UUID

import pytest

from parlour.privacy.classes import model_of
from parlour.privacy.errors import SealBroken
from parlour.store.ids import UserId, new_id
from parlour.store.tables import CONTENT
from parlour.store.types import Sealed
from tests.support.storage import Storage

SEALED = [
    pytest.param(getattr(model_of(table), column.name), id=f"{table.name}.{column.name}")
    for table in CONTENT.sorted_tables
    for column in table.columns
    if isinstance(column.type, Sealed)
]


@pytest.fixture
def people(storage: Storage) -> tuple[UserId, UserId]:
    ann, bob = UserId(new_id()), UserId(new_id())
    for one in (ann, bob):
        storage.privacy.keyring.create(one)
    return ann, bob


@pytest.mark.parametrize("column", SEALED)
def test_no_changed_or_moved_value_opens(storage: Storage, people: tuple[UserId, UserId], column: Any) -> None:
    (ann, bob), sealer = people, storage.privacy.sealer
    row, other = new_id(), new_id()
    sealed = sealer.seal(ann, column, row, "as it was written")

    for byte in range(len(sealed)):
        changed = bytearray(sealed)
        changed[byte] ^= 1 << (byte % 8)
        _refuses(storage, ann, column, row, bytes(changed))
    _refuses(storage, ann, column, other, sealed)
    _refuses(storage, bob, column, row, sealed)
    _refuses(storage, ann, column, row, sealed[:-1])
    _refuses(storage, ann, column, row, b"")
    for parameter in SEALED:
        (elsewhere,) = parameter.values
        if elsewhere is not column:
            _refuses(storage, ann, elsewhere, row, sealed)
    assert sealer.open_text(ann, column, row, sealed) == "as it was written"


def _refuses(storage: Storage, subject: UserId, column: Any, row: UUID, sealed: bytes) -> None:
    with pytest.raises(SealBroken, match=str(row)):
        storage.privacy.sealer.open(subject, column, row, sealed)
