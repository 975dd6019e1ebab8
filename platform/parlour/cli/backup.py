"""`parlour backup`: content and key store, apart, into a folder and back."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from parlour.cli.db import url_of
from parlour.cli.errors import Refused
from parlour.cli.output import JsonFlag, show_json, show_rows, warn
from parlour.cli.progress import rows_bar
from parlour.cli.storage import open_storage
from parlour.privacy.erasure import Eraser
from parlour.privacy.errors import PrivacyError
from parlour.privacy.keys import FileKeys, read_key_file
from parlour.settings import Settings, load
from parlour.store import backup, schema, sqlite_copy
from parlour.store.backup import Backup
from parlour.store.connect import place_of
from parlour.store.schema import Schema

app = typer.Typer(no_args_is_help=True, help="Back up databases, verify backups, restore them.")

Folder = Annotated[
    Path, typer.Argument(help="The folder that `create` wrote, or the `content` or `keys` folder in it alone.")
]


@app.command("create", epilog="Example: parlour backup create /backups/2026-11-25")
def create(
    folder: Annotated[Path, typer.Argument(help="A new folder for the backup.")],
    *,
    keys: Annotated[
        bool, typer.Option("--keys", help="The key store too, in a folder of its own: delete it again within days.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Back up the content while everything runs, and with --keys the key store. The key file is in neither."""
    settings = load()
    # The content first: whoever is new meanwhile has a key in the later copy of the key store.
    wanted = [Schema.CONTENT, *([Schema.KEYS] if keys else [])]
    taken = [which for which in wanted if (folder / which).exists()]
    if taken:
        raise Refused(f"{folder / taken[0]} is there already. Name a new folder; a backup is never overwritten.")
    made = []
    for which in wanted:
        with rows_bar(f"{which}, bytes") as step:
            made.append(backup.create(url_of(settings, which), which, folder, now=datetime.now(UTC), step=step))
    show_rows([_row(one) for one in made], as_json=as_json)
    if not as_json and settings.keys.provider == "file":
        typer.echo(f"Not in it, and without it nothing opens: {settings.key_file}. Keep a copy of it in a safe place.")


@app.command("verify", epilog="Example: parlour backup verify /backups/2026-11-25")
def verify(
    folder: Folder,
    *,
    files_only: Annotated[
        bool, typer.Option("--files-only", help="Do not ask whether this machine's key file would open it.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Say whether a backup is what was written, can be read, and would open with this machine's keys."""
    found = backup.find_backups(folder)
    problems = {one.manifest.database: _verified(one) for one in found}
    would_not_open = (
        [] if files_only else _would_not_open(load(), [one for one in found if not _problems(problems, one)])
    )
    rows = [{**_row(one), "state": "; ".join(_problems(problems, one)) or "whole"} for one in found]
    if as_json:
        show_json({"backups": rows, "would_not_open": would_not_open})
    else:
        show_rows(rows, as_json=False)
    _refuse(folder, [problem for some in problems.values() for problem in some] + would_not_open)


@app.command("restore", epilog="Example: parlour backup restore /backups/2026-11-25 --only content")
def restore(
    folder: Folder,
    *,
    only: Annotated[Schema | None, typer.Option(help="Only this database.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Bring a backup into the empty databases that the settings name. Whoever was erased since is erased again."""
    settings = load()
    found = [one for one in backup.find_backups(folder) if only in {None, one.manifest.database}]
    if not found:
        raise Refused(f"{folder} holds no backup of the database {only}. See: parlour backup verify {folder}")
    _refuse(folder, [problem for one in found for problem in _verified(one)] + _would_not_open(settings, found))
    for one in found:
        backup.refuse_restore(one, url_of(settings, one.manifest.database))
    _check_others(settings, {one.manifest.database for one in found})
    for one in found:
        with rows_bar(f"{one.manifest.database}, bytes", total=one.manifest.bytes) as step:
            backup.restore(one, url_of(settings, one.manifest.database), step)
    rows = [{**_row(one), "into": place_of(url_of(settings, one.manifest.database))} for one in found]
    erased = _erase_again(settings)
    if as_json:
        show_json({"restored": rows, "erased_again": erased})
        return
    show_rows(rows, as_json=False)
    if erased is not None:
        typer.echo(f"Erasures carried out again: {erased}.")


def _check_others(settings: Settings, restored: set[Schema]) -> None:
    """Raises `StoreError` where a database that stays is not of this version: erasures could not be carried out."""
    for which in set(Schema) - restored:
        url = url_of(settings, which)
        if schema.current(url, which) is not None:
            schema.check(url, which)


def _erase_again(settings: Settings) -> int | None:
    """Erase whom a restored database brought back; None while the other database is not there yet."""
    for which in Schema:
        if schema.current(url_of(settings, which), which) is None:
            place = place_of(url_of(settings, which))
            warn(f"{place} is empty still. Restore its backup too; erasures are carried out again then.")
            return None
    try:
        with open_storage() as storage:
            return Eraser(database=storage.database, privacy=storage.privacy).resume()
    except PrivacyError as error:
        raise Refused(f"Restored, but it does not open, and no erasure was carried out again: {error}") from None


def _verified(one: Backup) -> list[str]:
    with rows_bar(f"verifying {one.manifest.database}, bytes", total=one.manifest.bytes) as step:
        return backup.verify(one, step)


def _would_not_open(settings: Settings, found: Sequence[Backup]) -> list[str]:
    """What this machine's keys could not open, as sentences. Of archives of PostgreSQL only the key file is known."""
    if settings.keys.provider != "file":
        return []
    try:
        keys = read_key_file(settings.key_file)
    except PrivacyError as error:
        return [str(error).rstrip(".")]
    if keys is None:
        return [f"nothing would open: there is no key file {settings.key_file}; put it back from its safe place"]
    known = FileKeys(keys).kek_ids
    stores = [one for one in found if (one.manifest.database, one.manifest.kind) == (Schema.KEYS, "sqlite")]
    query = "SELECT DISTINCT kek_id FROM data_keys WHERE wrapped IS NOT NULL"
    return [
        f"{one.path} was made with another key file than {settings.key_file}; put back the right one"
        for one in stores
        if not known.issuperset(sqlite_copy.column_of(one.path, query))
    ]


def _refuse(folder: Path, problems: Sequence[str]) -> None:
    if problems:
        raise Refused(f"The backup {folder} cannot be relied on: {'; '.join(problems)}.")


def _problems(of: dict[Schema, list[str]], one: Backup) -> list[str]:
    return of[one.manifest.database]


def _row(one: Backup) -> dict[str, Any]:
    manifest = one.manifest
    return {
        "database": manifest.database,
        "file": one.path,
        "bytes": manifest.bytes,
        "revision": manifest.revision,
        "made": manifest.made_at,
        "parlour": manifest.parlour,
    }
