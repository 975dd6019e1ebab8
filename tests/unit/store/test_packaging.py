"""An installed Parlour has its migrations with it."""

import tomllib
from pathlib import Path

import pytest

from parlour.store import schema

TOP = Path(__file__).parents[3]


def test_the_wheel_carries_the_migrations() -> None:
    project = tomllib.loads((TOP / "pyproject.toml").read_text())

    included = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]

    assert included["migrations"] == "parlour/migrations"


def test_in_the_package_they_are_found_before_the_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout = schema._folder()
    installed = tmp_path / "parlour" / "migrations"
    installed.mkdir(parents=True)
    monkeypatch.setattr(schema, "files", lambda _: tmp_path / "parlour")

    assert checkout == TOP / "migrations"
    assert schema._folder() == installed
