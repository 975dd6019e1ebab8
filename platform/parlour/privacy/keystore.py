"""Data keys: made, wrapped, kept in the key store, unwrapped for a short while in memory."""

import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from time import monotonic
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from parlour.privacy.errors import KeyShredded, KeysMissing
from parlour.privacy.keys import KeyProvider
from parlour.privacy.models import DataKeyRow, Tombstone
from parlour.store.database import Database
from parlour.store.ids import SubjectId, new_id

_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class DataKey:
    """A data key ready for use. Its bytes stay inside the cipher."""

    key_id: UUID
    cipher: AESGCM


class Keyring:
    """The data keys of people and workspaces, by subject. Safe to use from many threads.

    At most `capacity` unwrapped keys stay in memory, each for `life_s` seconds: so long at most does a process go on
    reading what another process has shredded.
    """

    def __init__(
        self,
        store: Database,
        provider: KeyProvider,
        *,
        capacity: int = 4096,
        life_s: float = 60.0,
        elapsed: Callable[[], float] = monotonic,
    ) -> None:
        self._store = store
        self._provider = provider
        self._capacity = capacity
        self._life_s = life_s
        self._elapsed = elapsed
        self._lock = Lock()
        self._cache: OrderedDict[SubjectId, tuple[DataKey, float]] = OrderedDict()

    @property
    def current_kek(self) -> str:
        """The key-encryption key that new data keys are wrapped under."""
        return self._provider.current_kek

    def create(self, subject: SubjectId) -> None:
        """Make sure that the subject has a data key, committed in the key store when this returns.

        Raises `KeyShredded` for a subject whose key was destroyed: it never gets another.
        """
        key = secrets.token_bytes(_KEY_BYTES)
        key_id = new_id()
        kek_id, wrapped = self._provider.wrap(key, bound_to=_binding(subject, key_id))
        try:
            with self._store.begin() as session:
                if _row(session, subject) is not None:
                    return
                now = self._store.clock.now()
                session.add(
                    DataKeyRow(subject_id=subject, key_id=key_id, kek_id=kek_id, wrapped=wrapped, created_at=now)
                )
        except IntegrityError:
            # Another process made it in the meantime.
            return
        self._keep(subject, DataKey(key_id, AESGCM(key)))

    def data_key(self, subject: SubjectId) -> DataKey:
        """The subject's key. Raises `KeysMissing`, `KeyShredded`, and `KeyStoreError` where it does not unwrap."""
        return self._kept(subject) or self._keep(subject, self._fetch(subject))

    def forget(self, subject: SubjectId) -> None:
        """Drop the subject's key from this process's memory."""
        with self._lock:
            self._cache.pop(subject, None)

    def discard(self, subject: SubjectId) -> None:
        """Delete a key that nothing was sealed with for good (its owner's row was never committed)."""
        self.forget(subject)
        with self._store.begin() as session:
            session.execute(delete(DataKeyRow).where(DataKeyRow.subject_id == subject, DataKeyRow.wrapped.is_not(None)))

    def _fetch(self, subject: SubjectId) -> DataKey:
        with self._store.read() as session:
            row = _row(session, subject)
        if row is None:
            problem = f"The key store {self._store.place} has no data key for {subject}."
            raise KeysMissing(f"{problem} Restore its latest backup.")
        if row.wrapped is None:
            raise KeyShredded(f"The data key of {subject} was shredded. What it sealed cannot be read again.")
        key = self._provider.unwrap(row.kek_id, row.wrapped, bound_to=_binding(subject, row.key_id))
        return DataKey(row.key_id, AESGCM(key))

    def _kept(self, subject: SubjectId) -> DataKey | None:
        with self._lock:
            found = self._cache.get(subject)
            if found is None:
                return None
            key, until = found
            if self._elapsed() >= until:
                del self._cache[subject]
                return None
            self._cache.move_to_end(subject)
            return key

    def _keep(self, subject: SubjectId, key: DataKey) -> DataKey:
        with self._lock:
            self._cache[subject] = (key, self._elapsed() + self._life_s)
            self._cache.move_to_end(subject)
            while len(self._cache) > self._capacity:
                self._cache.popitem(last=False)
        return key


def _row(session: Session, subject: SubjectId) -> DataKeyRow | None:
    """The subject's row. A tombstone counts more than a key: a restored key store must not revive anyone."""
    if session.get(Tombstone, subject) is not None:
        raise KeyShredded(f"The data key of {subject} was shredded. What it sealed cannot be read again.")
    return session.get(DataKeyRow, subject)


def _binding(subject: SubjectId, key_id: UUID) -> bytes:
    return subject.bytes + key_id.bytes
