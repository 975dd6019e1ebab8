"""Answers with files, pictures and buttons: kept sealed, posted once and in order, pressed in somebody's name."""

from collections.abc import Iterator
from typing import Any, Self

import pytest
from sqlalchemy import delete, select

from parlour.engines.protocol import Piece
from parlour.sdk.replies import Button
from parlour.skills.rich import Enclosed, Rich
from parlour.store.ids import AttachmentId, ConversationId, new_id
from parlour.store.models import Attachment, Message
from parlour.turns.ports import DraftLost, IncomingKind, OutcomeUnknown, Taken, Verdict
from parlour.turns.said import Said
from parlour.turns.states import Author
from tests.fakes.turns import FakeMessenger, ScriptedEngine
from tests.support.stage import Stage, until

PICTURE = Enclosed("chart.png", "image/png", b"the picture", alt="Growth", words="**Growth**\n\n| Mon | 1 |")
REPORT = Enclosed("report.csv", "text/csv", b"a,b", words="[report.csv, 3 bytes]")
BUTTONS = (Button("More", "/notes more"), Button("说谢谢", "thank you"))
EVERYTHING = Rich((PICTURE, REPORT), BUTTONS, "What next?")


class Skilled:
    """A skill's answer, and the way to it."""

    route = None
    failure = None

    def __init__(self, text: str, rich: Rich) -> None:
        self.text, self.rich = text, rich

    def stream(self, *_: Any) -> Self:
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __iter__(self) -> Iterator[Piece]:
        yield Piece(self.text)
        yield Piece("", finish="stop")

    def cancel(self) -> None:
        pass


def answered(stage: Stage, text: str, rich: Rich, **details: Any) -> Taken:
    """Somebody writes, and a skill answers that."""
    taken = stage.say("hello", **details)
    worker = stage.worker()
    worker.answerer._skills = Skilled(text, rich)  # type: ignore[assignment]
    stage.work(worker)
    return taken


def last_said(stage: Stage, taken: Taken) -> Said:
    assert taken.conversation_id
    return stage.platform.history.messages(taken.conversation_id)[-1]


@pytest.fixture
def messenger(stage: Stage) -> FakeMessenger:
    return FakeMessenger(stage.account_id)


async def posted(stage: Stage, messenger: FakeMessenger) -> None:
    """Post all that is due, and what becomes due."""

    def is_done() -> bool:
        stage.pass_time(1)
        return {row.state for row in stage.deliveries()} <= {"sent", "failed"}

    async with stage.posting(messenger):
        await until(is_done, "everything is sent")


def seen(messenger: FakeMessenger) -> list[str]:
    """What was posted, in order: texts, and the names of files."""
    return [post.file.name if post.file else post.text for post in messenger.posts]


# ---- kept ----


def test_what_an_answer_has_besides_its_text_is_read_back_whole(stage: Stage) -> None:
    taken = answered(stage, "Here.", EVERYTHING)

    said = last_said(stage, taken)
    assert taken.conversation_id
    files = [stage.platform.history.file(taken.conversation_id, one.id) for one in said.enclosures]
    assert (said.text, said.closing, said.buttons) == ("Here.", "What next?", BUTTONS)
    assert [(file.name, file.content) for file in files if file] == [
        ("chart.png", b"the picture"),
        ("report.csv", b"a,b"),
    ]


def test_nothing_of_it_lies_in_the_clear(stage: Stage) -> None:
    answered(stage, "Here.", EVERYTHING)

    with stage.platform.database.read() as session:
        cells = [cell for row in session.execute(select(Attachment.__table__)) for cell in row]
        cells += [cell for row in session.execute(select(Message.__table__)) for cell in row]
    whole = b"".join(cell if isinstance(cell, bytes) else str(cell).encode() for cell in cells)
    for secret in (b"the picture", b"report.csv", b"Growth", b"thank you", b"text/csv"):
        assert secret not in whole


def test_a_file_is_for_its_own_conversation_only(stage: Stage) -> None:
    mine = answered(stage, "Here.", EVERYTHING)
    other = stage.say("hi", sender="bob")

    (picture, _) = last_said(stage, mine).enclosures

    assert other.conversation_id
    assert stage.platform.history.file(other.conversation_id, picture.id) is None
    assert stage.platform.history.file(other.conversation_id, AttachmentId(new_id())) is None


def test_files_go_when_their_answer_does(stage: Stage) -> None:
    answered(stage, "Here.", EVERYTHING)

    with stage.platform.database.begin() as session:
        session.execute(delete(Message))

    assert stage.count(Attachment) == 0


def test_the_model_knows_what_a_chart_showed(stage: Stage) -> None:
    answered(stage, "Here.", EVERYTHING)
    engine = ScriptedEngine()

    stage.say("why?")
    stage.work(stage.worker(engine))

    assert ("assistant", "Here.\n\nWhat next?\n\n**Growth**\n\n| Mon | 1 |\n\n[report.csv, 3 bytes]") in engine.prompt


def test_a_plain_answer_has_no_extras(stage: Stage) -> None:
    taken = stage.answered("hello")

    with stage.platform.database.read() as session:
        assert set(session.scalars(select(Message.extras))) == {None}
    assert last_said(stage, taken).buttons == ()


# ---- posted ----


async def test_text_then_files_then_what_the_buttons_are_about(stage: Stage, messenger: FakeMessenger) -> None:
    answered(stage, "Here.", EVERYTHING)

    await posted(stage, messenger)

    assert seen(messenger) == ["Here.", "chart.png", "report.csv", "What next?"]
    assert [post.buttons for post in messenger.posts] == [(), (), (), ("More", "说谢谢")]
    assert [post.asks_feedback for post in messenger.posts] == [False, False, False, True]
    assert [post.file.content for post in messenger.posts if post.file] == [b"the picture", b"a,b"]


