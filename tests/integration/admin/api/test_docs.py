"""docs/api.md tells of what is there."""

import re
from pathlib import Path

import pytest

from tests.integration.admin.api.test_every_endpoint import OPERATIONS, SCHEMA

PAGE = Path(__file__).parents[4] / "docs" / "api.md"
TEXT = PAGE.read_text(encoding="utf-8").replace("\\\n", " ")
CALLS = re.findall(r"^(?:\$ )?(curl .*)$", TEXT, re.MULTILINE)


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{\w+\}", "[^/]+", path))


@pytest.mark.parametrize("call", CALLS)
def test_what_an_example_calls_is_there(call: str) -> None:
    method = (re.search(r"-X (\w+)", call) or ["", "GET"])[1]
    where = re.search(r"/api(/v1[^?'\s]*)", call)
    assert where is not None

    there = [path for known, path, _ in OPERATIONS if known == method and _pattern(path).fullmatch(where[1])]

    assert there, f"{method} {where[1]}"


def test_every_resource_is_told_of() -> None:
    heads = re.findall(r"^## (.*)$", TEXT, re.MULTILINE)

    assert {tag["name"] for tag in SCHEMA["tags"]} <= {head.lower() for head in heads}
