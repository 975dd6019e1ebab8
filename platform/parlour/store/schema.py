"""Bringing a database's tables to what this version expects, and telling when they are not."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from functools import cache
from importlib.resources import files
from pathlib import Path
from threading import Lock
from typing import Any

import structlog
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, inspect, make_url, text

from parlour.store.connect import Use, connect, make_file, place_of
from parlour.store.errors import RevisionUnknown, SchemaTooNew, SchemaTooOld

log = structlog.get_logger(__name__)

# A migration that copies a large table takes its time; others wait for it.
_WAIT_S = 600.0
# Any number, the same in every process: one migration at a time on one PostgreSQL database.
_ADVISORY_LOCK = 7_246_851_090_773
# alembic keeps what it works on in module globals: one migration at a time in a process, whatever the database.
_ALEMBIC = Lock()
_MAY_GO_ON = "works with processes of: "


class Schema(StrEnum):
    """Which of the two databases: what is stored, or the keys to it."""

    CONTENT = "content"
    KEYS = "keys"


def version_table(schema: Schema) -> str:
    """Where a database keeps its revision; of another name in each, so that one taken for the other is noticed."""
    return "alembic_version" if schema is Schema.CONTENT else "alembic_version_keys"


def upgrade(url: str, schema: Schema = Schema.CONTENT, revision: str = "head") -> None:
    """Bring the database up to `revision`, in one transaction; makes an SQLite file that is not there.

    Several processes may do so at once: one migrates, the others wait and find it done. Raises `SchemaTooNew` and
    `RevisionUnknown`.

    Where each migration on the way only adds (`is_expanding`), the database remembers that processes of the revisions
    before may go on, and start again, beside those of the new one: a rolling upgrade. On PostgreSQL; an SQLite file is
    one process's.
    """
    make_file(url)
    with locked_for_migration(url) as connection:
        before = _revision(connection, schema)
        _refuse_newer(before, schema, place_of(url))
        _run(command.upgrade, connection, schema, revision)
        after = _revision(connection, schema)
        if after != before:
            _remember_who_may_go_on(connection, schema, before, after)


def downgrade(url: str, revision: str, schema: Schema = Schema.CONTENT) -> None:
    """Bring the database down to `revision` (`base`: to nothing), in one transaction.

    Raises `SchemaTooNew` and `RevisionUnknown`.
    """
    with locked_for_migration(url) as connection:
        _refuse_newer(_revision(connection, schema), schema, place_of(url))
        _run(command.downgrade, connection, schema, revision)
        _write_who_may_go_on(connection, schema, set())


def current(url: str, schema: Schema = Schema.CONTENT) -> str | None:
    """The database's revision, None where it was never migrated."""
    if _is_missing_file(url):
        return None
    with _reading(url) as connection:
        return _revision(connection, schema)


def head(schema: Schema = Schema.CONTENT) -> str:
    """The revision that this version expects."""
    found = _scripts(schema).get_current_head()
    if found is None:
        raise RuntimeError(f"no migrations in {_folder()}; the installation is incomplete")
    return found


def knows(revision: str, schema: Schema) -> bool:
    """Whether this version has migrations for a database of that revision."""
    return revision in _known(schema)


def check(url: str, schema: Schema = Schema.CONTENT) -> None:
    """Raises `SchemaTooNew` or `SchemaTooOld` where this version cannot work on the database.

    It can on the revision that it expects, and on a newer one that has only added to that.
    """
    found = current(url, schema)
    if found is not None and found not in _known(schema) and head(schema) in _who_may_go_on(url, schema):
        log.warning("schema_is_newer", database=schema.value, revision=found, expected=head(schema))
        return
    _refuse_newer(found, schema, place_of(url))
    if found != head(schema):
        state = f"is at revision {found}, this Parlour expects {head(schema)}" if found else "has no tables yet"
        raise SchemaTooOld(f"The database {place_of(url)} {state}. Bring it up with: parlour db upgrade")


