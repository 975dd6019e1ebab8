"""A place to store things in, on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.storage import Storage, open_storage


@pytest.fixture
def keys_url(database_url: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A new, empty database for the key store, of the same kind as `database_url`."""
    if database_url.startswith("sqlite"):
        yield f"sqlite:///{tmp_path / 'keys' / 'keys.sqlite'}"
        return
    databases = request.getfixturevalue("postgres_databases")
    url = databases.create()
    yield url
    databases.drop(url)


@pytest.fixture
def storage(database_url: str, keys_url: str, tmp_path: Path) -> Iterator[Storage]:
    """Content and keys, migrated and open; a test that asks for it runs on SQLite and on PostgreSQL."""
    with open_storage(database_url, keys_url, tmp_path / "keys" / "master.key") as opened:
        yield opened
