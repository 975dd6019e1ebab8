"""The pages of docs/ that are tables of what stands in the code are fresh, and links between pages lead somewhere."""

import re
from pathlib import Path

import pytest

from scripts.write_docs import DOCS, PAGES

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
