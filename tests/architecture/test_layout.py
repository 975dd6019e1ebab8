"""The tree tells the story: one package, small modules, names that say what is in them."""

import platform
import re
import subprocess
import sys
from pathlib import Path

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


def test_the_standard_librarys_platform_still_imports() -> None:
    """Our source root has the same name; run from the checkout's root it must not win."""
    code = "import platform; print(platform.__file__); platform.python_version()"

    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert Path(shown.stdout.strip()) == Path(platform.__file__)
    assert ROOT not in Path(shown.stdout.strip()).parents


def test_the_source_root_holds_the_package_and_nothing_else() -> None:
    entries = {path.name for path in (ROOT / "platform").iterdir()} - {"__pycache__"}

    assert entries == {"parlour"}


def test_no_module_is_too_long_to_read() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in OURS}

    assert [path for path, length in lengths.items() if length > _longest(path)] == []


def _longest(path: Path) -> int:
    return LONGEST_TEST_MODULE if path.name.startswith("test_") else LONGEST_MODULE


def test_no_module_has_an_empty_name() -> None:
    words = {path: {*re.split(r"[_.]", path.stem), *path.relative_to(ROOT).parent.parts} for path in OURS}

    assert [path for path in OURS if words[path] & EMPTY_WORDS] == []


def test_only_settings_reads_the_environment() -> None:
    """Everything that can be set stands in one place, documented and checked at start.

    A library that knows no other way may be told something by a variable, and the variable be put back afterwards.
    A benchmark hands its environment on to the processes that it starts.
    """
    others = [path for path in MODULES if path != PACKAGE / "settings.py" and "bench" not in path.parts]

    assert [path for path in others if _reads_the_environment(path.read_text(encoding="utf-8"))] == []


def _reads_the_environment(text: str) -> bool:
    reads = re.findall(r"os\.(?:getenv|environ\.get)\(([^,)]+)|os\.environ\[([^\]]+)\](?! = )", text)
    told = set(re.findall(r"os\.environ\[([^\]]+)\] = ", text))
    whole = re.findall(r"os\.environ(?!\[|\.get\(|\.setdefault\()", text)
    return bool(whole) or not {first or second for first, second in reads} <= told


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