@contextmanager
def locked_for_migration(url: str) -> Iterator[Connection]:
    """A connection in a transaction that keeps other migrations out; committed at the end."""
    engine = connect(url, pool_size=1, busy_timeout_s=_WAIT_S)
    try:
        with engine.connect() as connection:
            is_sqlite = connection.dialect.name == "sqlite"
            if is_sqlite:
                # Before the transaction begins, where alone it works: dropping the old copy of a table would delete
                # what refers to it.
                connection.connection.cursor().execute("PRAGMA foreign_keys = OFF")
            with connection.begin():
                if not is_sqlite:
                    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK})
                yield connection
                if is_sqlite and connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
                    raise RuntimeError("the migration would leave rows that refer to nothing; it was taken back")
    finally:
        engine.dispose()


def _run(what: Any, connection: Connection, schema: Schema, revision: str) -> None:  # noqa: ANN401 (alembic's commands)
    config = _config(schema, _folder())
    config.attributes["connection"] = connection
    try:
        with _ALEMBIC:
            what(config, revision)
    except CommandError:
        known = ", ".join(_known(schema))
        raise RevisionUnknown(f"No revision {revision!r} to go to. There are: base, {known}, head.") from None


def _refuse_newer(found: str | None, schema: Schema, place: str) -> None:
    if found is not None and found not in _known(schema):
        problem = f"The database {place} is at revision {found}, which this Parlour does not know."
        raise SchemaTooNew(f"{problem} Upgrade Parlour, or restore a backup from before.")


def _revision(connection: Connection, schema: Schema) -> str | None:
    migration = MigrationContext.configure(connection, opts={"version_table": version_table(schema)})
    return migration.get_current_revision()


def _known(schema: Schema) -> list[str]:
    return sorted(script.revision for script in _scripts(schema).walk_revisions())


def _scripts(schema: Schema) -> ScriptDirectory:
    return _loaded(schema, _folder())


@cache
def _loaded(schema: Schema, folder: Path) -> ScriptDirectory:
    """The migrations: looking at them runs each one's module, so a process does it once."""
    return ScriptDirectory.from_config(_config(schema, folder))


def _config(schema: Schema, path: Path) -> Config:
    folder = str(path).replace("%", "%%")
    config = Config(ini_section="keys" if schema is Schema.KEYS else "alembic")
    config.set_main_option("script_location", folder)
    config.set_main_option("version_locations", f"{folder}/{schema.value}")
    config.set_main_option("path_separator", "newline")
    return config


def _folder() -> Path:
    """The migrations: inside the package where it is installed, at the top of the checkout where it is developed."""
    package = Path(str(files("parlour")))
    installed = package / "migrations"
    return installed if installed.is_dir() else package.parents[1] / "migrations"


def _remember_who_may_go_on(connection: Connection, schema: Schema, before: str | None, after: str | None) -> None:
    """After an upgrade: the revisions passed by migrations that only add, and those that could go on before."""
    passed = list(_scripts(schema).iterate_revisions(after or "base", before or "base"))
    if before is None or not all(getattr(script.module, "is_expanding", False) for script in passed):
        _write_who_may_go_on(connection, schema, set())
        return
    between = {script.revision for script in passed} - {after}
    _write_who_may_go_on(connection, schema, _read_who_may_go_on(connection, schema) | {before} | between)


# Kept as the version table's comment: a table for it would be one that the versions before do not know.
def _read_who_may_go_on(connection: Connection, schema: Schema) -> set[str]:
    if connection.dialect.name != "postgresql":
        return set()
    comment = connection.scalar(
        text("SELECT obj_description(to_regclass(:table), 'pg_class')"), {"table": version_table(schema)}
    )
    return set((comment or "").removeprefix(_MAY_GO_ON).split()) if (comment or "").startswith(_MAY_GO_ON) else set()


def _write_who_may_go_on(connection: Connection, schema: Schema, revisions: set[str]) -> None:
    if connection.dialect.name == "postgresql" and inspect(connection).has_table(version_table(schema)):
        # A comment is no value to be bound; revisions are our own names, without a quote in them.
        told = _MAY_GO_ON + " ".join(sorted(revisions))
        connection.execute(text(f"COMMENT ON TABLE {version_table(schema)} IS '{told}'"))


def _who_may_go_on(url: str, schema: Schema) -> set[str]:
    with _reading(url) as connection:
        return _read_who_may_go_on(connection, schema)


@contextmanager
def _reading(url: str) -> Iterator[Connection]:
    """A connection that writes nothing."""
    engine = connect(url, pool_size=1, busy_timeout_s=10, use=Use.READ)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _is_missing_file(url: str) -> bool:
    parsed = make_url(url)
    return parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").exists()
