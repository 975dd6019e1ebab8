"""Turns that find their skill by what is said, skills that ask back, and tools that the model calls: end to end."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from parlour.knowledge.embedding import SentenceEncoder
from parlour.people.facts import EntryKind, Fact, Source
from parlour.skills.authoring import check, new_skill
from parlour.skills.routing import Route, Rule
from parlour.store.ids import TurnId, UserId
from parlour.store.models import Turn, User
from parlour.turns.operating import NoSuchTurn, route_of
from tests.fakes.turns import ScriptedEngine
from tests.support.skill_book import book_of
from tests.support.stage import Stage, copy_of, make_template, open_stage

SKILL = '''
"""Plants: answers, asks back, and has tools."""

from parlour.sdk import Model, Question, Skill, Turn, UserStore

skill = Skill("garden", "Plants and how to care for them", keeps={"plant": "the plants you told about"})


@skill.answers("How often do I water basil?", "How much water for a cactus?", "罗勒多久浇一次水？", "Water my ficus?")
async def water(turn: Turn):
    """Asks which plant unless it was told."""
    if turn.is_reply:
        return f"Every week, the {turn.text}."
    return Question("Which plant?", ("basil", "cactus"))


@skill.answers("Which soil does an orchid want?", "What soil is good for tomatoes?", "兰花用什么土？")
async def soil(turn: Turn, model: Model):
    """The model, with the skill's own tools."""
    async for piece in model.stream(turn, tools=True):
        yield piece


@skill.tool
async def acidity(plant: str) -> dict:
    """How acid the soil of a plant has to be, as pH."""
    return {"plant": plant, "pH": 5.5}


@skill.tool
async def remember(plant: str, mine: UserStore) -> str:
    """Remember a plant of the person who asks."""
    await mine.put("plant", {"name": plant})
    return ", ".join(sorted(one["name"] for one in await mine.all("plant")))
