"""What the model gets to read."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import update

from parlour.engines.errors import PromptTooLong
from parlour.store.models import Message, Turn, Workspace
from parlour.turns.context import PromptBuilder, Remark
from parlour.turns.order import Claim
from tests.fakes.turns import ScriptedEngine
from tests.support.stage import Stage


def asked(stage: Stage, text: str, **details: str | bool) -> ScriptedEngine:
    """The engine after it answered `text`."""
    engine = ScriptedEngine()
    stage.say(text, **details)
    stage.work(stage.worker(engine))
    return engine


# ---- what of the conversation ----


def test_the_conversation_goes_into_the_prompt_in_order(stage: Stage) -> None:
    stage.answered("my name is Ann", says=["Hello Ann."])
    stage.answered("I like plants", says=["Which ones?"])

    engine = asked(stage, "who am I?")

    assert engine.prompt == [
        ("user", "my name is Ann"),
        ("assistant", "Hello Ann."),
        ("user", "I like plants"),
        ("assistant", "Which ones?"),
        ("user", "who am I?"),
    ]


def test_a_question_comes_before_its_answer_whatever_the_clocks_said(stage: Stage) -> None:
    """Two processes write them, and a clock may be set back in between."""
    stage.answered("my name is Ann", says=["Hello Ann."])
    with stage.platform.database.begin() as session:
        long_before = stage.platform.clock.now() - timedelta(minutes=10)
        session.execute(update(Message).where(Message.author == "assistant").values(created_at=long_before))

    engine = asked(stage, "who am I?")

    assert engine.prompt == [("user", "my name is Ann"), ("assistant", "Hello Ann."), ("user", "who am I?")]


def test_another_conversation_is_none_of_this_ones_business(stage: Stage) -> None:
    stage.answered("my secret", sender="ben")
    stage.answered("my other secret", chat="elsewhere")

    assert asked(stage, "hello").prompt == [("user", "hello")]


def test_messages_behind_the_turn_are_not_read_yet(stage: Stage) -> None:
    engine = ScriptedEngine(["one"], ["two"])
    stage.say("first")
    stage.say("second")
    worker = stage.worker(engine)

    worker.answerer.answer(stage.queue.take()[0])

    assert engine.prompt == [("user", "first")]


def test_refusals_notices_and_commands_are_not_part_of_it(stage: Stage) -> None:
    stage.command("help")
    stage.say("x" * 40_000)

    assert asked(stage, "hello").prompt == [("user", "hello")]


def test_what_was_dropped_is_not_part_of_it(stage: Stage) -> None:
    stage.answered("an accident")
    with stage.platform.database.begin() as session:
        session.execute(update(Turn).values(state="dropped"))

    assert asked(stage, "hello").prompt == [("user", "hello")]


def test_a_question_that_failed_stays_part_of_it(stage: Stage) -> None:
    """The person said it, and two of their messages in a row are made one: many templates refuse anything else."""
    stage.say("first")
    stage.queue.take()
    with stage.platform.database.begin() as session:
        session.execute(update(Turn).values(state="failed"))

    assert asked(stage, "second").prompt == [("user", "first\n\nsecond")]


@pytest.mark.parametrize("gone", [Stage.shred, Stage.lose_key])
def test_what_a_person_without_a_key_said_in_a_group_is_left_out(
    stage: Stage, gone: Callable[[Stage, UUID], None]
) -> None:
    """G8, G10: erased, or lost with a key store restored from before; nobody can read it, and the others go on."""
    stage.answered("ben's words", sender="ben", chat="group", is_private=False)
    stage.answered("ann's words", chat="group", is_private=False)
    gone(stage, stage.turns()[0].user_id)

    engine = asked(stage, "and now?", chat="group", is_private=False)

    assert engine.prompt == [("user", "ann's words"), ("assistant", "All well."), ("user", "and now?")]


# ---- the system message ----


def test_the_language_of_the_question_is_asked_for(stage: Stage) -> None:
    assert asked(stage, "你好，今天天气怎么样？").system.endswith("Answer in Chinese.")
    assert asked(stage, "And what about tomorrow, please?").system.endswith("Answer in English.")


def test_the_workspaces_own_prompt_beats_the_default(stage: Stage) -> None:
    with stage.platform.database.begin() as session:
        session.execute(update(Workspace).values(system_prompt="You sell plants."))

    assert asked(stage, "hello").system.startswith("You sell plants.")


def test_without_one_the_default_prompt_is_used(stage: Stage) -> None:
    assert asked(stage, "hello").system.startswith(stage.settings.turns.system_prompt)


# ---- fitting the window ----

WORDS = "one two three four five six seven eight nine"  # ten tokens as a message


def built(claim: Claim, texts: list[str], *, room: int) -> list[str]:
    """The texts that fit into `room` tokens besides the system message."""
    engine = ScriptedEngine()
    said = [_remark(text, "user" if number % 2 == 0 else "assistant") for number, text in enumerate(texts)]
    said[-1] = _remark(texts[-1], "user", is_asked=True)
    probe = PromptBuilder(engine.count_tokens, context_tokens=10_000, answer_tokens=0)
    system = engine.count_tokens(probe.build(claim, said, default_prompt="Be brief.")[:1])
    builder = PromptBuilder(engine.count_tokens, context_tokens=system + room + 50, answer_tokens=50)
    return [message.content for message in builder.build(claim, said, default_prompt="Be brief.")[1:]]


@pytest.fixture
def claim(stage: Stage) -> Claim:
    taken = stage.say("hello")
    assert taken.turn_id
    found = stage.worker().claim(taken.turn_id)
    assert found
    return found


def test_what_fits_is_all_there(claim: Claim) -> None:
    texts = [f"{number} {WORDS}" for number in range(3)]

    assert built(claim, texts, room=33) == texts


def test_the_oldest_are_left_out_first(claim: Claim) -> None:
    texts = [f"{number} {WORDS}" for number in range(5)]

    assert built(claim, texts, room=33) == texts[2:]


def test_nothing_behind_a_gap_is_let_in(claim: Claim) -> None:
    """A short old message would fit, but without what followed it means something else."""
    texts = ["yes", "ok", f"{WORDS} {WORDS} {WORDS}", "short", "question"]

    assert built(claim, texts, room=20) == ["question"]


def test_no_message_is_ever_cut(claim: Claim) -> None:
    texts = [f"{number} {WORDS}" for number in range(5)]

    for room in range(11, 60):
        assert all(text in texts for text in built(claim, texts, room=room))


def test_a_prompt_begins_with_the_persons_words(claim: Claim) -> None:
    """An answer whose question was left out says nothing, and many templates refuse it."""
    texts = [f"{number} {WORDS}" for number in range(5)]

    assert built(claim, texts, room=22) == texts[4:]


def test_a_message_longer_than_the_window_is_refused(claim: Claim) -> None:
    with pytest.raises(PromptTooLong):
        built(claim, [f"{WORDS} {WORDS}"], room=15)


def test_an_answer_leaves_a_quarter_of_a_small_window_to_the_question(claim: Claim) -> None:
    engine = ScriptedEngine()
    builder = PromptBuilder(engine.count_tokens, context_tokens=100, answer_tokens=512)

    prompt = builder.build(claim, [_remark("hello", "user", is_asked=True)], default_prompt="Be brief.")

    assert prompt[-1].content == "hello"


def test_messages_and_instructions_are_counted_once_however_often_they_are_read(claim: Claim) -> None:
    engine = ScriptedEngine()
    builder = PromptBuilder(engine.count_tokens, context_tokens=1_000, answer_tokens=10)
    said = [_remark(WORDS, "user", is_asked=True)]
    builder.build(claim, said, default_prompt="Be brief.")
    before = len(engine.counted)
    assert before

    builder.build(claim, said, default_prompt="Be brief.")

    assert len(engine.counted) == before


def _remark(text: str, role: str, *, is_asked: bool = False) -> Remark:
    return Remark(uuid4(), role, text, is_asked)  # type: ignore[arg-type]
