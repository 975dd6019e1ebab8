"""The state of the keys, in numbers."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select

from parlour.privacy.models import DataKeyRow, Tombstone
from parlour.privacy.service import Privacy


@dataclass(frozen=True, slots=True)
class KeysStatus:
    """How many data keys there are, under which key-encryption keys, and how many were shredded."""

    data_keys: int
    by_kek: Mapping[str, int]
    current_kek: str
    shredded: int
    tombstones: int


def keys_status(privacy: Privacy) -> KeysStatus:
    """The key store's state; opening `privacy` has proved that its keys unwrap."""
    living = DataKeyRow.wrapped.is_not(None)
    with privacy.key_store.read() as session:
        counted = session.execute(select(DataKeyRow.kek_id, func.count()).where(living).group_by(DataKeyRow.kek_id))
        by_kek = dict(counted.all())
        shredded = session.scalar(select(func.count()).select_from(DataKeyRow).where(~living)) or 0
        tombstones = session.scalar(select(func.count()).select_from(Tombstone)) or 0
    return KeysStatus(sum(by_kek.values()), by_kek, privacy.keyring.current_kek, shredded, tombstones)
