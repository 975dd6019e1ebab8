"""Prepared statements do what the session's own would: values, transactions and errors."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import pytest
from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from parlour.store.database import Database
from parlour.store.errors import DatabaseLocked, DatabaseReadOnly
from parlour.store.ids import new_id
from parlour.store.models import Account, Workspace
from parlour.store.prepared import Change, Query, only
from tests.support.migrated import migrate

NOW = datetime(2026, 11, 30, 12, 0, 0, 5, UTC)


class Space(NamedTuple):
    id: UUID
    name: str
    created_at: datetime
    removed_at: datetime | None


ADD = Change(insert(Workspace), columns="id name created_at")
ALL = Query(select(Workspace.id, Workspace.name, Workspace.created_at, Workspace.removed_at), Space)
NAMED = Query(select(Workspace.id).where(Workspace.name == bindparam("name"), Workspace.removed_at.is_(None)), only)
REMOVE = Change(update(Workspace).where(Workspace.id == bindparam("space")).values(removed_at=bindparam("at")))
RENAME = Query(
    update(Workspace)
    .where(Workspace.id == bindparam("space"))
    .values(name=Workspace.name + "!")
    .returning(Workspace.name),
    only,
)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path / 'content.db'}"
    migrate(url)
    database = Database(url, busy_timeout_s=0.2)
    yield database
    database.close()


def test_values_go_in_and_come_out_as_their_columns_types(database: Database) -> None:
    space_id = new_id()

    with database.begin() as session:
        ADD.run(session, id=space_id, name="one", created_at=NOW)
    with database.read() as session:
        found = ALL.all(session)

    assert found == [Space(space_id, "one", NOW, None)]


def test_a_change_tells_how_many_rows_it_changed_and_a_returning_one_what_they_are_now(database: Database) -> None:
    space_id = new_id()
    with database.begin() as session:
        ADD.run(session, id=space_id, name="one", created_at=NOW)

        assert REMOVE.run(session, space=new_id(), at=NOW) == 0
        assert REMOVE.run(session, space=space_id, at=NOW + timedelta(1)) == 1
        assert RENAME.all(session, space=space_id) == ["one!"]
        assert NAMED.first(session, name="one!") is None


def test_a_query_that_always_tells_a_row_says_so_when_it_tells_none(database: Database) -> None:
    with database.read() as session, pytest.raises(LookupError):
        NAMED.one(session, name="nobody")


def test_what_the_transaction_rolls_back_is_gone(database: Database) -> None:
    def break_off() -> None:
        with database.begin() as session:
            ADD.run(session, id=new_id(), name="one", created_at=NOW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        break_off()

    with database.read() as session:
        assert ALL.all(session) == []


def test_what_the_session_has_not_written_yet_goes_before(database: Database) -> None:
    with database.begin() as session:
        session.add(Workspace(id=new_id(), name="one", created_at=NOW))

        assert NAMED.first(session, name="one") is not None


def test_a_constraint_raises_as_it_does_in_a_session_and_quotes_no_value(database: Database) -> None:
    with database.begin() as session:
        ADD.run(session, id=new_id(), name="secret", created_at=NOW)

    with pytest.raises(IntegrityError) as caught, database.begin() as session:
        ADD.run(session, id=new_id(), name="secret", created_at=NOW)

    assert "secret" not in str(caught.value)


def test_the_drivers_errors_are_those_of_the_store(database: Database, tmp_path: Path) -> None:
    with database.read() as session, pytest.raises(DatabaseReadOnly):
        ADD.run(session, id=new_id(), name="one", created_at=NOW)

    other, may_end, has_begun = Database(database.url), threading.Event(), threading.Event()

    def hold() -> None:
        with other.begin():
            has_begun.set()
            may_end.wait(30)

    holding = threading.Thread(target=hold)
    holding.start()
    try:
        assert has_begun.wait(30)
        with pytest.raises(DatabaseLocked, match=r"content\.db"), database.begin():
            pass
    finally:
        may_end.set()
        holding.join()
        other.close()


def test_a_statement_that_needs_more_than_its_parameters_is_refused(database: Database) -> None:
    # `state` has a default of Python's, which only a session would put in; a list's length changes the statement.
    lacks_default = Change(insert(Account), columns="id workspace_id channel lookup_hash name created_at")
    has_list = Change(delete(Workspace).where(Workspace.name.in_(["one", "two"])))

    with database.begin() as session:
        with pytest.raises(TypeError):
            lacks_default.run(session, id=new_id())
        with pytest.raises(TypeError):
            has_list.run(session)
