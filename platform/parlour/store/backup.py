"""Backups of a database: a folder with one file and a manifest that says what it must be.

Content and key store are backed up apart, each in a folder of its own, so that the key store's backups can live
shorter. The file with the key-encryption key is in neither.
"""

import hashlib
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import make_url

from parlour import __version__
from parlour.store import postgres_archive, schema, sqlite_copy
from parlour.store.connect import place_of
from parlour.store.disk import sync
from parlour.store.errors import BackupFailed, BackupRefused, SchemaTooNew
from parlour.store.schema import Schema

MANIFEST: Final = "manifest.json"
_CHUNK: Final = 1 << 20

Step = Callable[[int], object]


class Manifest(BaseModel):
    """What a backup holds and what its file must look like."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    database: Schema
    kind: Literal["sqlite", "postgresql"]
    file: str = Field(pattern=r"^[a-z]+\.(sqlite|pgdump)$")
    bytes: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    revision: str
    made_at: datetime
    parlour: str
    # SQLite's version, or the major version of the server and its tools.
    engine: str


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup of one database, in its folder."""

    folder: Path
    manifest: Manifest

    @property
    def path(self) -> Path:
        """The file with the data."""
        return self.folder / self.manifest.file


def create(url: str, which: Schema, folder: Path, *, now: datetime, step: Step = lambda _: None) -> Backup:
    """Back the database up into `folder`/content or `folder`/keys while everything runs.

    The part appears at once and whole, or not at all. `step` is told how many bytes went. Raises `StoreError`s.
    """
    revision = schema.current(url, which)
    if revision is None:
        raise BackupRefused(f"The database {place_of(url)} has no tables yet: there is nothing to back up.")
    part, draft = folder / which, folder / f".{which}.part"
    if part.exists():
        raise BackupRefused(f"{part} is there already. Name a new folder; a backup is never overwritten.")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft.mkdir(mode=0o700)
    except OSError as error:
        remedy = "Name a folder that can be written; take away what an earlier backup left half made."
        raise BackupRefused(f"{draft} cannot be made ({error.strerror}). {remedy}") from None
    try:
        made = _write(url, which, draft, revision, now, step)
        draft.rename(part)
    except OSError as error:
        raise BackupFailed(
            f"{folder} cannot be written ({error.strerror}). Make room, or name another folder."
        ) from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Backup(part, made)


def find_backups(folder: Path) -> list[Backup]:
    """The backups in a folder that `create` made, or the one whose own folder it is. Raises `BackupRefused`."""
    found = [one for one in (folder / Schema.CONTENT, folder / Schema.KEYS, folder) if (one / MANIFEST).is_file()]
    if not found:
        problem = f"{folder} holds no backup: no {MANIFEST} in it, in content/ or in keys/."
        raise BackupRefused(f"{problem} Name the folder that parlour backup create wrote.")
    return [Backup(one, _read_manifest(one / MANIFEST)) for one in found]


def verify(backup: Backup, step: Step = lambda _: None) -> list[str]:
    """What is wrong with a backup, as sentences; empty where it is whole and can be read."""
    manifest = backup.manifest
    try:
        size, digest = digest_of(backup.path, step)
    except OSError as error:
        return [f"{manifest.file} cannot be read ({error.strerror})"]
    if (size, digest) != (manifest.bytes, manifest.sha256):
        return [f"{manifest.file} is not what was written: its size or SHA-256 differs from the manifest's"]
    if manifest.kind == "postgresql":
        return postgres_archive.problems_of(backup.path)
    problems = sqlite_copy.problems_of(backup.path)
    if not problems and _revision_in(backup.path, manifest.database) != manifest.revision:
        problems.append(f"{manifest.file} is not at revision {manifest.revision}, as its manifest says")
    return problems


