"""What is said without being asked: to subscribers and as files in private; once, sealed, behind people's answers."""

from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from parlour.people.states import UserState
from parlour.privacy.retention import purge_expired
from parlour.sdk.errors import NotAvailable, TooMuch
from parlour.sdk.replies import Button, Buttons, File, Reply, Text
from parlour.skills.desk import Whose
from parlour.store.errors import DatabaseLocked
from parlour.store.ids import ConversationId, SkillId, UserId, WorkspaceId, new_id
from parlour.store.models import Account, Attachment, Delivery, Turn, User
from parlour.store.outbound_models import Subscription
from parlour.store.skill_models import SkillRow
from parlour.turns import notify, sending
from parlour.turns.announce import announce
from parlour.turns.ports import Frame, Live, Taken
from parlour.turns.sending import NoPrivateChat
from parlour.turns.states import ANNOUNCED, Author
from tests.fakes.turns import FakeMessenger, ScriptedEngine
from tests.support.stage import Stage, until

NEWS: list[Reply] = [Text("Something happened.")]


@pytest.fixture
def skill_id(stage: Stage) -> SkillId:
    """A skill's row, without a skill."""
    row_id, now = new_id(), stage.clock.now()
    with stage.platform.database.begin() as session:
        session.add(
            SkillRow(
                id=row_id,
                workspace_id=stage.platform.accounts.ensure_workspace(),
                name="news",
                version="1.0",
                state="enabled",
                manifest="{}",
                lock="",
                folder="",
                installed_at=now,
                updated_at=now,
            )
        )
    return SkillId(row_id)


def whose(stage: Stage, skill_id: SkillId, taken: Taken | None) -> Whose:
    """The run of that turn, or a job's."""
    workspace_id = WorkspaceId(stage.platform.accounts.ensure_workspace())
    if taken is None:
        return Whose(skill_id, workspace_id, None)
    return Whose(skill_id, workspace_id, UserId(stage.turn(taken).user_id), taken.conversation_id)


def subscribed(stage: Stage, skill_id: SkillId, *people: str, topic: str = "alerts") -> Whose:
    """These people subscribe in their own chats; returns the job that tells them."""
    for person in people:
        taken = stage.answered("hello", sender=person)
        stage.platform.notifier.subscribe(whose(stage, skill_id, taken), topic)
    return whose(stage, skill_id, None)


def tell(stage: Stage, job: Whose, *, topic: str = "alerts", once: str = "", replies: list[Reply] = NEWS) -> int:
    return stage.platform.notifier.tell(job, topic, replies, once=once)


def due(stage: Stage) -> list[float]:
    """When each announcement is due, in seconds from now."""
    now = stage.clock.now()
    with stage.platform.database.read() as session:
        found = session.scalars(
            select(Delivery.due_at)
            .join(Turn, Turn.id == Delivery.turn_id)
            .where(Turn.kind == "announced")
            .order_by(Delivery.due_at)
        )
        return [(moment - now).total_seconds() for moment in found]


# ---- subscribers ----


def test_all_who_subscribed_to_the_topic_are_told_and_nobody_else(stage: Stage, skill_id: SkillId) -> None:
    job = subscribed(stage, skill_id, "ann", "ben")
    subscribed(stage, skill_id, "eve", topic="sports")

    told = tell(stage, job)

    assert told == 2
    assert stage.messages(Author.ASSISTANT.value).count("Something happened.") == 2


def test_subscribing_twice_is_subscribing_once_and_ending_it_ends_it(stage: Stage, skill_id: SkillId) -> None:
    job = subscribed(stage, skill_id, "ann", "ann")
    assert tell(stage, job) == 1

    taken = stage.say("stop that")
    stage.platform.notifier.unsubscribe(whose(stage, skill_id, taken), "alerts")

    assert tell(stage, job) == 0


def test_another_skill_with_the_same_topic_is_another_matter(stage: Stage, skill_id: SkillId) -> None:
    subscribed(stage, skill_id, "ann")

    assert tell(stage, whose(stage, SkillId(new_id()), None)) == 0


def test_what_was_told_once_is_told_to_nobody_again_but_to_those_left_out(stage: Stage, skill_id: SkillId) -> None:
    job = subscribed(stage, skill_id, "ann")

    first, again = tell(stage, job, once="surge-1"), tell(stage, job, once="surge-1")
    subscribed(stage, skill_id, "ben")
    late, other = tell(stage, job, once="surge-1"), tell(stage, job, once="surge-2")

    assert (first, again, late, other) == (1, 0, 1, 2)


