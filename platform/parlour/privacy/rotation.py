"""Replacing key-encryption keys while everything runs: a new one wraps, and what the old ones wrap is wrapped anew."""

import secrets
from collections.abc import Callable, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from parlour.privacy.keys import KeyProvider, Note, note_nothing
from parlour.privacy.models import DataKeyRow, KeyBase, WrappedSecret
from parlour.privacy.wrapping import begin_to_retire, begin_to_wrap
from parlour.store.database import Database

_BATCH: Final = 1_000
_SECRET_BYTES: Final = 32
# A key that was shredded meanwhile stays shredded, and one that another process wrapped anew stays as that left it.
_KEYS: Final = KeyBase.metadata.tables[DataKeyRow.__tablename__]
_WRAP_ANEW: Final = (
    update(_KEYS)
    .where(
        _KEYS.c.subject_id == bindparam("subject"),
        _KEYS.c.kek_id == bindparam("old"),
        _KEYS.c.wrapped.is_not(None),
    )
    .values(kek_id=bindparam("new"), wrapped=bindparam("again"))
)


def rewrap(
    key_store: Database,
    provider: KeyProvider,
    *,
    batch: int = _BATCH,
    step: Callable[[int], object] = lambda _: None,
) -> int:
    """Wrap under the current KEK what an older one wraps, and return how many keys that were.

    Data keys stay what they are, so nothing that they sealed changes and every process goes on reading. In batches, a
    transaction each: broken off, it goes on where it was when it is called again.
    """
    done, after = _rewrap_secrets(key_store, provider), UUID(int=0)
    while True:
        current = provider.current_kek
        with key_store.begin() as session:
            begin_to_wrap(session)
            rows = session.execute(
                select(DataKeyRow.subject_id, DataKeyRow.key_id, DataKeyRow.kek_id, DataKeyRow.wrapped)
                .where(DataKeyRow.kek_id != current, DataKeyRow.wrapped.is_not(None), DataKeyRow.subject_id > after)
                .order_by(DataKeyRow.subject_id)
                .limit(batch)
                .with_for_update(skip_locked=True)
            ).all()
            if rows:
                session.connection().execute(_WRAP_ANEW, [_wrapped_anew(provider, *row) for row in rows])
        done += len(rows)
        step(len(rows))
        if len(rows) < batch:
            return done
        after = rows[-1].subject_id


def waiting(key_store: Database, provider: KeyProvider) -> int:
    """How many keys an older KEK wraps."""
    current = provider.current_kek
    with key_store.read() as session:
        is_older = DataKeyRow.kek_id != current, DataKeyRow.wrapped.is_not(None)
        return session.scalars(select(func.count()).select_from(DataKeyRow).where(*is_older)).one()


def retire(key_store: Database, provider: KeyProvider, *, note: Note = note_nothing) -> Sequence[str]:
    """Destroy the older KEKs that wrap nothing any more, and return their ids, which `note` is told before."""
    with key_store.begin() as session:
        begin_to_retire(session)
        return provider.retire(in_use(session), note=note)


def in_use(session: Session) -> set[str]:
    """The KEKs that wrap something."""
    return {
        *session.scalars(select(DataKeyRow.kek_id).where(DataKeyRow.wrapped.is_not(None)).distinct()),
        *session.scalars(select(WrappedSecret.kek_id)),
    }


def stored_secret(key_store: Database, provider: KeyProvider, name: str) -> bytes:
    """A secret of the installation: kept wrapped in the key store, made at the first start."""
    with key_store.read() as session:
        row = session.get(WrappedSecret, name)
    if row is not None:
        return provider.unwrap(row.kek_id, row.wrapped, bound_to=_binding(name))
    secret = secrets.token_bytes(_SECRET_BYTES)
    try:
        with key_store.begin() as session:
            begin_to_wrap(session)
            kek_id, wrapped = provider.wrap(secret, bound_to=_binding(name))
            now = key_store.clock.now()
            session.add(WrappedSecret(name=name, kek_id=kek_id, wrapped=wrapped, created_at=now))
    except IntegrityError:
        # Another process made it in the meantime.
        return stored_secret(key_store, provider, name)
    return secret


def _rewrap_secrets(key_store: Database, provider: KeyProvider) -> int:
    with key_store.begin() as session:
        begin_to_wrap(session)
        rows = _older_secrets(session, provider.current_kek)
        for row in rows:
            secret = provider.unwrap(row.kek_id, row.wrapped, bound_to=_binding(row.name))
            row.kek_id, row.wrapped = provider.wrap(secret, bound_to=_binding(row.name))
    return len(rows)


def _older_secrets(session: Session, current: str) -> list[WrappedSecret]:
    return list(session.scalars(select(WrappedSecret).where(WrappedSecret.kek_id != current).with_for_update()))


def _wrapped_anew(
    provider: KeyProvider, subject: UUID, key_id: UUID, kek_id: str, wrapped: bytes | None
) -> dict[str, Any]:
    bound = subject.bytes + key_id.bytes
    new, again = provider.wrap(provider.unwrap(kek_id, wrapped or b"", bound_to=bound), bound_to=bound)
    return {"subject": subject, "old": kek_id, "new": new, "again": again}


def _binding(name: str) -> bytes:
    return b"parlour/secret/" + name.encode()
