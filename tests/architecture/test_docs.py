"""The pages of docs/ that are tables of what stands in the code are fresh, and links between pages lead somewhere."""

import re
from pathlib import Path

import pytest

from parlour.cli.main import ENTRIES
from scripts.write_docs import DOCS, PAGES, settings_names

ROOT = Path(__file__).parents[2]
MARKDOWN = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_fresh(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == PAGES[name](), "Run: make docs"


@pytest.mark.parametrize("page", MARKDOWN, ids=[str(page.relative_to(ROOT)) for page in MARKDOWN])
def test_a_link_to_a_file_leads_there(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    missing = [target for target in targets if "://" not in target and not (page.parent / target).exists()]

    assert missing == []


@pytest.mark.parametrize("page", MARKDOWN, ids=[str(page.relative_to(ROOT)) for page in MARKDOWN])
def test_every_setting_that_a_page_names_exists(page: Path) -> None:
    """Names that end in a placeholder (`PARLOUR_<SECTION>`) or belong to the tests are others."""
    named = re.findall(r"\bPARLOUR_[A-Z_]*[A-Z](?![A-Z_<…])", page.read_text(encoding="utf-8"))
    known = {*settings_names(), "PARLOUR_CONFIG"}

    unknown = {name for name in named if name.removesuffix("_FILE") not in known and name not in known}

    assert {name for name in unknown if not name.startswith(("PARLOUR_TEST_", "PARLOUR_BENCH_"))} == set()


@pytest.mark.parametrize("page", MARKDOWN, ids=[str(page.relative_to(ROOT)) for page in MARKDOWN])
def test_every_command_that_a_page_names_exists(page: Path) -> None:
    named = re.findall(r"(?:`|\$ |/bin/)parlour ([a-z]+)", page.read_text(encoding="utf-8"))

    assert set(named) - set(ENTRIES) == set()


@pytest.mark.parametrize("page", MARKDOWN, ids=[str(page.relative_to(ROOT)) for page in MARKDOWN])
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    named = re.findall(r"`((?:tests|deploy|platform|locks|scripts)/[\w./-]*)`", page.read_text(encoding="utf-8"))

    assert [path for path in named if not (ROOT / path).exists()] == []