def test_those_whose_conversations_were_locked_are_told_all_the_same(
    stage: Stage, skill_id: SkillId, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = subscribed(stage, skill_id, "ann", "ben")
    tries = count(1)

    def locked_at_first(*parts: Any, **more: Any) -> Live | None:
        if next(tries) == 2:
            raise DatabaseLocked("a deadlock, and this was its end")
        return announce(*parts, **more)

    monkeypatch.setattr(notify, "announce", locked_at_first)

    assert tell(stage, job) == 2
    assert stage.messages(Author.ASSISTANT.value).count("Something happened.") == 2


async def test_news_is_posted_once_with_all_that_belongs_to_it(stage: Stage, skill_id: SkillId) -> None:
    job = subscribed(stage, skill_id, "ann")
    messenger = FakeMessenger(stage.account_id)
    replies: list[Reply] = [Text("News."), File("a.csv", b"a"), Buttons("Noted?", (Button("Yes", "/ok"),))]

    tell(stage, job, replies=replies)
    async with stage.posting(messenger):
        await until(lambda: {row.state for row in stage.deliveries()} == {"sent"}, "everything is sent")

    assert [post.file.name if post.file else post.text for post in messenger.posts] == [
        "All well.",
        "News.",
        "a.csv",
        "Noted?",
    ]
    assert messenger.posts[-1].buttons == ("Yes",)


def test_what_was_told_goes_when_its_time_is_over_and_its_turn_with_it(stage: Stage, skill_id: SkillId) -> None:
    tell(stage, subscribed(stage, skill_id, "ann"))
    before = [turn.kind for turn in stage.turns()]

    purge_expired(stage.platform.database, now=stage.clock.now() + timedelta(days=366))

    assert before == ["message", ANNOUNCED]
    assert stage.turns() == []


def test_gateways_are_told_after_the_commit(stage: Stage, skill_id: SkillId) -> None:
    job = subscribed(stage, skill_id, "ann")
    before = len(stage.bus.of(Frame.READY))

    tell(stage, job)

    (frame,) = stage.bus.of(Frame.READY)[before:]
    assert frame.account_id == stage.account_id


def test_a_large_audience_is_spread_so_that_answers_go_in_between(stage: Stage, skill_id: SkillId) -> None:
    job = subscribed(stage, skill_id, *(f"person{number}" for number in range(60)))

    assert tell(stage, job) == 60

    assert due(stage) == pytest.approx([number / 10 for number in range(60)])


def test_news_that_is_put_off_goes_with_the_next_answer_and_does_not_hold_it_up(
    stage: Stage, skill_id: SkillId
) -> None:
    job = subscribed(stage, skill_id, *(f"person{number}" for number in range(20)))
    assert tell(stage, job) == 20

    taken = stage.say("and me?", sender="person19")
    stage.work(stage.worker())

    of_theirs = [row for row in stage.deliveries() if row.conversation_id == taken.conversation_id]
    assert [row.due_at <= stage.clock.now() for row in of_theirs] == [True] * len(of_theirs)
    assert len([at for at in due(stage) if at > 0]) == 18


def test_an_answer_is_not_held_up_by_news_that_came_in_the_middle_of_it(stage: Stage, skill_id: SkillId) -> None:
    job = subscribed(stage, skill_id, "ann")
    worker = stage.worker(ScriptedEngine(["One, ", lambda: tell(stage, job), "two."]))

    stage.say("count")
    stage.work(worker)

    assert stage.messages(Author.ASSISTANT.value)[-2:] == ["Something happened.", "One, two."]
    assert stage.states()[-2:] == ["answered", "answered"]


def test_the_assistant_knows_what_it_told(stage: Stage, skill_id: SkillId) -> None:
    tell(stage, subscribed(stage, skill_id, "ann"))
    engine = ScriptedEngine()

    stage.say("why?")
    stage.work(stage.worker(engine))

    assert engine.prompt[-2:] == [("assistant", "All well.\n\nSomething happened."), ("user", "why?")]


def test_a_fresh_start_forgets_the_news_and_keeps_the_subscription(stage: Stage, skill_id: SkillId) -> None:
    job = subscribed(stage, skill_id, "ann")
    tell(stage, job)
    stage.command("new")
    engine = ScriptedEngine()

    stage.say("hi")
    stage.work(stage.worker(engine))

    assert engine.prompt == [("user", "hi")]
    assert tell(stage, job) == 1


def test_news_before_the_first_word_is_quoted_in_it(stage: Stage, skill_id: SkillId) -> None:
    """A prompt begins with the user: dropping what they ask about would leave nothing to answer from."""
    job = subscribed(stage, skill_id, "ann")
    stage.command("new")
    tell(stage, job, replies=[Text("ACME fell.\n\nBy a third.")])
    engine = ScriptedEngine()

    stage.say("why?")
    stage.work(stage.worker(engine))

    assert engine.prompt == [("user", "“ACME fell.\n\nBy a third.”\n\nwhy?")]


@pytest.mark.parametrize("what", ["blocked", "erased", "removed"])
def test_who_can_or_shall_not_be_told_is_left_out(stage: Stage, skill_id: SkillId, what: str) -> None:
    job = subscribed(stage, skill_id, "ann")
    with stage.platform.database.begin() as session:
        if what == "removed":
            session.execute(update(Account).values(state="removed"))
        elif what == "blocked":
            session.execute(update(User).values(state=UserState.BLOCKED.value))
    if what == "erased":
        stage.shred(stage.turns()[0].user_id)

    assert tell(stage, job) == 0
    assert len(stage.turns()) == 1


def test_a_persons_subscriptions_go_with_the_person(stage: Stage, skill_id: SkillId) -> None:
    subscribed(stage, skill_id, "ann")

    with stage.platform.database.begin() as session:
        session.execute(delete(User))

    assert stage.count(Subscription) == 0


def test_nobody_reads_what_somebody_watches(stage: Stage, skill_id: SkillId) -> None:
    subscribed(stage, skill_id, "ann", topic="divorce lawyers")

    with stage.platform.database.read() as session:
        cells = [cell for row in session.execute(select(Subscription.__table__)) for cell in row]
    assert not any(b"divorce" in cell for cell in cells if isinstance(cell, bytes))


def test_a_job_has_no_conversation_to_subscribe(stage: Stage, skill_id: SkillId) -> None:
    with pytest.raises(NotAvailable):
        stage.platform.notifier.subscribe(whose(stage, skill_id, None), "alerts")


def test_a_skill_that_cannot_stop_talking_is_stopped(stage: Stage, skill_id: SkillId) -> None:
    job = whose(stage, skill_id, None)
    for _ in range(60):
        tell(stage, job)

    with pytest.raises(TooMuch, match="60 calls a minute"):
        tell(stage, job)


# ---- files in private ----


def test_a_file_goes_to_the_private_chat_that_was_used_last(stage: Stage) -> None:
    first = stage.answered("hello", chat="old")
    stage.clock.advance(60)
    last = stage.answered("hello", chat="new")
    stage.clock.advance(60)
    stage.answered("hello", chat="team", is_private=False)
    user_id = UserId(stage.turn(first).user_id)

    place = stage.platform.file_sender.send_file(user_id, "export.zip", b"PK", "Here is **all** of it.")
    chosen = stage.platform.file_sender.send_file(
        user_id, "export.zip", b"PK", "Again.", conversation_id=first.conversation_id
    )

    assert (place, chosen) == (last.conversation_id, first.conversation_id)
    said = stage.platform.history.messages(place)[-1]
    assert (said.author, said.text, [one.name for one in said.enclosures]) == (
        "notice",
        "Here is **all** of it.",
        ["export.zip"],
    )


def test_a_file_that_is_sent_once_is_sent_once(stage: Stage) -> None:
    user_id = UserId(stage.turn(stage.answered("hello")).user_id)

    for _ in range(2):
        stage.platform.file_sender.send_file(user_id, "export.zip", b"PK", "Here.", once="export-1")

    assert stage.count(Attachment) == 1


def test_a_file_for_nobodys_chat_is_refused(stage: Stage) -> None:
    taken = stage.answered("hello", chat="team", is_private=False)
    mine = UserId(stage.turn(taken).user_id)
    other = stage.answered("hello", sender="ben")

    with pytest.raises(NoPrivateChat):
        stage.platform.file_sender.send_file(mine, "a", b"x", "", conversation_id=other.conversation_id)
    with pytest.raises(NoPrivateChat):
        stage.platform.file_sender.send_file(UserId(new_id()), "a", b"x", "", conversation_id=ConversationId(new_id()))


def test_a_file_that_no_messenger_takes_is_refused_with_the_limit(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "LARGEST_BYTES", 10)

    with pytest.raises(ValueError, match="the most that can be sent is 10"):
        stage.platform.file_sender.send_file(UserId(new_id()), "a.zip", b"x" * 11, "")


def test_an_erased_person_is_sent_nothing(stage: Stage) -> None:
    user_id = UserId(stage.turn(stage.answered("hello")).user_id)
    stage.shred(user_id)

    stage.platform.file_sender.send_file(user_id, "a.zip", b"x", "Here.")

    assert stage.count(Attachment) == 0
    assert timedelta(0) == timedelta(sum(due(stage)))
