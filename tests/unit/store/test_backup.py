"""A copy of SQLite while others write, and what a copy that broke off leaves behind."""

from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import func, select

from parlour.store import backup, schema, sqlite_copy
from parlour.store.database import Database
from parlour.store.errors import BackupFailed, BackupRefused, SchemaTooNew
from parlour.store.ids import new_id
from parlour.store.models import Workspace
from parlour.store.schema import Schema
from tests.fakes.clock import START
from tests.support.migrated import migrate


def _add(database: Database, count: int) -> None:
    with database.begin() as session:
        session.add_all(Workspace(id=new_id(), name=str(new_id()), created_at=START) for _ in range(count))


def _count(url: str) -> int:
    with closing(Database(url)) as database, database.read() as session:
        return session.scalars(select(func.count()).select_from(Workspace)).one()


def test_a_copy_is_of_one_moment_though_others_write_meanwhile(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_copy, "_PAGES", 8)
    migrate(sqlite_url)
    with closing(Database(sqlite_url)) as database:
        _add(database, 100)
        writes: list[int] = []

        def write_meanwhile(count: int) -> None:
            writes.append(count)
            _add(database, 10)

        made = backup.create(sqlite_url, Schema.CONTENT, tmp_path / "saved", now=START, step=write_meanwhile)

    assert len(writes) > 3
    assert backup.verify(made) == []
    backup.restore(made, f"sqlite:///{tmp_path / 'new' / 'content.sqlite'}")
    assert _count(f"sqlite:///{tmp_path / 'new' / 'content.sqlite'}") == 100
    assert _count(sqlite_url) == 100 + 10 * len(writes)


def test_a_backup_that_broke_off_leaves_nothing_that_looks_like_one(sqlite_url: str, tmp_path: Path) -> None:
    migrate(sqlite_url)

    def migrate_meanwhile(_: int) -> None:
        schema.downgrade(sqlite_url, "base")

    with pytest.raises(BackupFailed, match="migrated meanwhile"):
        backup.create(sqlite_url, Schema.CONTENT, tmp_path / "saved", now=START, step=migrate_meanwhile)

    assert list((tmp_path / "saved").iterdir()) == []


def test_damage_that_was_there_before_the_backup_is_told(sqlite_url: str, tmp_path: Path) -> None:
    """The manifest fits what was copied; what was copied is no whole database."""
    migrate(sqlite_url)
    made = backup.create(sqlite_url, Schema.CONTENT, tmp_path / "saved", now=START)
    content = made.path.read_bytes()
    made.path.write_bytes(content[:4096] + b"\xff" * 4096 + content[8192:])
    size, digest = backup.digest_of(made.path)
    damaged = backup.Backup(made.folder, made.manifest.model_copy(update={"bytes": size, "sha256": digest}))

    problems = backup.verify(damaged)

    assert problems
    assert all("content.sqlite" in problem for problem in problems)


def test_a_newer_parlours_backup_is_refused(sqlite_url: str, tmp_path: Path) -> None:
    migrate(sqlite_url)
    made = backup.create(sqlite_url, Schema.CONTENT, tmp_path / "saved", now=START)
    newer = backup.Backup(made.folder, made.manifest.model_copy(update={"revision": "9999"}))

    with pytest.raises(SchemaTooNew, match="upgrade Parlour first"):
        backup.refuse_restore(newer, f"sqlite:///{tmp_path / 'new.sqlite'}")


def test_a_database_without_tables_has_no_backup(sqlite_url: str, tmp_path: Path) -> None:
    with pytest.raises(BackupRefused, match="nothing to back up"):
        backup.create(sqlite_url, Schema.CONTENT, tmp_path / "saved", now=START)
