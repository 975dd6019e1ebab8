"""Content and keys on SQLite."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.storage import Storage, open_storage


@pytest.fixture
def storage(sqlite_url: str, tmp_path: Path) -> Iterator[Storage]:
    """Both databases migrated and open, in a folder of this test's own."""
    folder = tmp_path / "keys"
    with open_storage(sqlite_url, f"sqlite:///{folder / 'keys.sqlite'}", folder / "master.key") as opened:
        yield opened
