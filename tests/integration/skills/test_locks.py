"""A skill's lock: whatever the index has by now, the same skill gets the same wheels, or none."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from parlour.skills.authoring import check, new_skill
from parlour.skills.environment import Environments
from parlour.skills.errors import InstallRefused
from parlour.skills.package import Package, read_package


@pytest.fixture
def publish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts a version of `tried-need` into a folder that pip takes for its only index."""
    index = tmp_path / "index"
    index.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))

    def make(version: str, content: str = "") -> None:
        info = f"tried_need-{version}.dist-info"
        with zipfile.ZipFile(index / f"tried_need-{version}-py3-none-any.whl", "w") as wheel:
            wheel.writestr("tried_need.py", content)
            wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: tried-need\nVersion: {version}\n")
            wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{info}/RECORD", "")

    return make


@pytest.fixture
def package(tmp_path: Path) -> Package:
    """A skill that needs any version from 1 on."""
    new_skill(tmp_path, "notes")
    project = tmp_path / "notes" / "pyproject.toml"
    project.write_text(project.read_text().replace("dependencies = []", 'dependencies = ["tried-need>=1"]'))
    assert check(tmp_path / "notes", is_freezing=True).problems == ()
    return read_package(tmp_path / "notes")


def test_what_is_built_again_has_the_same_wheels_whatever_is_newer(
    tmp_path: Path, publish: Callable[..., None], package: Package
) -> None:
    environments = Environments(tmp_path / "skills")
    publish("1.0")
    first = environments.build(package)
    environments.remove(first.folder)
    publish("1.1")

    again = environments.build(package, lock=first.lock)
    anew = environments.build(package)

    assert again == first
    assert [one["version"] for one in json.loads(anew.lock)["wheels"]] == ["1.1"]


def test_a_wheel_that_is_another_by_now_is_refused(
    tmp_path: Path, publish: Callable[..., None], package: Package
) -> None:
    environments = Environments(tmp_path / "skills")
    publish("1.0")
    first = environments.build(package)
    environments.remove(first.folder)
    publish("1.0", "import os  # something else under the same name and version")

    with pytest.raises(InstallRefused, match=r"could not be installed.*HASHES"):
        environments.build(package, lock=first.lock)

    assert not any((tmp_path / "skills").iterdir())


def test_another_packages_lock_says_nothing(tmp_path: Path, publish: Callable[..., None], package: Package) -> None:
    environments = Environments(tmp_path / "skills")
    publish("1.0")
    first = environments.build(package)
    publish("1.1")
    other = json.dumps({**json.loads(first.lock), "requires": ["tried-need>=1.1"]})

    assert [one["version"] for one in json.loads(environments.build(package, lock=other).lock)["wheels"]] == ["1.1"]


def test_a_lock_that_was_tampered_with_tells_pip_nothing(
    tmp_path: Path, publish: Callable[..., None], package: Package
) -> None:
    environments = Environments(tmp_path / "skills")
    publish("1.0")
    known = json.loads(environments.build(package).lock)
    known["wheels"][0]["name"] = "tried-need\n--index-url https://evil.example"

    with pytest.raises(InstallRefused, match="is damaged"):
        environments.build(package, lock=json.dumps(known))
