"""Data keys: made, wrapped, kept in the key store, unwrapped for a short while in memory."""

import secrets
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import timedelta
from threading import Lock
from time import monotonic
from uuid import UUID

import structlog
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from parlour.privacy.errors import KeyShredded, KeysMissing
from parlour.privacy.keys import KeyProvider
from parlour.privacy.models import DataKeyRow, Tombstone
from parlour.privacy.wrapping import begin_to_wrap
from parlour.store.database import Database
from parlour.store.errors import DatabaseLocked
from parlour.store.ids import SubjectId, UserId, new_id

log = structlog.get_logger(__name__)

_KEY_BYTES = 32
# Another process's shredding is noticed so soon: one short query in that time, for all keys together.
_LOOK_EVERY_S = 0.5
# Tombstones of so long ago are looked for: the clocks of two processes, and a transaction's length, may differ by less.
_LOOK_BACK = timedelta(seconds=60)
_CHECKPOINT_TRIES = 50


@dataclass(frozen=True, slots=True)
class DataKey:
    """A data key ready for use. Its bytes stay inside the cipher."""

    key_id: UUID
    cipher: AESGCM


class Keyring:
    """The data keys of people and workspaces, by subject. Safe to use from many threads.

    At most `capacity` unwrapped keys stay in memory, each for `life_s` seconds. What another process has shredded is
    dropped within half a second, before the next use.
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
        self._looked_at = -_LOOK_EVERY_S

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
        try:
            with self._store.begin() as session:
                begin_to_wrap(session)
                if _row(session, subject) is not None:
                    return
                kek_id, wrapped = self._provider.wrap(key, bound_to=_binding(subject, key_id))
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
        self._drop_shredded()
        return self._kept(subject) or self._keep(subject, self._fetch(subject))

    def gather(self, subjects: Collection[SubjectId]) -> None:
        """Fetch many people's keys at once: opening what is theirs then asks the key store no more.

        Who has none is passed over; opening says so. Raises `KeyStoreError` where one does not unwrap.
        """
        self._drop_shredded()
        wanted = [subject for subject in subjects if self._kept(subject) is None]
        if not wanted:
            return
        theirs = select(DataKeyRow).where(
            DataKeyRow.subject_id.in_(wanted), DataKeyRow.subject_id.not_in(select(Tombstone.subject_id))
        )
        with self._store.read() as session:
            rows = session.scalars(theirs).all()
        for row in rows:
            if row.wrapped is not None:
                self._keep(UserId(row.subject_id), self._unwrapped(row, row.wrapped))

    def forget(self, subject: SubjectId) -> None:
        """Drop the subject's key from this process's memory."""
        with self._lock:
            self._cache.pop(subject, None)

    def discard(self, subject: SubjectId) -> None:
        """Delete a key that nothing was sealed with for good (its owner's row was never committed)."""
        self.forget(subject)
        with self._store.begin() as session:
            session.execute(delete(DataKeyRow).where(DataKeyRow.subject_id == subject, DataKeyRow.wrapped.is_not(None)))

    def shred(self, subjects: Collection[SubjectId]) -> list[UUID]:
        """Destroy the subjects' keys for good and return the ids that they had.

        Committed, and on SQLite overwritten in the file and gone from its write-ahead log, when this returns.
        """
        now = self._store.clock.now()
        with self._store.begin() as session:
            key_ids = session.scalars(select(DataKeyRow.key_id).where(DataKeyRow.subject_id.in_(subjects))).all()
            session.execute(
                update(DataKeyRow)
                .where(DataKeyRow.subject_id.in_(subjects), DataKeyRow.wrapped.is_not(None))
                .values(wrapped=None, shredded_at=now)
            )
            known = set(session.scalars(select(Tombstone.subject_id).where(Tombstone.subject_id.in_(subjects))))
            session.add_all(Tombstone(subject_id=subject, at=now) for subject in subjects if subject not in known)
        for subject in subjects:
            self.forget(subject)
        self._empty_log()
        return list(key_ids)

    def _empty_log(self) -> None:
        """SQLite's write-ahead log still holds the pages as they were, with the wrapped key in them."""
        if not self._store.is_sqlite:
            return
        for _ in range(_CHECKPOINT_TRIES):
            try:
                if self._store.checkpoint():
                    return
            except DatabaseLocked:
                continue
        log.warning("key_store_log_not_emptied", store=self._store.place)

    def _drop_shredded(self) -> None:
        """Forget what has a tombstone since the last look. Without the key store nothing is known to be shredded."""
        now = self._elapsed()
        if now - self._looked_at < _LOOK_EVERY_S:
            return
        with self._lock:
            is_empty = not self._cache
            self._looked_at = now
        if is_empty:
            return
        since = self._store.clock.now() - _LOOK_BACK
        with self._store.read() as session:
            gone = session.scalars(select(Tombstone.subject_id).where(Tombstone.at >= since)).all()
        with self._lock:
            for subject in gone:
                self._cache.pop(UserId(subject), None)

    def _fetch(self, subject: SubjectId) -> DataKey:
        with self._store.read() as session:
            row = _row(session, subject)
        if row is None:
            problem = f"The key store {self._store.place} has no data key for {subject}."
            raise KeysMissing(f"{problem} Restore its latest backup.")
        if row.wrapped is None:
            raise KeyShredded(f"The data key of {subject} was shredded. What it sealed cannot be read again.")
        return self._unwrapped(row, row.wrapped)

    def _unwrapped(self, row: DataKeyRow, wrapped: bytes) -> DataKey:
        key = self._provider.unwrap(row.kek_id, wrapped, bound_to=_binding(UserId(row.subject_id), row.key_id))
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
