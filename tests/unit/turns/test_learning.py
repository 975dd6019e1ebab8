"""What is learned from a finished turn, and what is not."""

import json
from collections.abc import Sequence
from typing import Any, cast

import pytest
from sqlalchemy import select

from parlour.engines.errors import EngineBusy
from parlour.engines.host import EngineHost  # noqa: TC001 (an annotation like the others)
from parlour.engines.protocol import JOBS_AFTER
from parlour.people.extraction import MOST_KNOWN
from parlour.people.facts import Source
from parlour.people.profile import Entry
from parlour.store.ids import TurnId, UserId
from parlour.store.models import User
from tests.fakes.embedder import FakeEmbedder, LifelikeEmbedder
from tests.fakes.turns import ScriptedEngine, Step
from tests.support.stage import Stage
from tests.unit.turns.conftest import MakeStage


@pytest.fixture
def stage(make_stage: MakeStage) -> Stage:
    """A stage on which Ann agreed to be remembered."""
    made = make_stage(personalisation={"is_on": True})
    made.agree()
    return made


def proposed(*facts: tuple[str, str, int]) -> list[Step]:
    """What the model answers."""
    told = [{"kind": kind, "text": text, "replaces": replaces} for kind, text, replaces in facts]
    return [json.dumps({"facts": told})]


def learn(stage: Stage, message: str, *answers: Sequence[Step], **details: Any) -> ScriptedEngine:
    """Somebody writes, is answered, and it is learned from that."""
    taken = stage.answered(message, **details)
    engine = ScriptedEngine(*(answers or [proposed()]))
    stage.platform.learner(cast("EngineHost", engine)).learn(cast("TurnId", taken.turn_id))
    return engine


def known(stage: Stage) -> list[Entry]:
    """What is remembered of Ann."""
    with stage.platform.database.read() as session:
        ann = session.scalars(select(User.id).order_by(User.id)).first()
        assert ann
        return stage.platform.profiles.entries(session, UserId(ann))


def texts(stage: Stage) -> list[str]:
    return [entry.fact.text for entry in known(stage)]


def test_what_the_model_finds_in_the_persons_words_is_remembered_with_its_origin(stage: Stage) -> None:
    engine = learn(stage, "I live in Lisbon with a cat.", proposed(("memory", "lives in Lisbon", 0)))

    (entry,) = known(stage)
    assert (entry.fact.text, entry.source) == ("lives in Lisbon", Source.LEARNED)
    assert entry.turn_id == stage.turns()[-1].id
    assert engine.requests[0].priority == JOBS_AFTER
    assert engine.requests[0].json_schema is not None


def test_plain_wishes_need_no_model(stage: Stage) -> None:
    learn(stage, "Please call me Annie. Never use emojis with me!", [EngineBusy("busy")])

    assert texts(stage) == ["Annie", "Never use emojis with me"]


def test_what_contradicts_gives_way_whether_the_model_says_so_or_not(stage: Stage) -> None:
    learn(stage, "I live in Lisbon.", proposed(("memory", "lives in Lisbon", 0)))
    learn(stage, "I live in Berlin now.", proposed(("memory", "lives in Berlin", 0)))
    learn(stage, "I love green tea.", proposed(("memory", "loves green tea", 0)))

    learn(stage, "I hate green tea these days.", proposed(("memory", "hates green tea", 2)))

    assert texts(stage) == ["lives in Berlin", "hates green tea"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("I have 2 cats", "I have 3 cats"),
        ("I play tennis on Mondays", "I play tennis on Tuesdays"),
        ("My meeting day is Monday", "My meeting day is Thursday"),
    ],
)
def test_a_correction_is_kept_however_near_its_meaning_is_to_what_it_corrects(
    stage: Stage, before: str, after: str
) -> None:
    stage.platform.meaning._make = LifelikeEmbedder
    learn(stage, f"{before}.", proposed(("memory", before, 0)))

    learn(stage, f"{after}.", proposed(("memory", after, 1)))

    assert texts(stage) == [after]


def test_what_is_only_near_in_meaning_stands_beside_what_was_known(stage: Stage) -> None:
    stage.platform.meaning._make = LifelikeEmbedder
    learn(stage, "I play tennis on Mondays.", proposed(("memory", "I play tennis on Mondays", 0)))

    learn(stage, "I play tennis on Fridays too.", proposed(("memory", "I play tennis on Fridays too", 0)))

    assert texts(stage) == ["I play tennis on Mondays", "I play tennis on Fridays too"]


