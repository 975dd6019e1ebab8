"""Writing a skill: what the decorators read from functions, and which mistakes they name."""

from typing import Any

import pytest

from parlour.sdk import Clock, Secret, Skill, SkillMistake, Skills, Turn, UserStore
from tests.unit.sdk.greenhouse import skill


def _fresh() -> Skill:
    return Skill("tries", "A skill for mistakes")


def test_a_handlers_parameters_are_its_capabilities() -> None:
    assert skill.handler("answers:care").capabilities == {"Turn", "Model", "Knowledge"}
    assert skill.handler("command:growth").capabilities == frozenset()


def test_a_tools_other_parameters_are_what_the_model_calls_it_with() -> None:
    tool = skill.handler("tool:water")

    assert tool.given == {"settings": "settings"}
    assert tool.arguments == {
        "type": "object",
        "properties": {
            "plant": {"type": "string"},
            "litres": {"type": "number", "default": 0.5},
            "when": {"enum": ["now", "later"]},
        },
        "required": ["plant", "when"],
        "additionalProperties": False,
    }
    assert tool.about == "Water a plant."


def test_a_parameter_that_nothing_can_fill_is_named_with_its_line() -> None:
    with pytest.raises(SkillMistake, match=r"test_skill\.py:\d+: parameter 'what' has no type that can be given"):

        @_fresh().answers("Hello")
        async def hello(what: int) -> str:
            return ""


def test_a_tools_parameter_needs_a_type_that_json_has() -> None:
    with pytest.raises(SkillMistake, match="parameter 'what': bytes has no JSON schema"):

        @_fresh().tool
        async def hello(what: bytes) -> str:
            """Say hello."""
            return ""


def test_a_handler_is_async() -> None:
    with pytest.raises(SkillMistake, match="hello is not async"):

        @_fresh().answers("Hello")
        def hello() -> str:
            return ""


def test_a_job_has_no_person() -> None:
    with pytest.raises(SkillMistake, match="a job has no Turn and no UserStore"):

        @_fresh().every("5m")
        async def tick(turn: Turn, mine: UserStore) -> None: ...


def test_what_is_told_of_an_erasure_takes_the_persons_name_and_nothing_of_theirs() -> None:
    async def nameless(clock: Clock) -> None: ...

    async def too_late(user: str, mine: UserStore) -> None: ...

    with pytest.raises(SkillMistake, match="Give it one argument: user: str"):
        _fresh().on_erased(nameless)
    with pytest.raises(SkillMistake, match="what is told of an erasure has no UserStore, since the person is gone"):
        _fresh().on_erased(too_late)


@pytest.mark.parametrize("schedule", ["5", "1s", "0 25 * * *", "* * * *", "0 0 30 2 *", "*/0 * * * *", ""])
def test_a_schedule_that_never_fits_is_a_mistake(schedule: str) -> None:
    with pytest.raises(SkillMistake):

        @_fresh().every(schedule)
        async def tick(clock: Clock) -> None: ...


def test_the_same_command_twice_is_named_with_both_places() -> None:
    own = _fresh()

    @own.command("go", "Go")
    async def go() -> None: ...

    with pytest.raises(SkillMistake, match=r"command:go is there already, at .*test_skill\.py"):

        @own.command("go", "Go again")
        async def go_again() -> None: ...


@pytest.mark.parametrize("name", ["stop", "Plants", "a b", ""])
def test_a_command_of_the_platforms_own_or_of_odd_letters_is_a_mistake(name: str) -> None:
    with pytest.raises(SkillMistake, match="cannot be a command"):

        @_fresh().command(name, "Go")
        async def go() -> None: ...


def test_answers_needs_examples() -> None:
    with pytest.raises(SkillMistake, match="at least one example"):

        @_fresh().answers()
        async def go() -> None: ...


def test_a_tool_needs_a_docstring() -> None:
    with pytest.raises(SkillMistake, match="needs a docstring"):

        @_fresh().tool
        async def go() -> None: ...


def test_a_type_that_was_not_imported_is_named() -> None:
    async def go(clock: Any) -> None: ...

    go.__annotations__["clock"] = "Clocks"

    with pytest.raises(SkillMistake, match="Clocks"):
        _fresh().answers("Hello")(go)


@pytest.mark.parametrize("name", ["", "Green", "green house", "-a", "a" * 65, "../etc"])
def test_a_skills_name_is_made_of_lower_case_words(name: str) -> None:
    with pytest.raises(SkillMistake):
        Skill(name, "")


@pytest.mark.parametrize(
    "host", ["https://a.example", "a.example/x", "localhost", "127.0.0.1", "a.example:80", "*", ""]
)
def test_a_host_is_a_public_name(host: str) -> None:
    with pytest.raises(SkillMistake, match="is no host"):
        Skill("tries", "", hosts=[host])


@pytest.mark.parametrize("other", ["tries", "Upper", "two words", ""])
def test_it_asks_others_by_their_names_and_never_itself(other: str) -> None:
    with pytest.raises(SkillMistake, match="is no other skill's name"):
        Skill("tries", "", asks=[other])


def test_an_offer_tells_others_what_they_get() -> None:
    own = _fresh()

    async def plants() -> list[str]:
        return []

    with pytest.raises(SkillMistake, match="an offer needs a docstring"):
        own.offers(plants)


def test_nobody_asks_in_nobodys_name() -> None:
    own = _fresh()

    async def tick(skills: Skills) -> None:
        """A job has no person."""

    with pytest.raises(SkillMistake, match="a job has no Skills"):
        own.every("5m")(tick)


def test_settings_come_before_the_handlers_that_take_them() -> None:
    own = _fresh()

    @own.answers("Hello")
    async def hello() -> None: ...

    with pytest.raises(SkillMistake, match="above the first handler"):

        @own.settings
        class Settings:
            size: int = 1


def test_a_setting_of_a_type_without_a_schema_is_a_mistake() -> None:
    with pytest.raises(SkillMistake, match="object has no JSON schema"):

        @_fresh().settings
        class Settings:
            size: object = None


def test_a_secret_does_not_show_itself() -> None:
    assert "hunter2" not in repr(Secret("hunter2"))
