"""Transactions on both databases."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from parlour.store import schema
from parlour.store.database import Database
from parlour.store.errors import DatabaseLocked, DatabaseReadOnly, DatabaseUnavailable
from parlour.store.ids import new_id
from parlour.store.models import Workspace
from tests.services import PostgresServer, wait_until


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    schema.upgrade(database_url)
    with closing(Database(database_url)) as database:
        yield database


def _workspace(name: str) -> Workspace:
    return Workspace(id=new_id(), name=name, created_at=datetime(2026, 11, 23, tzinfo=UTC))


def _names(database: Database) -> list[str]:
    with database.read() as session:
        return list(session.scalars(select(Workspace.name)))


def test_what_a_block_wrote_is_there_after_it_and_its_rows_stay_readable(database: Database) -> None:
    row = _workspace("kept")

    with database.begin() as session:
        session.add(row)

    assert _names(database) == ["kept"]
    assert row.name == "kept"


def test_a_block_that_fails_writes_nothing(database: Database) -> None:
    def write_and_fail() -> None:
        with database.begin() as session:
            session.add(_workspace("lost"))
            session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_fail()

    assert _names(database) == []


def test_a_transaction_to_read_in_refuses_writes(database: Database) -> None:
    with database.read() as session:
        session.add(_workspace("sneaked in"))
        with pytest.raises(DatabaseReadOnly):
            session.flush()

    assert _names(database) == []


def test_reading_leaves_no_trace_on_the_next_writer(database: Database) -> None:
    with database.read():
        pass

    with database.begin() as session:
        session.add(_workspace("written"))

    assert _names(database) == ["written"]


def test_a_constraint_is_told_as_such_and_without_the_values(database: Database) -> None:
    with database.begin() as session:
        session.add(_workspace("the-only-one"))

    with pytest.raises(IntegrityError) as caught, database.begin() as session:
        session.add(_workspace("the-only-one"))

    assert "VALUES" in str(caught.value)
    assert "2026" not in str(caught.value)


def test_times_come_back_aware_and_in_utc(database: Database) -> None:
    row = _workspace("timed")
    row.created_at = datetime(2026, 1, 1, 8, tzinfo=UTC) + timedelta(microseconds=123)
    with database.begin() as session:
        session.add(row)

    with database.read() as session:
        found = session.scalars(select(Workspace.created_at)).one()

    assert found == row.created_at
    assert found.tzinfo is UTC


def test_a_time_without_a_zone_is_refused(database: Database) -> None:
    row = _workspace("timeless")
    row.created_at = datetime(2026, 1, 1)  # noqa: DTZ001 (that is the point)

    with pytest.raises(Exception, match="has no time zone"), database.begin() as session:
        session.add(row)


def test_the_clock_tells_the_databases_time(database: Database) -> None:
    told = database.clock.now()

    assert told.tzinfo is UTC
    assert abs(told - datetime.now(UTC)) < timedelta(minutes=5)


def test_the_clock_can_be_read_inside_a_transaction_that_holds_the_last_connection(database_url: str) -> None:
    schema.upgrade(database_url)
    with closing(Database(database_url, pool_size=1)) as database:
        with database.begin(), database.read():
            first = database.clock.now()

        assert database.clock.now() >= first


# ---- PostgreSQL alone -------------------------------------------------------------------------------------------


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[Database]:
    schema.upgrade(postgres_url)
    with closing(Database(postgres_url)) as database:
        yield database


def test_a_server_that_is_gone_is_told_and_found_again(postgres_server: PostgresServer) -> None:
    schema.upgrade(postgres_server.url)
    with closing(Database(postgres_server.url)) as database:
        database.ping()
        postgres_server.stop()

        with pytest.raises(DatabaseUnavailable):
            database.ping()

        postgres_server.start()
        wait_until(lambda: _answers(database), what="the database after its restart")
        assert _names(database) == []


def test_a_server_that_was_restarted_meanwhile_is_noticed_before_a_statement(postgres_server: PostgresServer) -> None:
    schema.upgrade(postgres_server.url)
    with closing(Database(postgres_server.url)) as database, closing(Database(postgres_server.url)) as another:
        with database.read(), database.begin():
            assert _names(database) == []
        postgres_server.stop()
        postgres_server.start()
        wait_until(lambda: _answers(another), what="the server after its restart")

        # All three connections of before, side by side again.
        with database.begin() as session:
            session.add(_workspace("after"))
            with database.read():
                assert _names(database) == []

        assert _names(database) == ["after"]


def test_what_was_prepared_outlives_a_transaction_to_read_in(postgres: Database) -> None:
    for _ in range(10):
        assert _names(postgres) == []

    with postgres.read() as session:
        prepared = session.scalars(text("SELECT statement FROM pg_prepared_statements")).all()

    assert any("workspaces" in statement for statement in prepared)


def _answers(database: Database) -> bool:
    try:
        database.ping()
    except DatabaseUnavailable:
        return False
    return True


def test_a_server_that_takes_no_writes_is_told(postgres: Database, postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{connection.info.dbname}" SET default_transaction_read_only = on')
    postgres.close()

    with pytest.raises(DatabaseReadOnly, match="connect to the primary"), postgres.begin() as session:
        session.add(_workspace("refused"))


def test_a_lock_that_is_held_too_long_is_told(postgres: Database) -> None:
    with postgres.begin() as session:
        session.add(_workspace("fought over"))

    wanted = select(Workspace).with_for_update()
    with postgres.begin() as holder, postgres.begin() as waiter:
        holder.scalars(wanted).one()
        waiter.execute(text("SET LOCAL lock_timeout = '20ms'"))
        with pytest.raises(DatabaseLocked, match="Try again"):
            waiter.execute(wanted)
        waiter.rollback()


def test_no_error_and_no_place_tells_the_password() -> None:
    url = "postgresql://someone:open-sesame@127.0.0.1:1/parlour"

    with closing(Database(url)) as database, pytest.raises(DatabaseUnavailable) as caught:
        database.ping()

    assert "127.0.0.1:1/parlour" in str(caught.value)
    assert "open-sesame" not in str(caught.value) + database.place
