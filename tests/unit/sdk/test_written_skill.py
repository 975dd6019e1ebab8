"""The skill that docs/writing-a-skill.md is about works as the page says, and so do its tests."""

import re
from pathlib import Path

import pytest

from parlour.sdk import Skill
from parlour.sdk.manifest import manifest_of

PAGE = Path(__file__).parents[3] / "docs" / "writing-a-skill.md"
CODE = "\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL))
TESTS = re.findall(r"^def (test_\w+)", CODE, re.MULTILINE)


def _written() -> dict[str, object]:
    names: dict[str, object] = {"__name__": "written"}
    exec(compile(CODE, str(PAGE), "exec"), names)
    return names


@pytest.mark.parametrize("name", TESTS)
def test_a_test_on_the_page_passes(name: str) -> None:
    run = _written()[name]

    assert callable(run)
    run()


def test_the_page_shows_every_kind_of_handler_and_its_manifest_can_be_made() -> None:
    skill = _written()["skill"]
    assert isinstance(skill, Skill)

    manifest = manifest_of(skill, version="1.0", entry_point="greenhouse:skill")

    shown = {"answers", "command", "tool", "offer", "event", "import", "job", "erased"}
    assert {entry.kind for entry in manifest.handlers} == shown
    assert manifest.settings["properties"]["litres"]["maximum"] == 50
