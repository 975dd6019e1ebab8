"""Data keys: one a subject, in memory for a short while only."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Barrier

import pytest
from sqlalchemy import delete, func, select, update

from parlour.privacy.errors import KeyShredded, KeysMissing, KeyStoreError
from parlour.privacy.keys import FileKeys, MasterKeys
from parlour.privacy.keystore import Keyring
from parlour.privacy.models import DataKeyRow
from parlour.store.database import Database
from parlour.store.ids import UserId, new_id
from parlour.store.schema import Schema
from tests.fakes.clock import FakeClock
from tests.support.migrated import migrate
from tests.support.storage import shred

PROVIDER = FileKeys(MasterKeys.generate())


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Database]:
    migrate(sqlite_url, Schema.KEYS)
    with closing(Database(sqlite_url)) as store:
        yield store


def _subject() -> UserId:
    return UserId(new_id())


def _count(store: Database) -> int:
    with store.read() as session:
        return session.scalars(select(func.count()).select_from(DataKeyRow)).one()


def test_a_key_is_there_for_another_process_once_it_is_made(store: Database) -> None:
    ann = _subject()
    here, there = Keyring(store, PROVIDER), Keyring(store, PROVIDER)

    here.create(ann)

    assert there.data_key(ann).key_id == here.data_key(ann).key_id


def test_making_it_again_changes_nothing(store: Database) -> None:
    ann, keyring = _subject(), Keyring(store, PROVIDER)
    keyring.create(ann)
    first = keyring.data_key(ann).key_id

    Keyring(store, PROVIDER).create(ann)
    keyring.create(ann)

    assert _count(store) == 1
    assert Keyring(store, PROVIDER).data_key(ann).key_id == first


def test_several_that_make_it_at_once_have_the_same_key(store: Database) -> None:
    ann, start = _subject(), Barrier(6)

    def make(_: int) -> bytes:
        keyring = Keyring(store, PROVIDER)
        start.wait(timeout=60)
        keyring.create(ann)
        return keyring.data_key(ann).cipher.encrypt(b"0" * 12, b"same?", None)

    with ThreadPoolExecutor(6) as threads:
        assert len(set(threads.map(make, range(6)))) == 1


def test_a_missing_key_is_said_so(store: Database) -> None:
    with pytest.raises(KeysMissing, match="Restore its latest backup"):
        Keyring(store, PROVIDER).data_key(_subject())


def test_a_shredded_key_is_gone_within_its_life_in_memory(store: Database) -> None:
    ann, world = _subject(), FakeClock()
    keyring = Keyring(store, PROVIDER, life_s=60, elapsed=world.elapsed)
    keyring.create(ann)
    shred(store, ann)

    world.advance(59.9)
    keyring.data_key(ann)
    world.advance(0.1)

    with pytest.raises(KeyShredded):
        keyring.data_key(ann)


def test_a_use_does_not_make_a_key_live_longer(store: Database) -> None:
    ann, world = _subject(), FakeClock()
    keyring = Keyring(store, PROVIDER, life_s=60, elapsed=world.elapsed)
    keyring.create(ann)
    shred(store, ann)
    world.advance(40)
    keyring.data_key(ann)

    world.advance(20)

    with pytest.raises(KeyShredded):
        keyring.data_key(ann)


def test_a_forgotten_key_is_read_again(store: Database) -> None:
    ann, keyring = _subject(), Keyring(store, PROVIDER)
    keyring.create(ann)
    shred(store, ann)

    keyring.forget(ann)

    with pytest.raises(KeyShredded):
        keyring.data_key(ann)


def test_a_shredded_subject_never_gets_another_key(store: Database) -> None:
    ann, keyring = _subject(), Keyring(store, PROVIDER)
    keyring.create(ann)
    shred(store, ann)

    with pytest.raises(KeyShredded):
        keyring.create(ann)


def test_a_tombstone_counts_more_than_a_key_that_a_restore_brought_back(store: Database) -> None:
    ann, keyring = _subject(), Keyring(store, PROVIDER)
    keyring.create(ann)
    with store.read() as session:
        backup = session.get_one(DataKeyRow, ann).wrapped
    shred(store, ann)
    with store.begin() as session:
        session.execute(update(DataKeyRow).values(wrapped=backup, shredded_at=None))

    with pytest.raises(KeyShredded):
        Keyring(store, PROVIDER).data_key(ann)


def test_memory_holds_the_keys_used_last(store: Database) -> None:
    keyring = Keyring(store, PROVIDER, capacity=2)
    ann, bob, eve = _subject(), _subject(), _subject()
    for subject in (ann, bob, eve):
        keyring.create(subject)
    keyring.data_key(bob)
    for subject in (ann, bob, eve):
        shred(store, subject)

    keyring.data_key(bob)
    keyring.data_key(eve)
    with pytest.raises(KeyShredded):
        keyring.data_key(ann)


def test_keys_that_were_gathered_ask_the_key_store_no_more(store: Database) -> None:
    people = [_subject() for _ in range(3)]
    for subject in people:
        Keyring(store, PROVIDER).create(subject)
    keyring = Keyring(store, PROVIDER, elapsed=FakeClock().elapsed)

    keyring.gather(people)

    made = [Keyring(store, PROVIDER).data_key(subject).key_id for subject in people]
    with store.begin() as session:
        session.execute(delete(DataKeyRow))
    assert [keyring.data_key(subject).key_id for subject in people] == made


def test_who_has_no_key_any_more_is_passed_over_by_a_gathering(store: Database) -> None:
    ann, bob, eve, keyring = _subject(), _subject(), _subject(), Keyring(store, PROVIDER)
    for subject in (ann, bob):
        Keyring(store, PROVIDER).create(subject)
    with store.read() as session:
        backup = session.get_one(DataKeyRow, ann).wrapped
    shred(store, ann)
    with store.begin() as session:
        # A restored key store has the key again, and the tombstone.
        session.execute(update(DataKeyRow).where(DataKeyRow.subject_id == ann).values(wrapped=backup, shredded_at=None))

    keyring.gather([ann, bob, eve])

    assert keyring.data_key(bob).key_id == Keyring(store, PROVIDER).data_key(bob).key_id
    with pytest.raises(KeyShredded):
        keyring.data_key(ann)
    with pytest.raises(KeysMissing):
        keyring.data_key(eve)


def test_a_discarded_key_is_gone(store: Database) -> None:
    ann, keyring = _subject(), Keyring(store, PROVIDER)
    keyring.create(ann)

    keyring.discard(ann)

    assert _count(store) == 0
    with pytest.raises(KeysMissing):
        keyring.data_key(ann)


def test_a_wrapped_key_moved_to_another_subject_does_not_open(store: Database) -> None:
    ann, bob, keyring = _subject(), _subject(), Keyring(store, PROVIDER)
    keyring.create(ann)
    keyring.create(bob)
    with store.begin() as session:
        stolen = session.get_one(DataKeyRow, ann)
        target = session.get_one(DataKeyRow, bob)
        target.wrapped, target.kek_id = stolen.wrapped, stolen.kek_id

    with pytest.raises(KeyStoreError, match="does not open"):
        Keyring(store, PROVIDER).data_key(bob)
