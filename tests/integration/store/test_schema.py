"""Migrations of both databases, on SQLite and PostgreSQL: up, down, with data, by several at once."""

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, MetaData, delete, func, inspect, select, text, update

from parlour.privacy.models import KeyBase
from parlour.store import schema
from parlour.store.connect import connect
from parlour.store.errors import RevisionUnknown, SchemaTooNew, SchemaTooOld
from parlour.store.models import Turn
from parlour.store.privacy_models import RetentionChange
from parlour.store.schema import Schema
from parlour.store.tables import CONTENT, is_told
from tests.support.newer_schema import add_expanding_revision
from tests.support.rows import fill

METADATA = {Schema.CONTENT: CONTENT, Schema.KEYS: KeyBase.metadata}
# What is the organisation's stays when a person goes.
OF_NO_PERSON = {
    "api_replies",
    "api_tokens",
    "retention_changes", "erasures", "audit_entries", "audit_heads",
    "workspaces", "accounts", "knowledge_sources", "knowledge_passages", "skills", "skill_grants", "skill_settings",
    "jobs", "skill_erasures", "signin_counts",
}  # fmt: skip
EVERY_SCHEMA = pytest.mark.parametrize("which", list(Schema))


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    engine = connect(url, pool_size=1, busy_timeout_s=60)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def _counts(url: str, metadata: MetaData) -> dict[str, int]:
    with _connected(url) as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in metadata.sorted_tables
        }


@EVERY_SCHEMA
def test_the_migrated_schema_is_that_of_the_models(database_url: str, which: Schema) -> None:
    schema.upgrade(database_url, which)

    with _connected(database_url) as connection:
        options = {
            "version_table": schema.version_table(which),
            "compare_type": True,
            "compare_server_default": True,
            "include_name": lambda name, _kind, _parents: is_told(name or ""),
        }
        context = MigrationContext.configure(connection, opts=options)
        differences = compare_metadata(context, METADATA[which])

    assert differences == []


@EVERY_SCHEMA
def test_every_revision_goes_up_down_and_up_again_with_data_in_the_tables(database_url: str, which: Schema) -> None:
    revisions = [script.revision for script in schema._scripts(which).walk_revisions()]
    schema.upgrade(database_url, which)
    with _connected(database_url) as connection:
        fill(connection, METADATA[which])

    for below in [*revisions[1:], "base"]:
        schema.downgrade(database_url, below, which)
    left = _tables(database_url)
    schema.upgrade(database_url, which)

    assert left == {schema.version_table(which)}
    assert schema.current(database_url, which) == schema.head(which)


@pytest.mark.parametrize("is_dated", [True, False])
def test_an_upgrade_has_turns_dated_that_were_written_without_a_date(database_url: str, *, is_dated: bool) -> None:
    schema.upgrade(database_url)
    with _connected(database_url) as connection:
        fill(connection, METADATA[Schema.CONTENT])
        connection.execute(delete(RetentionChange))
        if not is_dated:
            connection.execute(update(Turn).values(expires_at=None))
    schema.downgrade(database_url, "0019")

    schema.upgrade(database_url)

    with _connected(database_url) as connection:
        noted = connection.execute(select(RetentionChange.data_class, RetentionChange.scope)).all()
    assert set(noted) == (set() if is_dated else {("operational", "workspace")})


def _tables(url: str) -> set[str]:
    with _connected(url) as connection:
        return set(inspect(connection).get_table_names())


@EVERY_SCHEMA
def test_upgrading_what_is_current_changes_nothing(database_url: str, which: Schema) -> None:
    schema.upgrade(database_url, which)
    with _connected(database_url) as connection:
        filled = fill(connection, METADATA[which])

    schema.upgrade(database_url, which)

    assert _counts(database_url, METADATA[which]) == filled


def test_a_table_that_others_refer_to_can_be_changed_with_data_in_it(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite changes a table by copying and dropping it; with foreign keys on, that would delete what refers to it."""
    schema.upgrade(database_url)
    with _connected(database_url) as connection:
        filled = fill(connection, CONTENT)
    before = schema.head()
    _add_revision(tmp_path, monkeypatch)

    schema.upgrade(database_url)
    after_up = _counts(database_url, CONTENT)
    schema.downgrade(database_url, before)
    after_down = _counts(database_url, CONTENT)

    assert after_up == filled
    assert after_down == filled


def _add_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A newer Parlour, whose newest migration changes the table that most others refer to."""
    folder = tmp_path / "migrations"
    shutil.copytree(schema._folder(), folder)
    head = schema.head()
    (folder / "content" / "next.py").write_text(
        "import sqlalchemy as sa\n"
        "from alembic import op\n"
        f"revision, down_revision = 'next', '{head}'\n"
        "def upgrade():\n"
        "    with op.batch_alter_table('users') as users:\n"
        "        users.alter_column('role', type_=sa.String(length=40))\n"
        "        users.add_column(sa.Column('mood', sa.String(8)))\n"
        "def downgrade():\n"
        "    with op.batch_alter_table('users') as users:\n"
        "        users.drop_column('mood')\n"
        "        users.alter_column('role', type_=sa.String(length=16))\n"
    )
    monkeypatch.setattr(schema, "_folder", lambda: folder)


def test_a_migration_that_fails_changes_nothing(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema.upgrade(database_url)
    before = schema.head()
    _add_revision(tmp_path, monkeypatch)
    with (tmp_path / "migrations" / "content" / "next.py").open("a") as script:
        script.write("    raise ZeroDivisionError\nold = upgrade\ndef upgrade():\n    old()\n    downgrade()\n")

    with pytest.raises(ZeroDivisionError):
        schema.upgrade(database_url)

    with _connected(database_url) as connection:
        columns = {column["name"] for column in inspect(connection).get_columns("users")}
    assert "mood" not in columns
    assert schema.current(database_url) == before


@EVERY_SCHEMA
def test_several_processes_may_upgrade_at_once(database_url: str, which: Schema) -> None:
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: schema.upgrade(database_url, which), range(4)))

    assert schema.current(database_url, which) == schema.head(which)