'''


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the skill installed."""
    folder = tmp_path_factory.mktemp("routed")
    new_skill(folder, "garden")
    (folder / "garden" / "src" / "parlour_garden" / "__init__.py").write_text(SKILL.lstrip())
    assert check(folder / "garden", is_freezing=True).problems == ()
    data = make_template(folder / "data")
    with open_stage(data) as stage:
        book = book_of(stage)
        offer = book.offer(folder / "garden")
        book.install(offer, granted=offer.new_grants)
    return data


@pytest.fixture
def stage(template: Path, tmp_path: Path) -> Iterator[Stage]:
    with open_stage(Path(copy_of(template, tmp_path / "data"))) as made:
        yield made
        made.platform.skills.close()


@pytest.fixture
def told(stage: Stage) -> Callable[..., str]:
    """Says something and returns what is answered at last."""

    def tell(text: str, *, engine: ScriptedEngine | None = None, **details: Any) -> str:
        stage.say(text, **details)
        return stage.answer_all(engine)

    return tell


def _route(stage: Stage) -> Route:
    """Where the last turn went."""
    with stage.platform.database.read() as session:
        turn_id = session.scalars(select(Turn.id).where(Turn.kind == "message").order_by(Turn.seq.desc())).first()
    assert turn_id is not None
    return route_of(stage.platform.database, TurnId(turn_id))


def _remember(stage: Stage, text: str) -> None:
    """Something that was learned of the one person there is."""
    [vector] = stage.platform.meaning.pack([text])
    with stage.platform.database.begin() as session:
        person = UserId(session.scalars(select(User.id)).one())
        fact, now = Fact(EntryKind.MEMORY, text, vector=vector), stage.clock.now()
        stage.platform.profiles.remember(session, person, fact, source=Source.LEARNED, now=now)


def _calls(*calls: tuple[str, dict[str, Any]]) -> list[str]:
    return [json.dumps({"calls": [{"tool": name, "arguments": arguments} for name, arguments in calls]})]


@pytest.mark.parametrize("text", ["How often should I water my basil?", "罗勒多久要浇一次水？"])
def test_what_is_like_a_skills_examples_is_answered_by_it(told: Callable[..., str], stage: Stage, text: str) -> None:
    assert told(text).startswith("Which plant?")

    route = _route(stage)
    assert (route.rule, route.skill, route.handler) == (Rule.LIKENESS, "garden", "answers:water")
    assert route.is_question


def test_what_is_like_nothing_is_answered_by_the_model(told: Callable[..., str], stage: Stage) -> None:
    """At once: it is not asked first which tools it wants."""
    assert told("Tell me about the French revolution", engine=ScriptedEngine(["In 1789."])) == "In 1789."
    assert _route(stage).rule is Rule.CHAT


def test_the_answer_to_a_question_comes_to_who_asked_and_only_once(told: Callable[..., str], stage: Stage) -> None:
    told("How often should I water my basil?")

    assert told("the old ficus") == "Every week, the the old ficus."
    assert _route(stage).rule is Rule.QUESTION
    assert told("Good morning", engine=ScriptedEngine(["Good morning."])) == "Good morning."


def test_a_question_to_one_person_is_not_answered_by_another(told: Callable[..., str], stage: Stage) -> None:
    group = {"chat": "team", "is_private": False, "is_addressed": True}
    told("How often should I water my basil?", sender="ann", **group)

    told("Good morning", sender="bob", engine=ScriptedEngine(["Good morning."]), **group)

    assert _route(stage).rule is Rule.CHAT


def test_a_fresh_start_ends_a_question_and_a_binding(told: Callable[..., str], stage: Stage) -> None:
    told("How often should I water my basil?")
    stage.command("skills garden")
    stage.command("new")

    told("Good morning", engine=ScriptedEngine(["Good morning."]))

    assert _route(stage).rule is Rule.CHAT


def test_a_conversation_bound_to_a_skill_is_answered_by_it_until_it_is_not(
    told: Callable[..., str], stage: Stage
) -> None:
    stage.command("skills garden")
    assert "garden" in stage.messages()[-1]
    told("Good morning", engine=ScriptedEngine(_calls(), ["Morning."]))
    assert (_route(stage).rule, _route(stage).skill) == (Rule.BOUND, "garden")

    stage.command("skills off", language="zh")
    told("Good morning", engine=ScriptedEngine(["Good morning."]))
    assert _route(stage).rule is Rule.CHAT


def test_a_skill_that_is_not_there_binds_nothing(stage: Stage) -> None:
    stage.command("skills gardn")

    assert "gardn" in stage.messages()[-1]
    assert "garden" in stage.messages()[-1]


def test_the_model_calls_tools_in_plain_chat_in_the_persons_name(told: Callable[..., str], stage: Stage) -> None:
    def remembers(plant: str) -> ScriptedEngine:
        return ScriptedEngine(_calls(("garden__remember", {"plant": plant})), _calls(), ["Noted."])

    engine = remembers("ivy")
    told("Please keep in mind that ivy grows at my office", sender="ann", engine=engine)
    told("Please keep in mind that moss grows at my home", sender="bob", engine=remembers("moss"))
    engine = remembers("fern")
    told("Please keep in mind that fern grows at my home", sender="ann", engine=engine)

    # Bob's is not among them, whoever the model might have named.
    assert "| fern, ivy" in engine.prompt[-1][1]
    assert [(use.tool, use.outcome) for use in _route(stage).tools] == [("remember", "done")]


def test_a_skills_own_handler_has_its_tools(told: Callable[..., str], stage: Stage) -> None:
    engine = ScriptedEngine(_calls(("garden__acidity", {"plant": "orchid"})), _calls(), ["Rather acid."])

    assert told("Which soil does my orchid want?", engine=engine) == "Rather acid."
    assert '| {"plant": "orchid", "pH": 5.5}' in engine.prompt[-1][1]
    assert [use.tool for use in _route(stage).tools] == ["acidity"]
    assert _route(stage).handler == "answers:soil"


def test_nothing_that_was_said_is_kept_with_the_route(told: Callable[..., str], stage: Stage) -> None:
    told("How often should I water my MARKERPLANT basil?")

    with stage.platform.database.read() as session:
        kept = session.scalars(select(Turn.route)).all()
    assert kept[-1] is not None
    assert "MARKERPLANT" not in kept[-1]
    assert "basil" not in kept[-1]


def test_a_turn_that_has_no_answer_has_no_route_to_tell(stage: Stage) -> None:
    taken = stage.say("Hello")
    assert taken.turn_id is not None

    with pytest.raises(NoSuchTurn, match="is queued"):
        route_of(stage.platform.database, taken.turn_id)


def test_a_turn_has_its_text_embedded_once_however_many_parts_ask_what_it_means(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Routing, tools and memory all ask in plain chat; routing and memory where a skill answers."""
    embedded: list[str] = []
    embed = SentenceEncoder.embed

    def counted(encoder: SentenceEncoder, texts: Sequence[str]) -> Any:
        embedded.extend(texts)
        return embed(encoder, texts)

    monkeypatch.setattr(SentenceEncoder, "embed", counted)
    chat, question = "Tell me about the French revolution", "How often should I water my basil?"
    with open_stage(Path(copy_of(template, tmp_path / "data")), personalisation={"is_on": True}) as stage:
        stage.agree()
        _remember(stage, "I am fond of French history")
        engine = ScriptedEngine(["In 1789."])
        stage.say(chat)
        stage.answer_all(engine)
        stage.say(question)
        stage.answer_all()
        stage.platform.skills.close()

    assert "French history" in engine.system
    assert [embedded.count(text) for text in (chat, question)] == [1, 1]