def refuse_restore(backup: Backup, url: str) -> None:
    """Raises `BackupRefused` or `SchemaTooNew` where this backup cannot go there; changes nothing."""
    manifest, parsed = backup.manifest, make_url(url)
    kind = parsed.get_backend_name()
    if kind != manifest.kind:
        problem = f"This backup is of {manifest.kind}, and {place_of(url)} is {kind}."
        raise BackupRefused(f"{problem} Name a database of the same kind in the settings.")
    if not schema.knows(manifest.revision, manifest.database):
        problem = f"This backup was made by Parlour {manifest.parlour}, at revision {manifest.revision}."
        raise SchemaTooNew(f"{problem} This Parlour ({__version__}) does not know it: upgrade Parlour first.")
    if kind == "sqlite":
        sqlite_copy.refuse_occupied(Path(parsed.database or ""))
        return
    postgres_archive.tool_version("pg_restore", at_least=int(manifest.engine))
    server = postgres_archive.server_version(url)
    if server < int(manifest.engine):
        problem = f"This backup is of PostgreSQL {manifest.engine}, the server of {place_of(url)} is {server}."
        raise BackupRefused(f"{problem} Restore it on {manifest.engine} or newer.")
    postgres_archive.refuse_occupied(url)


def restore(backup: Backup, url: str, step: Step = lambda _: None) -> None:
    """Bring a verified backup into the empty place at `url`, and its schema to what this version expects.

    Raises what `refuse_restore` does, and `BackupFailed`: the place is then empty still.
    """
    refuse_restore(backup, url)
    if backup.manifest.kind == "sqlite":
        _put_file(backup, Path(make_url(url).database or ""), step)
    else:
        postgres_archive.load(backup.path, url, step)
    schema.upgrade(url, backup.manifest.database)


def _write(url: str, which: Schema, draft: Path, revision: str, now: datetime, step: Step) -> Manifest:
    """The data and its manifest in `draft`, all of it on the disk."""
    parsed = make_url(url)
    is_sqlite = parsed.get_backend_name() == "sqlite"
    path = draft / f"{which}.{'sqlite' if is_sqlite else 'pgdump'}"
    if is_sqlite:
        sqlite_copy.copy_out(Path(parsed.database or ""), path, step)
    else:
        postgres_archive.dump(url, path, step)
    if schema.current(url, which) != revision:
        raise BackupFailed(f"The database {place_of(url)} was migrated meanwhile. Back it up again.")
    path.chmod(0o600)
    size, digest = digest_of(path)
    manifest = Manifest(
        database=which,
        kind="sqlite" if is_sqlite else "postgresql",
        file=path.name,
        bytes=size,
        sha256=digest,
        revision=revision,
        made_at=now,
        parlour=__version__,
        engine=sqlite3.sqlite_version if is_sqlite else str(postgres_archive.server_version(url)),
    )
    listing = draft / MANIFEST
    listing.touch(mode=0o600)
    listing.write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    for written in (path, listing, draft):
        sync(written)
    return manifest


def _put_file(backup: Backup, target: Path, step: Step) -> None:
    draft = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        with backup.path.open("rb") as source, draft.open("wb") as copy:
            while chunk := source.read(_CHUNK):
                copy.write(chunk)
                step(len(chunk))
        sync(draft)
        draft.replace(target)
        sync(target.parent)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise BackupFailed(f"{target} cannot be written ({error.strerror}). Make room, and restore again.") from None


def _read_manifest(path: Path) -> Manifest:
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        problem = f"{path} is no manifest that Parlour {__version__} can read."
        raise BackupRefused(f"{problem} Take another backup, or the Parlour that made it.") from None


def _revision_in(file: Path, which: Schema) -> str | None:
    table = schema.version_table(which)
    found = sqlite_copy.column_of(file, f"SELECT version_num FROM {table}")  # noqa: S608 (one of two names of ours)
    return found[0] if found else None


def digest_of(path: Path, step: Step = lambda _: None) -> tuple[int, str]:
    """Size and SHA-256 of a file."""
    size, digest = 0, hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
            step(len(chunk))
    return size, digest.hexdigest()
