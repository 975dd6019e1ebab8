"""Fixtures: the same stage as for unit tests, its content on PostgreSQL. A folder's conftest imports them by name."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests import services
from tests.support.stage import Stage, copy_of, make_template, open_stage

MakeStage = Callable[..., Stage]


@pytest.fixture(scope="session")
def migrated(
    _postgres: services.PostgresDatabases | services.Missing, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str] | None:
    if isinstance(_postgres, services.Missing):
        return None
    url = _postgres.create()
    return make_template(tmp_path_factory.mktemp("postgres") / "data", url=url), url


@pytest.fixture
def make_stage(
    migrated: tuple[Path, str] | None, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[MakeStage]:
    """Makes the test's stage with settings of its own."""
    databases: services.PostgresDatabases = request.getfixturevalue("postgres_databases")
    assert migrated is not None
    template, template_url = migrated
    url = databases.create(template=template_url)
    with ExitStack() as stack:
        stack.callback(databases.drop, url)

        def make(**sections: Any) -> Stage:
            return stack.enter_context(open_stage(copy_of(template, tmp_path / "data"), url=url, **sections))

        yield make


@pytest.fixture
def stage(make_stage: MakeStage) -> Stage:
    """The test's stage, with the usual settings and everybody let in."""
    return make_stage()
