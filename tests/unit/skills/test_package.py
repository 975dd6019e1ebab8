"""Reading a skill from a folder or a wheel: nothing of it runs, and what lies is refused."""

import contextlib
import json
import shutil
import stat
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parlour.sdk.manifest import FILE
from parlour.skills.authoring import new_skill
from parlour.skills.errors import InstallRefused
from parlour.skills.package import read_package

METADATA = "Metadata-Version: 2.1\nName: parlour-notes\nVersion: 0.1.0\n"
POINTS = "[parlour.skills]\nnotes = parlour_notes:skill\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    new_skill(folder, "notes")
    return folder / "notes"


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A skill's folder of this test's own."""
    return Path(shutil.copytree(made, tmp_path / "notes"))


@pytest.fixture
def wheel(folder: Path, tmp_path: Path) -> Callable[..., Path]:
    """Makes a wheel of it, with members added or replaced."""

    def make(**changes: str) -> Path:
        members = {
            "parlour_notes/__init__.py": (folder / "src/parlour_notes/__init__.py").read_text(),
            f"parlour_notes/{FILE}": (folder / f"src/parlour_notes/{FILE}").read_text(),
            "parlour_notes-0.1.0.dist-info/METADATA": METADATA,
            "parlour_notes-0.1.0.dist-info/entry_points.txt": POINTS,
            **changes,
        }
        path = tmp_path / "parlour_notes-0.1.0-py3-none-any.whl"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in members.items():
                archive.writestr(name, text)
        return path

    return make


def test_a_folder_and_its_wheel_are_the_same_skill(folder: Path, wheel: Callable[..., Path]) -> None:
    from_folder, from_wheel = read_package(folder), read_package(wheel())

    assert from_folder.manifest == from_wheel.manifest
    assert set(from_folder.files) == {"parlour_notes/__init__.py", f"parlour_notes/{FILE}"}
    assert from_folder.files.items() <= from_wheel.files.items()


def test_the_digest_follows_names_and_contents(folder: Path) -> None:
    before = read_package(folder).digest
    (folder / "src/parlour_notes/more.py").write_text("")

    assert read_package(folder).digest != before


def test_nothing_of_it_runs(folder: Path, tmp_path: Path) -> None:
    source = folder / "src/parlour_notes/__init__.py"
    source.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n" + source.read_text())
    (folder / "setup.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")

    read_package(folder)

    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("change", [{"name": "other"}, {"version": "9"}, {"entry_point": "os:system"}])
def test_a_manifest_that_contradicts_its_package_is_refused(folder: Path, change: dict[str, str]) -> None:
    file = folder / f"src/parlour_notes/{FILE}"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))

    with pytest.raises(InstallRefused, match="Freeze it anew"):
        read_package(folder)


def test_a_skill_without_a_manifest_is_told_how_to_make_one(folder: Path) -> None:
    (folder / f"src/parlour_notes/{FILE}").unlink()

    with pytest.raises(InstallRefused, match="parlour skill check --freeze"):
        read_package(folder)


@pytest.mark.parametrize("target", ["/etc/passwd", "__init__.py"])
def test_a_link_in_a_folder_is_refused(folder: Path, target: str) -> None:
    (folder / "src/parlour_notes/data").symlink_to(target)

    with pytest.raises(InstallRefused, match="is a link"):
        read_package(folder)


@pytest.mark.parametrize(
    "name", ["../evil.py", "/etc/evil.py", "parlour_notes/../../evil.py", "x.pth", "p-1.data/scripts/x", "a\\..\\b"]
)
def test_a_wheel_that_climbs_out_or_brings_scripts_is_refused(wheel: Callable[..., Path], name: str) -> None:
    with pytest.raises(InstallRefused):
        read_package(wheel(**{name: "x"}))


def test_a_link_in_a_wheel_is_refused(wheel: Callable[..., Path]) -> None:
    path = wheel()
    link = zipfile.ZipInfo("parlour_notes/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/passwd")

    with pytest.raises(InstallRefused, match="would not stay"):
        read_package(path)


@pytest.mark.slow
def test_a_wheel_that_unfolds_to_any_size_is_refused(wheel: Callable[..., Path]) -> None:
    with pytest.raises(InstallRefused, match="larger than"):
        read_package(wheel(**{"parlour_notes/bomb": "0" * 100_000_001}))


@pytest.mark.parametrize(
    "again", ["parlour_notes/__init__.py", "parlour_notes//__init__.py", "./parlour_notes/__init__.py"]
)
def test_a_wheel_with_a_name_twice_is_refused(wheel: Callable[..., Path], again: str) -> None:
    path = wheel()
    with warnings.catch_warnings(), zipfile.ZipFile(path, "a") as archive:
        warnings.simplefilter("ignore")  # zipfile warns of what is tried here
        archive.writestr(again, "import os")

    with pytest.raises(InstallRefused, match="twice"):
        read_package(path)


@pytest.mark.parametrize("name", ["parlour_notes/__init__.py/inside.py", "parlour_notes"])
def test_what_is_file_and_folder_at_once_is_refused(wheel: Callable[..., Path], name: str) -> None:
    with pytest.raises(InstallRefused, match="as file and folder"):
        read_package(wheel(**{name: "x"}))


@pytest.mark.parametrize("name", ["parlour_notes/" + "x" * 256, "x/" * 600 + "y", "parlour_notes/" + "长" * 90])
def test_a_name_that_no_disk_holds_is_refused(wheel: Callable[..., Path], name: str) -> None:
    with pytest.raises(InstallRefused, match="too long"):
        read_package(wheel(**{name: "x"}))


def test_a_wheel_with_the_metadata_of_two_packages_is_refused(wheel: Callable[..., Path]) -> None:
    with pytest.raises(InstallRefused, match="several packages"):
        read_package(wheel(**{"other-1.dist-info/METADATA": METADATA.replace("0.1.0", "9")}))


@pytest.mark.parametrize("size", [1, 10, 90_000_000])
def test_a_wheel_that_lies_about_a_size_is_refused(wheel: Callable[..., Path], size: int) -> None:
    path = wheel(**{"parlour_notes/data": "twenty bytes of data"})
    content = path.read_bytes()
    at = content.rindex(b"parlour_notes/data") - 46  # the entry in the directory at the end
    path.write_bytes(content[: at + 24] + size.to_bytes(4, "little") + content[at + 28 :])

    with pytest.raises(InstallRefused, match=r"lies about the size|not a wheel"):
        read_package(path)


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_wheel_is_read_or_refused_and_nothing_else(wheel: Callable[..., Path], data: st.DataObject) -> None:
    path = wheel()
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])

    with contextlib.suppress(InstallRefused):
        read_package(path)


@pytest.mark.parametrize("what", ["version", "dependencies", "entry-points"])
def test_what_only_comes_about_by_a_build_is_refused_with_the_way_on(folder: Path, what: str) -> None:
    project = folder / "pyproject.toml"
    project.write_text(project.read_text().replace("[project]\n", f'[project]\ndynamic = ["{what}"]\n'))

    with pytest.raises(InstallRefused, match=f"{what} only come about by a build.*python -m build --wheel"):
        read_package(folder)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"not a zip"])
def test_what_is_no_wheel_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x-1-py3-none-any.whl"
    path.write_bytes(content)

    with pytest.raises(InstallRefused, match="not a wheel"):
        read_package(path)


@pytest.mark.parametrize(
    "requirement",
    [
        "x @ https://evil.example/x.whl",
        "--index-url=https://evil.example",
        "-r /etc/passwd",
        "git+https://x",
        "./local",
    ],
)
def test_a_requirement_that_is_no_name_of_an_index_is_refused(wheel: Callable[..., Path], requirement: str) -> None:
    changed = {"parlour_notes-0.1.0.dist-info/METADATA": f"{METADATA}Requires-Dist: {requirement}\n"}

    with pytest.raises(InstallRefused, match="Name packages of an index"):
        read_package(wheel(**changed))


def test_ordinary_requirements_pass(wheel: Callable[..., Path]) -> None:
    lines = ["numpy>=1.26,<3", "rich (>=13)", 'tomli>=2; python_version < "3.11"', "a[b,c]==1.*"]
    text = METADATA + "".join(f"Requires-Dist: {line}\n" for line in [*lines, 'pytest; extra == "dev"'])

    assert read_package(wheel(**{"parlour_notes-0.1.0.dist-info/METADATA": text})).requirements == tuple(lines)


@pytest.mark.parametrize("points", ["", POINTS + "more = parlour_more:skill\n", "[parlour.skills\n", "\0"])
def test_a_wheel_has_one_skill(wheel: Callable[..., Path], points: str) -> None:
    with pytest.raises(InstallRefused):
        read_package(wheel(**{"parlour_notes-0.1.0.dist-info/entry_points.txt": points}))


def test_what_is_neither_folder_nor_wheel_is_told(tmp_path: Path) -> None:
    with pytest.raises(InstallRefused, match="neither a folder nor a wheel"):
        read_package(tmp_path / "nothing")
    with pytest.raises(InstallRefused, match=r"no pyproject\.toml"):
        read_package(tmp_path)
