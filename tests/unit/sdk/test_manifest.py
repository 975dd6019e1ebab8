"""The frozen manifest: what it says, and that nothing else passes for one."""

import json
from typing import Any

import pytest

from parlour.sdk import Http, Skill, SkillMistake, Skills, UserStore
from parlour.sdk.manifest import Manifest, differences, from_json, from_plain, manifest_of, to_json
from tests.unit.sdk.greenhouse import skill


@pytest.fixture
def manifest() -> Manifest:
    return manifest_of(skill, version="1.2.0", entry_point="tests.unit.sdk.greenhouse:skill")


def test_it_names_all_that_the_handlers_ask_for(manifest: Manifest) -> None:
    assert manifest.to_grant == (
        "Model", "Knowledge", "UserStore", "SharedStore", "Http", "Notify", "Secrets",
    )  # fmt: skip
    assert manifest.hosts == ("api.weather.example", "*.seeds.example")
    assert [entry.name for entry in manifest.of_kind("command")] == ["plants", "plant", "growth"]
    assert manifest.of_kind("job")[0].schedule == "1h"
    assert manifest.settings["properties"]["litres"] == {
        "type": "integer",
        "description": "Water in the can",
        "default": 5,
    }


def test_it_survives_its_file(manifest: Manifest) -> None:
    assert from_json(to_json(manifest)) == manifest


def test_code_that_asks_for_more_than_it_says_is_noticed(manifest: Manifest) -> None:
    modest = json.loads(to_json(manifest))
    modest["capabilities"].remove("Http")
    for entry in modest["handlers"]:
        entry["capabilities"] = [name for name in entry["capabilities"] if name != "Http"]

    assert differences(from_json(json.dumps(modest)), manifest) == ["capabilities", "handlers"]


def test_asking_nobody_by_name_is_a_mistake() -> None:
    skill = Skill("tries", "")

    @skill.command("ask", "Ask")
    async def ask(skills: Skills) -> None:
        """Nobody is named."""

    with pytest.raises(SkillMistake, match=r"names none. Say which: Skill\(…, asks="):
        manifest_of(skill, version="1", entry_point="a:skill")


def test_a_manifest_of_before_skills_asked_each_other_asks_nobody(manifest: Manifest) -> None:
    plain = json.loads(to_json(manifest))
    del plain["asks"]

    assert from_plain(plain).asks == ()


def test_http_without_hosts_is_a_mistake() -> None:
    own = Skill("tries", "")

    @own.answers("Hello")
    async def hello(http: Http) -> None: ...

    with pytest.raises(SkillMistake, match="names no host"):
        manifest_of(own, version="1", entry_point="a:b")


def test_storing_without_saying_what_is_a_mistake() -> None:
    own = Skill("tries", "")

    @own.answers("Hello")
    async def hello(mine: UserStore) -> None: ...

    with pytest.raises(SkillMistake, match="does not say which kinds"):
        manifest_of(own, version="1", entry_point="a:b")


def test_a_skill_without_handlers_is_a_mistake() -> None:
    with pytest.raises(SkillMistake, match="has no handler"):
        manifest_of(Skill("tries", ""), version="1", entry_point="a:b")


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../../etc"},
        {"name": 7},
        {"sdk": 99},
        {"sdk": "1"},
        {"sdk": ">=2,<3"},
        {"sdk": ">=1; import os"},
        {"sdk": ">=1,"},
        {"sdk": True},
        {"hosts": ["127.0.0.1"]},
        {"asks": ["no name"]},
        {"asks": ["greenhouse"]},
        {"asks": "kitchen"},
        {"hosts": "a.example"},
        {"capabilities": ["Root"]},
        {"capabilities": [["Http"]]},
        {"entry_point": "os; import sys:skill"},
        {"entry_point": "parlour_x"},
        {"keeps": ["plant"]},
        {"keeps": {"plant": 1}},
        {"settings": []},
        {"handlers": None},
        {"handlers": [{"id": "answers:x", "kind": "answers", "name": "x", "capabilities": ["Notify", "Vectors"]}]},
        {"handlers": [{"id": "command:stop", "kind": "command", "name": "stop"}]},
        {"handlers": [{"id": "command:x", "kind": "command", "name": "y"}]},
        {"handlers": [{"id": "job:x", "kind": "job", "name": "x", "schedule": "often"}]},
        {"handlers": [{"id": "magic:x", "kind": "magic", "name": "x"}]},
        {"handlers": [{"id": "tool:x", "kind": "tool", "name": "x", "arguments": 3}]},
        {"extra": 1},
    ],
)
def test_a_manifest_that_lies_or_errs_is_refused(manifest: Manifest, change: dict[str, Any]) -> None:
    spoilt = json.loads(to_json(manifest)) | change

    with pytest.raises(SkillMistake):
        from_json(json.dumps(spoilt))


@pytest.mark.parametrize(("written", "means"), [(1, ">=1,<2"), (">=1", ">=1"), (">=0,<2", ">=0,<2")])
def test_a_range_that_holds_this_sdk_fits(manifest: Manifest, written: int | str, means: str) -> None:
    plain = json.loads(to_json(manifest)) | {"sdk": written}

    assert from_json(json.dumps(plain)).sdk == means


def test_a_range_that_does_not_fit_says_which_and_what_to_do(manifest: Manifest) -> None:
    plain = json.loads(to_json(manifest)) | {"sdk": ">=7,<9"}

    with pytest.raises(SkillMistake, match=r"written for SDK >=7,<9; this Parlour has SDK 1\. Take a version"):
        from_json(json.dumps(plain))


def test_a_skill_says_its_range_and_it_is_frozen() -> None:
    own = Skill("tries", "", sdk=">=1,<4")

    @own.answers("Hello")
    async def hello() -> None: ...

    assert manifest_of(own, version="1", entry_point="a:b").sdk == ">=1,<4"
    with pytest.raises(SkillMistake, match="is no range"):
        Skill("tries", "", sdk="one")


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", "[" * 100_000, "7", '"x"', b"\xff", " " * 1_000_001])
def test_what_is_no_manifest_at_all_is_refused(text: str | bytes) -> None:
    with pytest.raises(SkillMistake):
        from_json(text)
