"""The bots of a workspace."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DatabaseError

from parlour.people.errors import WorkspaceRemoved
from parlour.privacy.status import keys_status
from parlour.store.ids import AccountId, new_id
from parlour.store.models import Account, Workspace
from tests.fakes.clock import START
from tests.support.leaks import find_bytes
from tests.support.storage import Storage


def _count(storage: Storage, table: type[Account | Workspace]) -> int:
    with storage.database.read() as session:
        return session.scalars(select(func.count()).select_from(table)).one()


def test_a_bot_is_registered_once(storage: Storage) -> None:
    accounts = storage.accounts()

    first = accounts.register("telegram", "4711", "Parlour bot")
    again = accounts.register("telegram", "4711", "Parlour bot, renamed")

    assert first == again
    assert accounts.list("telegram") == [(first, "Parlour bot, renamed")]


def test_the_same_id_in_another_messenger_is_another_bot(storage: Storage) -> None:
    accounts = storage.accounts()

    assert accounts.register("telegram", "4711", "a") != accounts.register("slack", "4711", "b")
    assert [name for _, name in accounts.list("slack")] == ["b"]


def test_credentials_come_back_and_stand_nowhere_in_plaintext(storage: Storage) -> None:
    accounts = storage.accounts()
    account_id = accounts.register("slack", "T0123456789", "Parlour", credentials="xoxb-open-sesame")

    assert accounts.credentials(account_id) == "xoxb-open-sesame"
    assert not find_bytes(
        ["xoxb-open-sesame", "T0123456789"], storage.database.url, storage.keys_url, storage.key_file.parent
    )


def test_registering_without_credentials_leaves_those_stored(storage: Storage) -> None:
    accounts = storage.accounts()
    account_id = accounts.register("slack", "T1", "Parlour", credentials="old token")

    accounts.register("slack", "T1", "Parlour")
    kept = accounts.credentials(account_id)
    accounts.register("slack", "T1", "Parlour", credentials="new token")

    assert kept == "old token"
    assert accounts.credentials(account_id) == "new token"


def test_an_account_without_credentials_has_none(storage: Storage) -> None:
    accounts = storage.accounts()

    assert accounts.credentials(accounts.register("web", "web", "Web")) is None
    assert accounts.credentials(AccountId(new_id())) is None


def test_the_cursor_is_remembered(storage: Storage) -> None:
    accounts = storage.accounts()
    account_id = accounts.register("telegram", "4711", "bot")

    before = accounts.cursor(account_id)
    accounts.move_cursor(account_id, 2**40)

    assert before is None
    assert storage.accounts().cursor(account_id) == 2**40


def test_a_rejected_account_is_not_listed_until_it_registers_again(storage: Storage) -> None:
    accounts = storage.accounts()
    account_id = accounts.register("telegram", "4711", "bot")

    accounts.reject(account_id)
    while_rejected = accounts.list("telegram")
    accounts.register("telegram", "4711", "bot")

    assert while_rejected == []
    assert accounts.list("telegram") == [(account_id, "bot")]


def test_several_processes_register_one_bot_and_make_one_workspace(storage: Storage) -> None:
    start = Barrier(4)

    def register(_: int) -> AccountId:
        accounts = storage.accounts()
        start.wait(timeout=60)
        return accounts.register("telegram", "4711", "bot")

    with ThreadPoolExecutor(4) as threads:
        found = set(threads.map(register, range(4)))

    assert len(found) == 1
    assert (_count(storage, Account), _count(storage, Workspace)) == (1, 1)
    assert keys_status(storage.privacy).data_keys == 1


def test_no_workspace_is_made_while_its_key_cannot_be(storage: Storage) -> None:
    with storage.privacy.key_store.begin() as session:
        session.execute(text("DROP TABLE tombstones"))

    with pytest.raises(DatabaseError):
        storage.workspace()

    assert _count(storage, Workspace) == 0


def test_nothing_is_registered_in_a_removed_workspace(storage: Storage) -> None:
    account_id = storage.accounts().register("telegram", "4711", "bot")
    with storage.database.begin() as session:
        session.get_one(Workspace, storage.workspace()).removed_at = START

    with pytest.raises(WorkspaceRemoved, match="'default' was removed"):
        storage.accounts().register("telegram", "4712", "bot")

    assert account_id not in dict(storage.accounts().list("telegram"))


def test_a_name_of_any_length_is_taken(storage: Storage) -> None:
    accounts = storage.accounts()

    accounts.register("telegram", "1", "很长的名字" * 100)

    assert accounts.list("telegram")[0][1] == "很长的名字" * 40
