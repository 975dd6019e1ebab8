"""What SQLite does differently: one writer, files that can be damaged, read-only or full."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from parlour.store.connect import make_file
from parlour.store.database import Database
from parlour.store.errors import DatabaseDamaged, DatabaseFull, DatabaseLocked, DatabaseReadOnly, DatabaseUnavailable
from parlour.store.ids import new_id
from parlour.store.models import Workspace
from tests.support.migrated import migrate


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    migrate(sqlite_url)
    with closing(Database(sqlite_url)) as database:
        yield database


def _workspace(database: Database, name: str) -> Workspace:
    return Workspace(id=new_id(), name=name, created_at=database.clock.now())


def _add(database: Database, name: str) -> None:
    with database.begin() as session:
        session.add(_workspace(database, name))


@pytest.mark.parametrize(("pragma", "expected"), [("journal_mode", "wal"), ("foreign_keys", 1), ("synchronous", 1)])
def test_every_connection_is_set_up(database: Database, pragma: str, expected: object) -> None:
    with database.read() as session:
        value = session.execute(text(f"PRAGMA {pragma}")).scalar()

    assert value == expected


def test_a_write_waits_for_the_disk_unless_it_need_not(database: Database) -> None:
    """FULL is 2, NORMAL is 1."""
    with database.begin() as session:
        durable = session.execute(text("PRAGMA synchronous")).scalar()
    with database.begin(is_durable=False) as session:
        swift = session.execute(text("PRAGMA synchronous")).scalar()

    assert (durable, swift) == (2, 1)


def test_a_transaction_to_write_in_takes_the_lock_at_its_start(database: Database) -> None:
    """Otherwise two that read first and write later could never both commit."""
    with (
        closing(Database(database.url, busy_timeout_s=0.05)) as other,
        database.begin(),
        pytest.raises(DatabaseLocked, match="locked"),
        other.begin(),
    ):
        pass


def test_a_reader_does_not_wait_for_a_writer(database: Database) -> None:
    with (
        closing(Database(database.url, busy_timeout_s=0.05)) as other,
        database.begin() as writing,
        other.read() as reading,
    ):
        writing.execute(text("DELETE FROM workspaces"))

        assert reading.execute(text("SELECT count(*) FROM workspaces")).scalar() == 0


def test_begin_inside_begin_is_refused_and_not_waited_for(database: Database) -> None:
    with database.begin(), pytest.raises(RuntimeError, match="inside begin"), database.begin():
        pass


def test_many_threads_write_one_after_another(database: Database) -> None:
    with database.begin() as session:
        session.add(_workspace(database, "0"))

    def count_up(_: int) -> None:
        with database.begin() as session:
            name = session.execute(text("SELECT name FROM workspaces")).scalar_one()
            session.execute(text("UPDATE workspaces SET name = :name"), {"name": str(int(name) + 1)})

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(count_up, range(80)))

    with database.read() as session:
        assert session.execute(text("SELECT name FROM workspaces")).scalar() == "80"


def test_a_writer_that_failed_lets_the_next_one_in(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.begin():
        _ = 1 / 0

    with database.begin() as session:
        session.add(_workspace(database, "next"))


def test_a_read_only_file_says_so_and_can_still_be_read(database: Database) -> None:
    with closing(Database(f"sqlite:///file:{_path(database)}?mode=ro&uri=true")) as read_only:
        read_only.ping()

        with pytest.raises(DatabaseReadOnly, match=r"read-only\. Make the file and its folder writable"):
            _add(read_only, "one")


def test_a_full_database_says_so_and_goes_on_when_there_is_room(sqlite_url: str) -> None:
    migrate(sqlite_url)
    with closing(Database(sqlite_url, pool_size=1)) as database:
        with database.begin() as session:
            pages = session.execute(text("PRAGMA page_count")).scalar_one()
            session.execute(text(f"PRAGMA max_page_count = {pages}"))

        with pytest.raises(DatabaseFull, match=r"is full\. Make room"), database.begin() as session:
            session.add_all([_workspace(database, f"{number}" * 50) for number in range(500)])

        with database.begin() as session:
            session.execute(text("PRAGMA max_page_count = 1000000"))
            session.add(_workspace(database, "fits now"))
        with database.read() as session:
            assert session.execute(text("SELECT name FROM workspaces")).scalars().all() == ["fits now"]


def test_a_file_that_is_no_database_is_called_damaged(tmp_path: Path) -> None:
    file = tmp_path / "letter.txt"
    file.write_text("Dear Sir or Madam, " * 500)

    with closing(Database(f"sqlite:///{file}")) as database, pytest.raises(DatabaseDamaged, match="no SQLite"):
        database.ping()


def test_damaged_pages_are_called_damaged(database: Database) -> None:
    with database.begin() as session:
        session.add_all([_workspace(database, f"{number}" * 50) for number in range(100)])
    database.close()
    path = _path(database)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)

    with pytest.raises(DatabaseDamaged, match="is damaged"), database.read() as session:
        session.execute(text("SELECT * FROM workspaces")).all()


def test_a_missing_folder_is_said_so(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'none' / 'x.sqlite'}")

    with pytest.raises(DatabaseUnavailable, match="Check that its folder exists"):
        database.ping()


def test_a_new_file_and_its_folder_are_for_their_owner_alone(tmp_path: Path) -> None:
    make_file(f"sqlite:///{tmp_path / 'data' / 'x.sqlite'}")

    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "data" / "x.sqlite").stat().st_mode & 0o777 == 0o600


def test_a_folder_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(DatabaseUnavailable, match="cannot be made"):
        make_file(f"sqlite:///{tmp_path / 'file' / 'x.sqlite'}")


def _path(database: Database) -> Path:
    return Path(database.url.removeprefix("sqlite:///"))


def test_a_clock_that_was_set_back_leaves_nothing_waiting(sqlite_url: str) -> None:
    """Leases and due dates are written by the time of before: who starts now goes on from there, and follows slowly."""
    migrate(sqlite_url)
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    with closing(Database(sqlite_url, wall_clock=lambda: noon)) as database, database.begin():
        pass

    with closing(Database(sqlite_url, wall_clock=lambda: noon - timedelta(minutes=10))) as database:
        with database.begin():
            pass
        told = database.clock.now()

    assert told >= noon


@pytest.mark.parametrize("by", [timedelta(minutes=10), -timedelta(days=2)])
def test_a_clock_set_forward_or_far_back_is_followed_at_once(sqlite_url: str, by: timedelta) -> None:
    """Forward it goes when a machine slept; far back, when it was wrong before."""
    migrate(sqlite_url)
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    with closing(Database(sqlite_url, wall_clock=lambda: noon)) as database, database.begin():
        pass

    with closing(Database(sqlite_url, wall_clock=lambda: noon + by)) as database, database.read():
        told = database.clock.now()

    assert abs(told - (noon + by)) < timedelta(minutes=1)
