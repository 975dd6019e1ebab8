"""What goes to PostgreSQL together keeps its order, and fails as a whole."""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import bindparam, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from parlour.store import schema
from parlour.store.database import Database
from parlour.store.errors import DatabaseReadOnly, DatabaseUnavailable
from parlour.store.ids import new_id
from parlour.store.models import Workspace
from parlour.store.prepared import Asked, Change, Query, only
from tests.support.counted import Line, line_to

NOW = datetime(2026, 11, 30, 12, 0, 0, 5, UTC)
ADD = Change(insert(Workspace), columns="id name created_at")
RENAME = Change(update(Workspace).where(Workspace.name == bindparam("old")).values(name=bindparam("new")))
NAMES = Query(select(Workspace.name).order_by(Workspace.name), only)
COUNT = Query(select(func.count()).select_from(Workspace), only)


@pytest.fixture
def line(postgres_url: str) -> Iterator[Line]:
    schema.upgrade(postgres_url)
    with line_to(postgres_url) as line:
        yield line


@pytest.fixture
def database(line: Line) -> Iterator[Database]:
    with closing(Database(line.url)) as database:
        # Connected, and its clock set.
        with database.begin() as session:
            NAMES.all(session)
        yield database


def add(session: Session, name: str) -> None:
    ADD.put_off(session, id=new_id(), name=name, created_at=NOW)


def trips(line: Line, work: Callable[[], Any]) -> int:
    before = line.round_trips
    work()
    return line.round_trips - before


def test_what_nobody_waits_for_is_one_round_trip_with_its_beginning_and_its_end(line: Line, database: Database) -> None:
    def write() -> None:
        with database.begin() as session:
            add(session, "one")
            add(session, "two")
            names = NAMES.ask(session)
        assert names.all() == ["one", "two"]

    assert trips(line, write) == 1


def test_what_somebody_waits_for_is_carried_out_with_what_was_put_off_before(line: Line, database: Database) -> None:
    def write() -> None:
        with database.begin() as session:
            add(session, "one")
            assert NAMES.all(session) == ["one"]
            add(session, "two")

    assert trips(line, write) == 2


def test_a_transaction_in_which_nothing_is_asked_never_begins(line: Line, database: Database) -> None:
    def idle() -> None:
        with database.begin(), database.read():
            pass

    assert trips(line, idle) == 0


def test_the_sessions_own_statements_come_in_their_order(database: Database) -> None:
    with database.begin() as session:
        add(session, "one")
        session.execute(update(Workspace).where(Workspace.name == "one").values(name="two"))
        RENAME.put_off(session, old="two", new="three")
        with session.begin_nested():
            RENAME.put_off(session, old="three", new="four")
        session.add(Workspace(id=new_id(), name="another", created_at=NOW))
        RENAME.put_off(session, old="another", new="five")

    with database.read() as session:
        assert NAMES.all(session) == ["five", "four"]


def test_what_is_put_off_and_refused_is_told_at_the_end_and_takes_all_back(database: Database) -> None:
    def write() -> None:
        with database.begin() as session:
            for name in ("one", "two", "one", "three"):
                add(session, name)

    with pytest.raises(IntegrityError):
        write()

    with database.read() as session:
        assert NAMES.all(session) == []


def test_what_a_rollback_caught_unsent_was_never_asked(database: Database) -> None:
    asked: list[Asked[int]] = []

    def break_off() -> None:
        with database.begin() as session:
            add(session, "one")
            asked.append(COUNT.ask(session))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        break_off()

    with pytest.raises(RuntimeError):
        asked[0].one()
    with database.read() as session:
        assert COUNT.one(session) == 0


def test_reading_refuses_to_write(database: Database) -> None:
    with pytest.raises(DatabaseReadOnly), database.read() as session:
        add(session, "one")


def test_a_server_that_goes_meanwhile_is_told_and_nothing_is_half_written(database: Database) -> None:
    def write() -> None:
        with database.begin() as session:
            add(session, "one")
            NAMES.all(session)
            add(session, "two")
            end_others(database)

    with pytest.raises(DatabaseUnavailable):
        write()

    with database.read() as session:
        assert NAMES.all(session) == []


def end_others(database: Database) -> None:
    """As a server does that is shut down, and in this database alone: other tests share the server."""
    end = """
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE state = 'idle in transaction' AND datname = current_database()
    """
    with database.begin() as session:
        session.execute(text(end))
