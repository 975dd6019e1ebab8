"""Databases as this version expects them, without what migrating takes for each."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import make_url

from parlour.store import schema
from parlour.store.connect import make_file
from parlour.store.schema import Schema


def migrate(url: str, which: Schema = Schema.CONTENT) -> None:
    """Bring the database up to date; an SQLite file that is not there is a copy of one that was migrated before."""
    file = Path(make_url(url).database or "")
    if url.startswith("sqlite") and not file.exists():
        make_file(url)
        file.write_bytes(_migrated(which))
    else:
        schema.upgrade(url, which)


@cache
def _migrated(which: Schema) -> bytes:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "migrated.sqlite"
        schema.upgrade(f"sqlite:///{file}", which)
        return file.read_bytes()