def test_both_databases_may_be_upgraded_side_by_side(database_url: str, keys_url: str) -> None:
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(schema.upgrade, [database_url, keys_url] * 2, [Schema.CONTENT, Schema.KEYS] * 2))

    schema.check(database_url, Schema.CONTENT)
    schema.check(keys_url, Schema.KEYS)


@pytest.mark.parametrize(
    "use",
    [schema.check, schema.upgrade, lambda url: schema.downgrade(url, "base")],
    ids=["check", "upgrade", "downgrade"],
)
def test_a_database_of_a_newer_parlour_is_left_alone(database_url: str, use: Callable[[str], None]) -> None:
    schema.upgrade(database_url)
    with _connected(database_url) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'f00d'"))

    with pytest.raises(SchemaTooNew, match=r"revision f00d.*Upgrade Parlour"):
        use(database_url)

    assert "messages" in _tables(database_url)


@EVERY_SCHEMA
def test_a_database_without_tables_is_too_old(database_url: str, which: Schema) -> None:
    with pytest.raises(SchemaTooOld, match=r"has no tables yet.*parlour db upgrade"):
        schema.check(database_url, which)

    assert schema.current(database_url, which) is None


def test_a_database_that_lags_behind_is_too_old(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema.upgrade(database_url)
    before = schema.head()
    _add_revision(tmp_path, monkeypatch)

    with pytest.raises(SchemaTooOld, match=rf"is at revision {before}.*expects next.*parlour db upgrade"):
        schema.check(database_url)


@pytest.mark.parametrize("is_expanding", [True, False])
def test_who_expects_an_older_schema_goes_on_only_where_the_newer_one_only_adds(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_expanding: bool
) -> None:
    """The database itself says so: the older version knows nothing of the newer one's migrations."""
    schema.upgrade(postgres_url)
    with monkeypatch.context() as newer:
        add_expanding_revision(tmp_path / "newer", is_expanding=is_expanding)
        newer.setattr(schema, "_folder", lambda: tmp_path / "newer")
        schema.upgrade(postgres_url)
        schema.check(postgres_url)

    if is_expanding:
        schema.check(postgres_url)
    else:
        with pytest.raises(SchemaTooNew, match="Upgrade Parlour"):
            schema.check(postgres_url)
    with pytest.raises(SchemaTooNew):
        schema.upgrade(postgres_url)


def test_a_migration_that_takes_something_away_ends_what_older_versions_may(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema.upgrade(postgres_url)
    newer = add_expanding_revision(tmp_path / "newer")
    newest = shutil.copytree(newer, tmp_path / "newest")
    (newest / "content" / "contract.py").write_text(
        "revision, down_revision = 'contract', 'expanded'\ndef upgrade(): pass\ndef downgrade(): pass\n"
    )
    for folder in (newer, newest):
        with monkeypatch.context() as later:
            later.setattr(schema, "_folder", lambda folder=folder: folder)
            schema.upgrade(postgres_url)

    with pytest.raises(SchemaTooNew):
        schema.check(postgres_url)


def test_a_current_database_passes(database_url: str) -> None:
    schema.upgrade(database_url)

    schema.check(database_url)


def test_an_unknown_revision_is_refused_with_those_there_are(database_url: str) -> None:
    with pytest.raises(RevisionUnknown, match=r"'nowhere'.*base, 0001, .*head"):
        schema.upgrade(database_url, revision="nowhere")


def test_asking_for_the_revision_makes_no_file(sqlite_url: str) -> None:
    schema.current(sqlite_url)

    assert not Path(sqlite_url.removeprefix("sqlite:///")).exists()


@EVERY_SCHEMA
def test_there_is_one_head(which: Schema) -> None:
    assert schema._scripts(which).get_heads() == [schema.head(which)]


def test_every_reference_cascades_so_that_a_person_can_be_deleted(database_url: str) -> None:
    schema.upgrade(database_url)
    with _connected(database_url) as connection:
        fill(connection, CONTENT)

    with _connected(database_url) as connection:
        connection.execute(text("DELETE FROM users"))

    left = _counts(database_url, CONTENT)
    assert {name for name, count in left.items() if count} == OF_NO_PERSON
