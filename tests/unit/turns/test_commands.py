"""What commands do, in English and Chinese."""

import pytest
from sqlalchemy import select

from parlour.sdk.commands import RESERVED_COMMANDS
from parlour.store.models import Turn, User
from parlour.turns import commands
from parlour.turns.ports import IncomingAttachment, IncomingKind, Verdict
from parlour.turns.wording import TEXTS, say
from tests.fakes.turns import ScriptedEngine
from tests.support.stage import Stage

BOTH = pytest.mark.parametrize("language", ["en", "zh"])


@BOTH
def test_help_lists_every_command(stage: Stage, language: str) -> None:
    taken = stage.command("help", language=language)

    (reply,) = stage.messages("notice")
    assert taken.verdict is Verdict.REPLIED
    for command in commands.ALL:
        assert f"/{command.name}: {command.describe(language)}" in reply


@BOTH
@pytest.mark.parametrize(
    ("command", "key"),
    [
        ("skills", "skills"),
        ("new", "new"),
        ("stop", "nothing_to_stop"),
        ("retry", "nothing_to_retry"),
        ("language auto", "language_auto"),
        ("mode queue", "mode_queue"),
        ("mode merge", "mode_merge"),
        ("MODE Interrupt", "mode_interrupt"),
        ("mode", "mode_unknown"),
        ("mode fast", "mode_unknown"),
    ],
)
def test_a_command_replies_in_the_persons_language(stage: Stage, command: str, key: str, language: str) -> None:
    taken = stage.command(command, language=language)

    assert taken.verdict is Verdict.REPLIED
    assert stage.messages("notice") == [TEXTS[key][language]]
    assert stage.states() == ["answered"]
    assert stage.queue.take() == []


@BOTH
def test_an_unknown_command_is_named(stage: Stage, language: str) -> None:
    stage.command("frobnicate now", language=language)

    assert stage.messages("notice") == [say("unknown_command", language, given="frobnicate")]


@BOTH
def test_privacy_tells_how_long_messages_are_kept(stage: Stage, language: str) -> None:
    stage.command("privacy", language=language)

    (told,) = stage.messages("notice")
    assert told.startswith(say("privacy", language, days=90))


@pytest.mark.parametrize("given", ["{reference}", "%s", "x" * 5_000, "<b>", "{0.__class__}"])
def test_what_was_typed_is_quoted_as_it_is_and_cut(stage: Stage, given: str) -> None:
    stage.command(given)

    assert stage.messages("notice") == [say("unknown_command", "en", given=given[:32])]


@pytest.mark.parametrize(
    ("given", "reply"),
    [
        ("zh", "从现在起我会用中文回答。"),
        ("de", "I will answer in German from now on."),
        ("ZH-Hans", "从现在起我会用中文回答。"),
    ],
)
def test_a_language_is_set(stage: Stage, given: str, reply: str) -> None:
    stage.command(f"language {given}")

    assert stage.messages("notice") == [reply]
    with stage.platform.database.read() as session:
        assert session.scalars(select(User.language)).one() == given[:2].lower()


def test_a_language_that_was_set_beats_the_one_a_message_is_in(stage: Stage) -> None:
    stage.command("language fr")
    taken = stage.say("Could you please tell me what the weather will be like?")

    assert stage.turn(taken).language == "fr"


def test_a_language_set_to_auto_follows_the_messages_again(stage: Stage) -> None:
    stage.command("language fr")
    stage.command("language auto")
    taken = stage.say("Could you please tell me what the weather will be like?")

    assert stage.turn(taken).language == "en"


def test_an_unknown_language_is_refused(stage: Stage) -> None:
    stage.command("language klingon")

    assert stage.messages("notice") == [say("language_unknown", "en", given="klingon")]


def test_a_command_delivered_again_does_nothing_again(stage: Stage) -> None:
    event = stage.incoming("new", kind=IncomingKind.COMMAND)
    stage.platform.intake.receive(event)
    taken = stage.say("hello")

    again = stage.platform.intake.receive(event)

    assert again.verdict is Verdict.DUPLICATE
    assert stage.conversation(taken).fresh_from_seq == 1


def test_new_hides_what_was_said_before_from_the_model(stage: Stage) -> None:
    stage.answered("my name is Ann")
    stage.command("new")
    engine = ScriptedEngine()
    stage.say("what is my name?")

    stage.work(stage.worker(engine))

    assert engine.prompt == [("user", "what is my name?")]


def test_a_message_that_still_waited_when_new_came_is_answered(stage: Stage) -> None:
    """Without it a question would vanish without a word."""
    stage.say("first question")
    stage.say("second question")
    stage.command("new")
    engine = ScriptedEngine(["one"], ["two"])

    stage.work(stage.worker(engine))

    assert stage.messages("assistant") == ["one", "two"]
    assert engine.prompt == [("user", "second question")]


def test_stop_ends_what_waits_and_says_so(stage: Stage) -> None:
    stage.say("hello")

    stage.command("stop")

    assert stage.states() == ["stopped", "answered"]
    assert stage.messages("notice") == ["Stopped."]


def test_stop_reaches_only_its_own_conversation(stage: Stage) -> None:
    stage.say("hello", sender="ben")

    stage.command("stop")

    assert "queued" in stage.states()


def test_retry_asks_again_and_the_first_answer_leaves_the_prompt(stage: Stage) -> None:
    stage.answered("tell me a joke", says=["Knock knock."])
    engine = ScriptedEngine(["Another one."])

    taken = stage.command("retry")
    stage.work(stage.worker(engine))

    assert taken.verdict is Verdict.ACCEPTED
    assert engine.prompt == [("user", "tell me a joke")]
    assert stage.messages("assistant") == ["Knock knock.", "Another one."]
    assert [turn.state for turn in stage.turns()] == ["replaced", "answered"]


def test_retry_asks_again_what_failed(stage: Stage) -> None:
    taken = stage.say("hello")
    with stage.platform.database.begin() as session:
        turn = session.get_one(Turn, taken.turn_id)
        turn.state = "failed"

    stage.command("retry")
    stage.work(stage.worker())

    assert stage.messages("assistant") == ["All well."]


def test_retry_takes_only_the_persons_own_message(stage: Stage) -> None:
    """In a group: what someone else asked is theirs to ask again."""
    stage.answered("a question", chat="group", is_private=False)

    stage.command("retry", sender="ben", chat="group", is_private=False)

    assert stage.messages("notice") == [TEXTS["nothing_to_retry"]["en"]]


def test_retry_after_a_command_repeats_the_message_before_it(stage: Stage) -> None:
    stage.answered("tell me a joke")
    stage.command("help")

    taken = stage.command("retry")

    assert taken.verdict is Verdict.ACCEPTED


def test_retry_can_be_retried(stage: Stage) -> None:
    stage.answered("tell me a joke")
    for _ in range(2):
        stage.command("retry")
        stage.work(stage.worker())

    assert stage.states() == ["replaced", "replaced", "answered"]


def test_a_file_alone_cannot_be_asked_again(stage: Stage) -> None:
    stage.answered("", attachments=(IncomingAttachment("a.pdf", "application/pdf", "ref", 10),))

    assert stage.command("retry").verdict is Verdict.REPLIED


def test_every_command_has_a_description_in_both_languages() -> None:
    for command in commands.ALL:
        assert command.english != command.chinese
        assert any("\u4e00" <= char <= "\u9fff" for char in command.chinese)


def test_no_skill_may_have_or_press_a_command_of_the_platform() -> None:
    assert set(commands.BY_NAME) == RESERVED_COMMANDS
