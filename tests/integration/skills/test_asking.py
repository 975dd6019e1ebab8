"""Skills that ask skills, each in a process of its own, in a turn from the message to the answer."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from parlour.skills.authoring import check, new_skill
from parlour.skills.errors import GrantsMissing
from parlour.skills.routing import ToolUse, explain
from parlour.store.ids import TurnId
from parlour.turns.operating import route_of
from tests.support.skill_book import book_of
from tests.support.stage import Stage, copy_of, make_template, open_stage

GARDEN = '''
"""Plants, for whoever asks."""

from parlour.sdk import Skill, Skills, Turn, UserStore

skill = Skill("garden", "Plants", keeps={"plant": "plants"}, asks=["shop"])


@skill.command("plant", "Remember a plant")
async def plant(turn: Turn, mine: UserStore) -> str:
    """Keep it."""
    await mine.put("plant", {"name": turn.text})
    return "Noted."


@skill.offers
async def plants(first: int = 0, *, turn: Turn, mine: UserStore) -> dict:
    """The plants of the person."""
    return {"plants": [one["name"] for one in await mine.all("plant")][first:], "heard": turn.text}


@skill.offers
async def round_and_round(skills: Skills) -> str:
    """Asks back whoever asks."""
    return await skills.ask("shop", "price")


@skill.offers
async def fall(turn: Turn) -> None:
    """Breaks."""
    raise ValueError(turn.user)


@skill.tool
async def hidden() -> str:
    """For the model alone."""
    return "MARKER"
'''
SHOP = '''
"""A shop that asks the gardener."""

from parlour.sdk import CapabilityError, Skill, Skills, Turn

skill = Skill("shop", "Things", asks=["garden"])


@skill.command("ask", "Ask another skill")
async def ask(turn: Turn, skills: Skills) -> str:
    """`/ask SKILL WHAT [first]`."""
    name, what, *first = turn.text.split()
    try:
        return str(await skills.ask(name, what, **({"first": int(first[0])} if first else {})))
    except CapabilityError as error:
        return f"{type(error).__name__}: {error}"


@skill.offers
async def price() -> str:
    """A price."""
    return "12"
'''


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with both skills installed."""
    folder = tmp_path_factory.mktemp("asking")
    data = make_template(folder / "data")
    with open_stage(data) as stage:
        for name, text in (("garden", GARDEN), ("shop", SHOP)):
            new_skill(folder, name)
            (folder / name / "src" / f"parlour_{name}" / "__init__.py").write_text(text.lstrip())
            assert check(folder / name, is_freezing=True).problems == ()
            offer = book_of(stage).offer(folder / name)
            other = "shop" if name == "garden" else "garden"
            assert f"Skills: {other}" in offer.new_grants
            with pytest.raises(GrantsMissing, match=f"Skills: {other}"):
                book_of(stage).install(offer, granted=["Skills", "UserStore"])
            book_of(stage).install(offer, granted=offer.new_grants)
    return data


@pytest.fixture
def stage(template: Path, tmp_path: Path) -> Iterator[Stage]:
    with open_stage(copy_of(template, tmp_path / "data")) as made:
        yield made
        made.platform.skills.close()


@pytest.fixture
def told(stage: Stage) -> Callable[..., str]:
    def tell(text: str, **details: Any) -> str:
        stage.command(text, **details)
        return stage.answer_all()

    return tell


def test_the_other_answers_in_the_name_of_the_person_and_hears_nothing_else(
    told: Callable[..., str], stage: Stage
) -> None:
    told("plant ficus", sender="ann")
    told("plant agave", sender="bob")

    assert told("ask garden plants", sender="ann") == "{'plants': ['ficus'], 'heard': ''}"
    assert told("ask garden plants", sender="bob") == "{'plants': ['agave'], 'heard': ''}"
    assert told("ask garden plants 1", sender="bob") == "{'plants': [], 'heard': ''}"

    route = route_of(stage.platform.database, TurnId(stage.turns()[-1].id))
    (use,) = route.tools
    assert (use.skill, use.tool, use.outcome) == ("garden", "plants, asked by shop", "done")
    assert explain(route)[-1] == f"shop asked garden for plants: done, {use.took_ms} ms."


@pytest.mark.parametrize(
    ("how", "word"),
    [
        ("garden round_and_round", "CapabilityError: The skill garden failed"),
        ("garden fall", "CapabilityError: The skill garden failed"),
        ("garden hidden", "Invalid: The skill garden offers no 'hidden'. It offers: plants, round_and_round, fall"),
        ("shop price", "NotGranted: The skill 'shop' may not be asked. Granted: garden"),
    ],
)
def test_what_must_not_be_is_refused_with_a_word(told: Callable[..., str], how: str, word: str) -> None:
    assert told(f"ask {how}").startswith(word)


def test_a_circle_is_seen_where_it_closes(told: Callable[..., str], stage: Stage) -> None:
    told("ask garden round_and_round")

    inner, *_ = route_of(stage.platform.database, TurnId(stage.turns()[-1].id)).tools
    assert inner == ToolUse("garden", "round_and_round, asked by shop", "SkillFailed", inner.took_ms)


def test_one_that_is_disabled_where_the_turn_is_is_not_there(told: Callable[..., str], stage: Stage) -> None:
    book_of(stage).enable("garden", is_enabled=False, channel="telegram")

    assert told("ask garden plants").startswith("NotAvailable: The skill garden is not installed and enabled here.")


def test_the_grants_are_seen_and_go_with_the_skill(stage: Stage) -> None:
    assert book_of(stage).get("shop").asks == ("garden",)
    assert book_of(stage).get("shop").hosts == ()
    book_of(stage).remove("shop", with_data=False)
    assert book_of(stage).get("garden").asks == ("shop",)
