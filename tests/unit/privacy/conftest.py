"""Content and keys on SQLite; and a whole platform on them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.stage import Stage, copy_of, make_template, open_stage
from tests.support.storage import Storage, open_storage

MakeStage = Callable[..., Stage]


@pytest.fixture
def storage(sqlite_url: str, tmp_path: Path) -> Iterator[Storage]:
    """Both databases migrated and open, in a folder of this test's own."""
    folder = tmp_path / "keys"
    with open_storage(sqlite_url, f"sqlite:///{folder / 'keys.sqlite'}", folder / "master.key") as opened:
        yield opened


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated data folder; migrating it once saves most of the time."""
    return make_template(tmp_path_factory.mktemp("privacy") / "data")


@pytest.fixture
def make_stage(template: Path, tmp_path: Path) -> Iterator[MakeStage]:
    """Makes the test's stage with settings of its own."""
    with ExitStack() as stack:

        def make(**sections: Any) -> Stage:
            return stack.enter_context(open_stage(copy_of(template, tmp_path / "data"), **sections))

        yield make


@pytest.fixture
def stage(make_stage: MakeStage) -> Stage:
    """The test's stage, with the usual settings and everybody let in."""
    return make_stage()
