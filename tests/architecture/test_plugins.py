"""The skills that come along are strangers to the platform, and ready to be installed."""

import re
from functools import cache
from pathlib import Path

import pytest

from parlour.skills.authoring import check

ROOT = Path(__file__).parents[2]
PLUGINS = sorted(path.parent for path in (ROOT / "plugins").glob("*/pyproject.toml"))

# Loads the skill in a process of its own.
checked = cache(check)

of_each = pytest.mark.parametrize("plugin", PLUGINS, ids=[path.name for path in PLUGINS])


@of_each
def test_a_plugin_would_be_installed_as_it_lies_here(plugin: Path) -> None:
    """It loads, imports `parlour.sdk` alone, and its frozen manifest is what the code says."""
    assert checked(plugin).problems == ()


@of_each
def test_a_plugin_is_a_distribution_with_tests_of_its_own(plugin: Path) -> None:
    package = f"parlour_{plugin.name.replace('-', '_')}"

    assert (plugin / "README.md").is_file()
    assert (plugin / "src" / package / "__init__.py").is_file()
    assert any((plugin / "tests").glob("test_*.py"))
    # `tests` is the name of the platform's; two plugins' modules of one name could not both be checked.
    assert not (plugin / "tests" / "__init__.py").exists()
    words = package.removeprefix("parlour_")
    assert [path.name for path in (plugin / "tests").glob("*.py") if words not in path.stem] == []


@of_each
def test_a_plugins_sample_files_are_for_its_imports(plugin: Path) -> None:
    """`parlour up --demo` hands each to the import that has its name."""
    manifest = checked(plugin).manifest

    assert manifest is not None
    assert {path.stem for path in (plugin / "demo").glob("*.*")} <= {one.name for one in manifest.of_kind("import")}


def test_the_platform_imports_no_plugin() -> None:
    packages = "|".join(plugin.name.replace("-", "_") for plugin in PLUGINS)
    imports = re.compile(rf"^\s*(?:from|import) parlour_(?:{packages})\b", re.MULTILINE)

    assert [
        path for path in (ROOT / "platform").rglob("*.py") if imports.search(path.read_text(encoding="utf-8"))
    ] == []