async def test_buttons_without_files_stand_below_the_text(stage: Stage, messenger: FakeMessenger) -> None:
    answered(stage, "Which one?", Rich(buttons=BUTTONS))

    await posted(stage, messenger)

    assert seen(messenger) == ["Which one?"]
    assert messenger.posts[0].buttons == ("More", "说谢谢")


async def test_an_answer_may_be_a_file_alone(stage: Stage, messenger: FakeMessenger) -> None:
    answered(stage, "", Rich((REPORT,)))

    await posted(stage, messenger)

    assert seen(messenger) == ["report.csv"]
    assert stage.messages(Author.ASSISTANT.value) == [""]


async def test_a_file_whose_outcome_is_unknown_is_settled_and_not_sent_again(
    stage: Stage, messenger: FakeMessenger
) -> None:
    answered(stage, "Here.", EVERYTHING)
    messenger.fail("send", OutcomeUnknown("lost"), skip=1, is_done=True)

    await posted(stage, messenger)

    assert [post.file.name for post in messenger.settled if post.file] == ["chart.png"]
    assert len(messenger.board) == 4


async def test_a_gateway_that_dies_in_the_middle_leaves_the_rest_to_the_next(
    stage: Stage, messenger: FakeMessenger
) -> None:
    answered(stage, "Here.", EVERYTHING)
    first, second = stage.ledger(), stage.ledger(owner="gateway-2")
    first.hold(stage.account_id)
    first.take_due(messenger, limit=1)
    stage.clock.advance(3600)

    second.hold(stage.account_id)
    await posted(stage, messenger)

    assert len(messenger.settled) == 1
    assert seen(messenger) == ["Here.", "chart.png", "report.csv", "What next?"]


async def test_a_file_that_is_gone_ends_its_delivery_and_no_other(stage: Stage, messenger: FakeMessenger) -> None:
    answered(stage, "Here.", EVERYTHING)
    with stage.platform.database.begin() as session:
        session.execute(delete(Attachment))
    stage.answered("and then?")

    await posted(stage, messenger)

    assert [(row.state, row.error) for row in stage.deliveries()] == [("failed", "file_gone"), ("sent", None)]
    assert seen(messenger) == ["Here.", "All well."]


async def test_nothing_of_an_erased_person_is_posted(stage: Stage, messenger: FakeMessenger) -> None:
    taken = answered(stage, "Here.", EVERYTHING)
    stage.shred(stage.turn(taken).user_id)

    await posted(stage, messenger)

    assert messenger.posts == []


async def test_a_lost_draft_costs_nothing_of_a_rich_answer(stage: Stage, messenger: FakeMessenger) -> None:
    answered(stage, "Here.", EVERYTHING)
    messenger.fail("send", DraftLost())

    await posted(stage, messenger)

    assert [posted.text for posted in messenger.board.values()] == ["Here.", "", "", "What next?"]


# ---- pressed ----


async def _pressed(stage: Stage, messenger: FakeMessenger, number: str, **details: Any) -> Taken:
    await posted(stage, messenger)
    key = list(messenger.board)[-1]
    return stage.say(number, kind=IncomingKind.PRESS, message_key=key, **details)


async def test_a_press_says_what_the_button_says_in_the_name_of_who_pressed(
    stage: Stage, messenger: FakeMessenger
) -> None:
    answered(stage, "Here.", EVERYTHING, chat="team", is_private=False)

    taken = await _pressed(stage, messenger, "1", sender="bob", chat="team", is_private=False)

    assert taken.verdict is Verdict.ACCEPTED
    assert stage.messages(Author.USER.value) == ["hello", "thank you"]
    assert stage.turns()[0].user_id != stage.turn(taken).user_id


async def test_a_button_may_be_a_command(stage: Stage, messenger: FakeMessenger) -> None:
    answered(stage, "Help?", Rich(buttons=(Button("Help", "/help"),)))

    taken = await _pressed(stage, messenger, "0")

    assert taken.verdict is Verdict.REPLIED
    assert "Just write to me" in stage.messages(Author.NOTICE.value)[-1]


async def test_a_press_that_comes_twice_is_one_turn(stage: Stage, messenger: FakeMessenger) -> None:
    answered(stage, "Here.", EVERYTHING)

    first = await _pressed(stage, messenger, "1", event_id="press-1")
    again = await _pressed(stage, messenger, "1", event_id="press-1")

    assert (first.verdict, again.verdict) == (Verdict.ACCEPTED, Verdict.DUPLICATE)
    assert first.turn_id == again.turn_id


@pytest.mark.parametrize("number", ["2", "-1", "", "x", "99999999999999"])
async def test_a_button_that_is_not_there_says_nothing(stage: Stage, messenger: FakeMessenger, number: str) -> None:
    answered(stage, "Here.", EVERYTHING)

    taken = await _pressed(stage, messenger, number)

    assert taken.verdict is Verdict.IGNORED
    assert stage.messages(Author.USER.value) == ["hello"]


async def test_a_button_of_another_chat_says_nothing(stage: Stage, messenger: FakeMessenger) -> None:
    answered(stage, "Here.", EVERYTHING)
    stage.say("hi", sender="bob")

    taken = await _pressed(stage, messenger, "1", sender="bob")

    assert taken.verdict is Verdict.IGNORED


def test_a_conversation_view_of_nothing_has_no_files(stage: Stage) -> None:
    assert stage.platform.history.file(ConversationId(new_id()), AttachmentId(new_id())) is None
