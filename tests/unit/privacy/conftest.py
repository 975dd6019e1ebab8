"""Content and keys on SQLite; and a whole platform on them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.sqlite_stage import MakeStage, make_stage, stage, template
from tests.support.storage import Storage, open_storage

__all__ = ["MakeStage", "make_stage", "stage", "storage", "template"]


@pytest.fixture
def storage(sqlite_url: str, tmp_path: Path) -> Iterator[Storage]:
    """Both databases migrated and open, in a folder of this test's own."""
    folder = tmp_path / "keys"
    with open_storage(sqlite_url, f"sqlite:///{folder / 'keys.sqlite'}", folder / "master.key") as opened:
        yield opened
