"""At start: key file, key store and content belong together, or nothing starts and nothing is made."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from parlour.privacy.errors import KeyFileError, KeyStoreError
from parlour.privacy.keys import create_key_file
from parlour.privacy.models import DataKeyRow, Tombstone
from parlour.privacy.service import Privacy, open_privacy
from parlour.privacy.status import keys_status
from parlour.store import schema
from parlour.store.database import Database
from parlour.store.ids import WorkspaceId, new_id
from parlour.store.models import Account, Workspace
from parlour.store.schema import Schema
from tests.fakes.clock import START
from tests.support.storage import Storage, open_storage, shred


def _open_again(storage: Storage, *, key_file: Path | None = None, keys_url: str | None = None) -> Privacy:
    return open_privacy(
        content=storage.database, keys_url=keys_url or storage.keys_url, key_file=key_file or storage.key_file
    )


def test_the_first_start_makes_a_key_file_and_the_next_one_reads_it(storage: Storage) -> None:
    row, before = new_id(), storage.privacy
    workspace_id = storage.workspace()
    sealed = before.sealer.seal(workspace_id, Account.credentials, row, "token")

    with closing(_open_again(storage)) as after:
        assert after.sealer.open_text(workspace_id, Account.credentials, row, sealed) == "token"
        assert after.lookup.hash("a") == before.lookup.hash("a")


def test_a_missing_key_file_over_content_is_refused_and_no_new_one_made(storage: Storage) -> None:
    storage.workspace()
    storage.key_file.unlink()

    with pytest.raises(KeyFileError, match=r"No key file .* hold what it sealed\. Put it back"):
        _open_again(storage)

    assert not storage.key_file.exists()


def test_a_missing_key_file_over_content_alone_is_refused(storage: Storage) -> None:
    """The key store was lost or emptied as well: still no reason to make a new key."""
    with storage.database.begin() as session:
        session.add(Workspace(id=new_id(), name="w", created_at=START))
    storage.key_file.unlink()

    with pytest.raises(KeyFileError, match="No key file"):
        _open_again(storage)

    assert not storage.key_file.exists()


@pytest.mark.parametrize("left", [DataKeyRow, Tombstone])
def test_a_missing_key_file_over_a_key_store_alone_is_refused(storage: Storage, left: type) -> None:
    """The content was emptied: its backups may still need these keys."""
    subject = WorkspaceId(new_id())
    storage.privacy.keyring.create(subject)
    if left is Tombstone:
        storage.shred(subject)
        with storage.privacy.key_store.begin() as session:
            session.execute(delete(DataKeyRow))
    storage.key_file.unlink()

    with pytest.raises(KeyFileError, match="No key file"):
        _open_again(storage)

    assert not storage.key_file.exists()


def test_a_missing_key_file_over_nothing_is_made_again(storage: Storage) -> None:
    storage.key_file.unlink()

    _open_again(storage).close()

    assert storage.key_file.exists()


def test_a_command_that_only_looks_makes_no_key_file(storage: Storage) -> None:
    storage.key_file.unlink()

    with pytest.raises(KeyFileError, match=r"No key file .* yet"):
        open_privacy(content=storage.database, keys_url=storage.keys_url, key_file=storage.key_file, may_create=False)

    assert not storage.key_file.exists()


def test_another_installations_key_file_is_refused(storage: Storage, tmp_path: Path) -> None:
    storage.workspace()
    create_key_file(tmp_path / "other.key")

    with pytest.raises(KeyFileError, match=r"other\.key is not the one that the key store"):
        _open_again(storage, key_file=tmp_path / "other.key")


def test_a_short_key_file_is_refused_and_left_alone(storage: Storage) -> None:
    storage.workspace()
    short = storage.key_file.read_bytes()[:100]
    storage.key_file.write_bytes(short)

    with pytest.raises(KeyFileError, match="cut short"):
        _open_again(storage)

    assert storage.key_file.read_bytes() == short


def test_an_empty_key_store_beside_content_is_refused(storage: Storage, tmp_path: Path) -> None:
    storage.workspace()
    empty = f"sqlite:///{tmp_path / 'empty.sqlite'}"
    schema.upgrade(empty, Schema.KEYS)

    with pytest.raises(KeyStoreError, match="does not hold the keys of the database"):
        _open_again(storage, keys_url=empty)


def test_a_tampered_wrapped_key_is_refused(storage: Storage) -> None:
    storage.workspace()
    with storage.privacy.key_store.begin() as session:
        session.execute(update(DataKeyRow).values(wrapped=b"\0" * 60))

    with pytest.raises(KeyStoreError, match="does not open"):
        _open_again(storage)


def test_a_shredded_key_is_no_reason_not_to_start(storage: Storage) -> None:
    storage.workspace()
    person = WorkspaceId(new_id())
    storage.privacy.keyring.create(person)
    storage.shred(person)

    _open_again(storage).close()


def test_the_key_store_must_be_a_database_of_its_own(storage: Storage) -> None:
    with pytest.raises(KeyStoreError, match=r"keys\.url names the content database"):
        _open_again(storage, keys_url=storage.database.url)


def test_the_keys_are_counted_and_nothing_of_them_told(storage: Storage) -> None:
    storage.workspace()
    person = WorkspaceId(new_id())
    storage.privacy.keyring.create(person)
    shred(storage.privacy.key_store, person)

    status = keys_status(storage.privacy)

    assert (status.data_keys, status.shredded, status.tombstones) == (1, 1, 1)
    assert status.by_kek == {status.current_kek: 1}


# ---- two processes at once --------------------------------------------------------------------------------------

START_ONE = """
import sys
from contextlib import closing
from pathlib import Path
from parlour.store import schema
from parlour.store.schema import Schema
from tests.support.storage import open_storage
schema.upgrade(sys.argv[1])
schema.upgrade(sys.argv[2], Schema.KEYS)
with open_storage(sys.argv[1], sys.argv[2], Path(sys.argv[3])) as storage:
    print(storage.privacy.keyring.current_kek, storage.workspace())
"""


def test_two_processes_that_start_at_once_on_an_empty_place_share_one_key_and_one_workspace(
    database_url: str, keys_url: str, tmp_path: Path
) -> None:
    arguments = [sys.executable, "-c", START_ONE, database_url, keys_url, str(tmp_path / "keys" / "master.key")]

    with _running(arguments) as one, _running(arguments) as other:
        said = [process.communicate(timeout=120) for process in (one, other)]

    assert [error for _, error in said] == ["", ""]
    assert said[0] == said[1]
    with open_storage(database_url, keys_url, tmp_path / "keys" / "master.key") as storage:
        assert keys_status(storage.privacy).data_keys == 1


@contextmanager
def _running(arguments: list[str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_database_that_was_closed_can_be_opened_again(storage: Storage) -> None:
    with closing(Database(storage.database.url)) as other:
        other.close()
        other.ping()
