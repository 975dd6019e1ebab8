"""Fixtures: a stage on SQLite. A folder's conftest imports them by name."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.stage import Stage, copy_of, make_template, open_stage

MakeStage = Callable[..., Stage]


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder as a stage leaves it that nobody has said anything on."""
    folder = make_template(tmp_path_factory.mktemp("sqlite") / "data")
    with open_stage(folder):
        return folder


@pytest.fixture
def make_stage(template: Path, tmp_path: Path) -> Iterator[MakeStage]:
    """Makes the test's stage with settings of its own: `make_stage(turns={"mode": "merge"})`."""
    with ExitStack() as stack:

        def make(**sections: Any) -> Stage:
            made = stack.enter_context(open_stage(copy_of(template, tmp_path / "data"), **sections))
            # Words alone tell what is near and what is sensitive: nothing here loads the model that knows meanings.
            made.platform.meaning._make = made.platform.second_look._make = lambda: None
            return made

        yield make


@pytest.fixture
def stage(make_stage: MakeStage) -> Stage:
    """The test's stage, with the usual settings and everybody let in."""
    return make_stage()