def test_what_was_told_stays_told_when_it_is_learned_again(stage: Stage) -> None:
    stage.command("memory add I play the cello")

    learn(stage, "I play the cello.", proposed(("memory", "plays the cello", 0)))

    assert [(one.fact.text, one.source) for one in known(stage)] == [("I play the cello", Source.TOLD)]


@pytest.mark.parametrize("make", [FakeEmbedder, lambda: None], ids=["by meaning", "by words"])
def test_the_model_is_told_what_is_near_to_the_message_of_much_that_is_known(stage: Stage, make: Any) -> None:
    stage.platform.meaning._make = make
    stage.platform.meaning.load()
    for number in range(40):
        stage.command(f"memory add subject {number} was dull")
    stage.command("memory add My parrot Rosa sings")

    engine = learn(stage, "My parrot Rosa has died.", proposed(("memory", "parrot Rosa has died", MOST_KNOWN)))

    shown = engine.requests[0].messages[1].content
    assert f"{MOST_KNOWN}. My parrot Rosa sings" in shown
    assert f"{MOST_KNOWN + 1}. " not in shown
    assert "My parrot Rosa sings" not in texts(stage)
    assert len(texts(stage)) == 41


def test_a_model_that_replaces_at_random_wipes_nothing(stage: Stage) -> None:
    learn(stage, "I play the cello.", proposed(("memory", "plays the cello", 0)))

    learn(stage, "I love green tea.", proposed(("memory", "loves green tea", 1)))

    assert texts(stage) == ["plays the cello", "loves green tea"]


@pytest.mark.parametrize(
    ("message", "found"),
    [
        ("I was diagnosed with diabetes, I am a baker.", "was diagnosed with diabetes"),
        ("My password is sunflower77.", "password is sunflower77"),
        ("我是基督徒，住在成都。", "是基督徒"),
    ],
)
def test_sensitive_matters_are_not_learned(stage: Stage, message: str, found: str) -> None:
    learn(stage, message, proposed(("memory", found, 0)))

    assert texts(stage) == []


def test_nor_are_those_that_only_a_second_look_sees(stage: Stage) -> None:
    stage.platform.second_look._make = FakeEmbedder
    said = "I have to inject myself before every meal"

    learn(stage, f"I play the cello. {said}.", proposed(("memory", "plays the cello", 0), ("memory", said, 0)))

    assert texts(stage) == ["plays the cello"]


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        ("Please remember that I have asthma.", "I have asthma"),
        ("请记住我对花生过敏。", "我对花生过敏"),
    ],
)
def test_unless_the_person_says_to_remember_them(stage: Stage, message: str, kept: str) -> None:
    learn(stage, message)

    (entry,) = known(stage)
    assert (entry.fact.text, entry.source) == (kept, Source.TOLD)


def test_nothing_is_learned_in_a_group_or_of_someone_who_did_not_agree(stage: Stage) -> None:
    found = proposed(("memory", "lives in Lisbon", 0))
    learn(stage, "I live in Lisbon.", found, chat="group", is_private=False)
    learn(stage, "I live in Lisbon.", found, sender="ben")

    assert texts(stage) == []


def test_a_no_that_comes_while_the_model_thinks_counts(stage: Stage) -> None:
    said_no: list[Step] = [lambda: stage.command("privacy no"), *proposed(("memory", "lives in Lisbon", 0))]

    learn(stage, "I live in Lisbon.", said_no)

    assert texts(stage) == []


def test_questions_cost_no_model(stage: Stage) -> None:
    assert learn(stage, "What is my name?").requests == []


@pytest.mark.parametrize("answer", ["", "I cannot do that.", '{"facts": [{"kind": 1}]}'])
def test_a_model_that_answers_nonsense_teaches_nothing(stage: Stage, answer: str) -> None:
    learn(stage, "I live in Lisbon.", [answer])

    assert texts(stage) == []


@pytest.mark.parametrize("piece", ["I'm interested in subject {}. ", "Remember that thing {} is blue. "])
def test_of_one_message_no_more_is_learned_than_anybody_tells(stage: Stage, piece: str) -> None:
    learn(stage, "".join(piece.format(number) for number in range(50)))

    assert len(texts(stage)) == 20
