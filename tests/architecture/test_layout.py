"""The tree tells the story: one package, small modules, names that say what is in them."""

import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.modules import imports_of

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "platform" / "parlour"
MODULES = sorted(PACKAGE.rglob("*.py"))
OURS = [
    *MODULES,
    *(path for folder in ("tests", "scripts", "plugins") for path in sorted((ROOT / folder).rglob("*.py"))),
]
LONGEST_MODULE = 500
# A list of behaviours is read by searching, not from top to bottom.
LONGEST_TEST_MODULE = 700
EMPTY_WORDS = {"utils", "util", "helpers", "helper", "manager", "common", "misc", "base2", "stuff"}

ids = [str(path.relative_to(ROOT)) for path in MODULES]
all_ids = [str(path.relative_to(ROOT)) for path in OURS]


def test_the_standard_librarys_platform_still_imports() -> None:
    """Our source root has the same name; run from the checkout's root it must not win."""
    code = "import platform; print(platform.__file__); platform.python_version()"

    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert Path(shown.stdout.strip()) == Path(platform.__file__)
    assert ROOT not in Path(shown.stdout.strip()).parents


def test_the_source_root_holds_the_package_and_nothing_else() -> None:
    entries = {path.name for path in (ROOT / "platform").iterdir()} - {"__pycache__"}

    assert entries == {"parlour"}


@pytest.mark.parametrize("path", OURS, ids=all_ids)
def test_no_module_is_too_long_to_read(path: Path) -> None:
    limit = LONGEST_TEST_MODULE if path.name.startswith("test_") else LONGEST_MODULE

    assert len(path.read_text(encoding="utf-8").splitlines()) <= limit


@pytest.mark.parametrize("path", OURS, ids=all_ids)
def test_no_module_has_an_empty_name(path: Path) -> None:
    words = set(re.split(r"[_.]", path.stem)) | set(path.relative_to(ROOT).parent.parts)

    assert not words & EMPTY_WORDS


@pytest.mark.parametrize("path", MODULES, ids=ids)
def test_only_settings_reads_the_environment(path: Path) -> None:
    """Everything that can be set stands in one place, documented and checked at start.

    A library that knows no other way may be told something by a variable, and the variable be put back afterwards.
    A benchmark hands its environment on to the processes that it starts.
    """
    text = path.read_text(encoding="utf-8")
    reads = re.findall(r"os\.(?:getenv|environ\.get)\(([^,)]+)|os\.environ\[([^\]]+)\](?! = )", text)
    told = set(re.findall(r"os\.environ\[([^\]]+)\] = ", text))
    whole = re.findall(r"os\.environ(?!\[|\.get\(|\.setdefault\()", text)

    if path != PACKAGE / "settings.py" and "bench" not in path.parts:
        assert {first or second for first, second in reads} <= told
        assert whole == []


def test_the_sdk_stands_on_the_standard_library_alone() -> None:
    """A skill's author installs nothing else to run a skill's tests."""
    imported = {name for path in (PACKAGE / "sdk").rglob("*.py") for name in imports_of(path)}
    foreign = {name for name in imported if not name.startswith("parlour.sdk")}

    assert {name.partition(".")[0] for name in foreign} <= set(sys.stdlib_module_names)


def test_make_help_lists_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE))

    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert targets == set(re.findall(r"^  make (\S+)", shown, re.MULTILINE))
