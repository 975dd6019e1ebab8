"""Beginning a skill, and finding what is wrong with one."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from parlour.skills.authoring import check, new_skill
from parlour.skills.errors import InstallRefused


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A skill as it begins; beginning one starts a process that loads it."""
    folder = tmp_path_factory.mktemp("begun")
    new_skill(folder, "my-notes")
    return folder / "my-notes"


@pytest.fixture
def folder(begun: Path, tmp_path: Path) -> Path:
    return shutil.copytree(begun, tmp_path / "my-notes")


def _source(folder: Path) -> Path:
    return folder / "src" / "parlour_my_notes" / "__init__.py"


def test_a_new_skill_is_right_from_the_start(folder: Path) -> None:
    found = check(folder)

    assert found.problems == ()
    assert found.manifest is not None
    assert found.manifest.to_grant == ("UserStore",)


@pytest.mark.slow
def test_a_new_skills_own_tests_pass(folder: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."]

    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout


def test_a_skill_is_not_written_over_another(folder: Path) -> None:
    with pytest.raises(InstallRefused, match="is there already"):
        new_skill(folder.parent, "my-notes")


@pytest.mark.parametrize("name", ["../out", "Notes", ""])
def test_a_name_that_is_none_makes_no_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(InstallRefused):
        new_skill(tmp_path / "into", name)

    assert not (tmp_path / "into").exists()


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("def broken(:", r"__init__\.py:\d+: invalid syntax"),
        ("import parlour.store.database", r"__init__\.py:\d+: imports parlour\.store\.database"),
        ("from parlour.turns import answer", r"__init__\.py:\d+: imports parlour\.turns"),
        ("from parlour import engines", r"__init__\.py:\d+: imports parlour\.engines"),
        ("import no_such_package", r"__init__\.py:\d+: ModuleNotFoundError"),
        ("raise SystemExit", r"__init__\.py:\d+: SystemExit"),
        ("import os; os._exit(0)", "ends the process"),
        ("@skill.tool\nasync def bare(): ...", r"__init__\.py:\d+: a tool needs a docstring"),
    ],
)
def test_what_would_fail_is_told_with_its_line(folder: Path, line: str, problem: str) -> None:
    source = _source(folder)
    source.write_text(f"{source.read_text()}\n{line}\n")

    with pytest.raises(AssertionError, match=problem):
        assert check(folder).problems == ()


@pytest.mark.slow
def test_a_stale_manifest_is_told_and_frozen_anew(folder: Path) -> None:
    source = _source(folder)
    source.write_text(source.read_text().replace("Keeps notes for you", "Keeps lists for you"))

    assert "is not what the code says any more" in check(folder).problems[0]
    assert check(folder, is_freezing=True).problems == ()
    assert check(folder).problems == ()


def test_a_folder_without_a_project_is_told(tmp_path: Path) -> None:
    with pytest.raises(InstallRefused, match="parlour skill new"):
        check(tmp_path)


@pytest.mark.parametrize("text", ["", "[project]\nversion = '1'\n", "[project", "project = 3\n"])
def test_a_project_that_is_no_skill_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)

    with pytest.raises(InstallRefused, match=r"pyproject\.toml"):
        check(tmp_path)
