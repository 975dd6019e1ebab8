"""Taking events in: what is stored, what is refused, and that nothing happens twice (G1, G2)."""

from collections.abc import Callable
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update

from parlour.people.users import approve, block
from parlour.store.errors import DatabaseUnavailable
from parlour.store.ids import AccountId, UserId
from parlour.store.models import Account, Attachment, Conversation, Feedback, Message, Turn, User, Workspace
from parlour.turns.ports import Frame, IncomingAttachment, IncomingKind, Verdict, draft_number
from tests.support.stage import Stage

MakeStage = Callable[..., Stage]


# ---- committed, once, in order ----


def test_a_message_is_committed_before_intake_returns_and_before_it_is_published(stage: Stage) -> None:
    """G1: whoever hears of a turn finds it."""
    seen: list[int] = []
    stage.queue.on_publish = lambda _: seen.append(stage.count(Turn))

    taken = stage.say("hello")

    assert taken.verdict is Verdict.ACCEPTED
    assert seen == [1]
    assert stage.messages("user") == ["hello"]
    assert stage.queue.take() == [taken.turn_id]


def test_what_cannot_be_committed_raises_and_leaves_nothing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The channel must not acknowledge then."""

    def fail(*_: object) -> None:
        raise DatabaseUnavailable("the disk is gone")

    monkeypatch.setattr(stage.platform.intake._book, "add_attachments", fail)

    with pytest.raises(DatabaseUnavailable):
        stage.say("hello")

    assert stage.count(Turn) == 0
    assert stage.queue.take() == []


def test_an_event_delivered_again_makes_no_second_turn(stage: Stage) -> None:
    """G2."""
    event = stage.incoming("hello")

    first = stage.platform.intake.receive(event)
    again = stage.platform.intake.receive(event)

    assert again.verdict is Verdict.DUPLICATE
    assert again.turn_id == first.turn_id
    assert stage.count(Turn) == 1
    assert stage.count(Message) == 1
    assert stage.queue.take() == [first.turn_id]


def test_an_event_delivered_at_once_in_several_threads_makes_one_turn(stage: Stage) -> None:
    """G2, with the races that several gateways have: the first message of a person makes much besides the turn."""
    event = stage.incoming("hello")
    start = Barrier(4)
    verdicts: list[Verdict] = []

    def receive() -> None:
        start.wait(60)
        verdicts.append(stage.platform.intake.receive(event).verdict)

    _at_once(receive, times=4)

    assert sorted(verdicts) == [Verdict.ACCEPTED, *[Verdict.DUPLICATE] * 3]
    assert (stage.count(Turn), stage.count(User), stage.count(Conversation)) == (1, 1, 1)


def test_messages_of_one_conversation_at_once_get_their_own_places(stage: Stage) -> None:
    start = Barrier(6)

    def receive() -> None:
        start.wait(60)
        stage.say("hello")

    _at_once(receive, times=6)

    assert [turn.seq for turn in stage.turns()] == [1, 2, 3, 4, 5, 6]
    assert len(stage.queue.take()) == 1


def test_two_people_meeting_the_bot_at_once_are_both_taken_in(stage: Stage) -> None:
    start = Barrier(2)

    def receive(name: str) -> None:
        start.wait(60)
        stage.say("hello", sender=name)

    _at_once(lambda: receive("ann"), lambda: receive("ben"))

    assert (stage.count(User), stage.count(Turn)) == (2, 2)


def test_events_that_came_together_are_committed_at_once_before_any_is_published(stage: Stage) -> None:
    """G1: the channel acknowledges all of them by one word."""
    seen: list[int] = []
    stage.queue.on_publish = lambda _: seen.append(stage.count(Turn))
    events = [stage.incoming("hello", sender=name) for name in ("ann", "ben", "eve")]

    taken = stage.platform.intake.receive_all(events)

    assert [one.verdict for one in taken] == [Verdict.ACCEPTED] * 3
    assert seen == [3, 3, 3]
    assert stage.queue.take() == [one.turn_id for one in taken]


def test_events_of_one_conversation_that_came_together_count_on_one_another(stage: Stage) -> None:
    """G3: their order is kept, and only the first is published."""
    events = [stage.incoming(text, sender=name) for name, text in (("ann", "1"), ("ben", "1"), ("ann", "2"))]
    events.append(stage.incoming("3"))

    taken = stage.platform.intake.receive_all(events)

    assert [stage.turn(one).seq for one in taken] == [1, 1, 2, 3]
    assert stage.queue.take() == [taken[0].turn_id, taken[1].turn_id]


def test_of_events_that_came_together_one_that_is_known_holds_up_none(stage: Stage) -> None:
    """G2."""
    known = stage.incoming("hello", sender="ben")
    first = stage.platform.intake.receive(known)
    events = [stage.incoming("hello"), known, stage.incoming("hello", sender="eve")]

    taken = stage.platform.intake.receive_all(events)

    assert [one.verdict for one in taken] == [Verdict.ACCEPTED, Verdict.DUPLICATE, Verdict.ACCEPTED]
    assert taken[1].turn_id == first.turn_id
    assert sorted(stage.messages("user")) == ["hello"] * 3
    assert len(stage.queue.take()) == 3


def test_being_taken_in_with_one_that_is_known_is_no_second_message_of_a_flood(make_stage: MakeStage) -> None:
    stage = make_stage(access={"policy": "open", "messages_per_minute": 3})
    known = stage.incoming("hello", sender="ben")
    stage.platform.intake.receive(known)
    stage.say("one")
    stage.platform.intake.receive_all([stage.incoming("two"), known])

    assert stage.say("three").verdict is Verdict.ACCEPTED


def test_a_stranger_who_writes_in_two_places_at_once_is_one_person(stage: Stage) -> None:
    group = stage.incoming("hello all", chat="group", is_private=False)

    taken = stage.platform.intake.receive_all([stage.incoming("hello"), group])

    assert [one.verdict for one in taken] == [Verdict.ACCEPTED] * 2
    assert (stage.count(User), stage.count(Conversation)) == (1, 2)


def test_more_events_than_one_transaction_takes_are_all_taken_in_order(stage: Stage) -> None:
    events = [stage.incoming(f"{number}", sender=f"person-{number % 30}") for number in range(50)]

    taken = stage.platform.intake.receive_all(events)

    assert [stage.turn(one).event_id for one in taken] == [event.event_id for event in events]
    assert [stage.turn(one).seq for one in taken] == [1] * 30 + [2] * 20


def test_the_same_event_id_in_another_account_is_another_event(stage: Stage) -> None:
    other = stage.platform.accounts.register("slack", "other", "Other")

    stage.say("hello", event_id="1")
    taken = stage.say("hello", event_id="1", account_id=other)

    assert taken.verdict is Verdict.ACCEPTED


def test_turns_are_numbered_in_their_conversation(stage: Stage) -> None:
    stage.say("one")
    stage.say("other", sender="ben")
    taken = stage.say("two")

    assert stage.turn(taken).seq == 2


def test_only_the_first_open_turn_of_a_conversation_is_published(stage: Stage) -> None:
    """Whoever finishes a turn publishes the next; telling workers of those behind it would cost them a look each."""
    first = stage.say("one")
    stage.say("two")

    assert stage.queue.take() == [first.turn_id]


def test_a_message_is_taken_in_while_the_broker_is_away(stage: Stage) -> None:
    """G6: the sweeper finds it."""
    stage.queue.is_down = True

    taken = stage.say("hello")

    assert taken.verdict is Verdict.ACCEPTED
    assert stage.turn(taken).state == "queued"


# ---- who may talk ----


def test_an_unknown_account_is_refused(stage: Stage) -> None:
    taken = stage.say("hello", account_id=AccountId(UUID(int=1)))

    assert taken.verdict is Verdict.REFUSED
    assert stage.count(User) == 0


def test_an_event_for_a_removed_account_stores_nothing(stage: Stage) -> None:
    _set(stage, Account, state="removed")

    assert stage.say("hello").verdict is Verdict.REFUSED
    assert (stage.count(User), stage.count(Turn)) == (0, 0)


def test_an_event_for_a_removed_workspace_stores_nothing(stage: Stage) -> None:
    _set(stage, Workspace, removed_at=stage.clock.now())

    assert stage.say("hello").verdict is Verdict.REFUSED
    assert (stage.count(User), stage.count(Turn)) == (0, 0)


def test_a_blocked_person_is_refused_without_a_word(stage: Stage) -> None:
    stage.say("hello")
    user = stage.turns()[0].user_id
    block(stage.platform.database, UserId(user))

    taken = stage.say("are you there?")

    assert taken.verdict is Verdict.REFUSED
    assert stage.count(Turn) == 1
    assert stage.deliveries() == []


def test_a_stranger_gets_a_code_and_nothing_of_the_message_is_kept(make_stage: MakeStage) -> None:
    stage = make_stage(access={"policy": "pairing"})

    taken = stage.say("let me in please")

    (said,) = stage.messages()
    assert taken.verdict is Verdict.REPLIED
    assert stage.states() == ["refused"]
    assert "give this code to an administrator" in said
    assert stage.queue.take() == []


def test_a_stranger_is_told_the_same_code_again(make_stage: MakeStage) -> None:
    stage = make_stage(access={"policy": "pairing"})

    stage.say("hello")
    stage.say("hello?")

    first, second = stage.messages("notice")
    assert first == second


def test_a_stranger_is_let_in_by_their_code(make_stage: MakeStage) -> None:
    stage = make_stage(access={"policy": "pairing"})
    stage.say("hello")
    code = stage.messages("notice")[0].split()[-1]

    approve(stage.platform.database, stage.platform.privacy, code, now=stage.clock.now())

    assert stage.say("hello").verdict is Verdict.ACCEPTED


def test_a_stranger_can_stop_nothing(make_stage: MakeStage) -> None:
    """In a group they share a conversation with people who were let in."""
    stage = make_stage(access={"policy": "pairing", "allowlist": ["telegram:ann"]})
    running = stage.say("a long question", chat="group", is_private=False)

    taken = stage.say("", sender="eve", chat="group", is_private=False, kind=IncomingKind.STOP)

    assert taken.verdict is Verdict.REFUSED
    assert stage.turn(running).state == "queued"


def test_a_stranger_gets_no_command_carried_out(make_stage: MakeStage) -> None:
    stage = make_stage(access={"policy": "pairing"})

    stage.command("mode interrupt")

    assert stage.states() == ["refused"]
    with stage.platform.database.read() as session:
        assert session.scalars(select(Conversation.mode)).one() is None


def test_under_an_allowlist_others_are_refused_and_not_kept(make_stage: MakeStage) -> None:
    stage = make_stage(access={"policy": "allowlist", "allowlist": ["telegram:ann"]})

    assert stage.say("hello", sender="eve").verdict is Verdict.REFUSED
    assert stage.say("hello", sender="ann").verdict is Verdict.ACCEPTED
    assert stage.count(User) == 1


def test_a_group_message_that_is_not_addressed_stores_nothing(stage: Stage) -> None:
    taken = stage.say("chatter", chat="group", is_private=False, is_addressed=False)

    assert taken.verdict is Verdict.IGNORED
    assert (stage.count(User), stage.count(Turn), stage.count(Conversation)) == (0, 0, 0)


def test_a_group_message_that_is_not_addressed_is_answered_where_all_are(make_stage: MakeStage) -> None:
    stage = make_stage(access={"policy": "open", "groups": "always"})

    taken = stage.say("chatter", chat="group", is_private=False, is_addressed=False)

    assert taken.verdict is Verdict.ACCEPTED


def test_in_a_group_everybody_shares_the_conversation_and_keeps_their_own_key(stage: Stage) -> None:
    ann = stage.say("hello", chat="group", is_private=False)
    ben = stage.say("hello", sender="ben", chat="group", is_private=False)

    assert ann.conversation_id == ben.conversation_id
    with stage.platform.database.read() as session:
        owners = set(session.scalars(select(Message.user_id)))
    assert len(owners) == 2


def test_threads_of_one_chat_are_conversations_of_their_own(stage: Stage) -> None:
    first = stage.incoming("hello")
    second = stage.incoming("hello")
    object.__setattr__(second.address, "thread", "7")

    one, two = stage.platform.intake.receive(first), stage.platform.intake.receive(second)

    assert one.conversation_id != two.conversation_id


# ---- what is too much ----


def test_a_message_that_is_too_long_is_refused_with_the_limit(make_stage: MakeStage) -> None:
    stage = make_stage(turns={"max_text_chars": 1_000})

    taken = stage.say("x" * 1_001)

    assert taken.verdict is Verdict.REPLIED
    assert stage.states() == ["refused"]
    assert "1000 characters" in stage.messages()[0]


def test_the_longest_message_is_taken_in_whole(make_stage: MakeStage) -> None:
    stage = make_stage(turns={"max_text_chars": 1_000})

    stage.say("x" * 1_000)

    assert stage.messages("user") == ["x" * 1_000]


def test_a_megabyte_of_text_is_refused_and_not_stored(stage: Stage) -> None:
    taken = stage.say("many words " * 100_000)

    assert taken.verdict is Verdict.REPLIED
    assert stage.messages("user") == []


def test_a_message_from_before_a_long_absence_is_not_answered_but_told_so(stage: Stage) -> None:
    taken = stage.say("remember me?", sent_at=stage.clock.now() - timedelta(days=9))

    assert taken.verdict is Verdict.REPLIED
    assert "9 days ago" in stage.messages("notice")[0]
    assert stage.queue.take() == []


def test_a_message_of_six_days_is_answered(stage: Stage) -> None:
    assert stage.say("hello", sent_at=stage.clock.now() - timedelta(days=6)).verdict is Verdict.ACCEPTED


@pytest.mark.parametrize("text", ["", "   \n\t ", "\x00\x01\x07", "\u200d\u200d", "\u202e\u2066", "\ufeff"])
def test_what_nobody_can_read_is_ignored(stage: Stage, text: str) -> None:
    taken = stage.say(text)

    assert taken.verdict is Verdict.IGNORED
    assert stage.count(Turn) == 0


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a\x00b\x1bc", "abc"),
        ("left \ud800 alone", "left \ufffd alone"),
        ("smile \ud83d\ude00", "smile 😀"),
        ("evil \u202egnp.exe", "evil gnp.exe"),
        ("family \U0001f468\u200d\U0001f469", "family \U0001f468\u200d\U0001f469"),
        ("line\r\nbreak\rhere", "line\nbreak\nhere"),
        ("\x00" * 100_000 + "hello", "hello"),
    ],
)
def test_text_is_made_safe_and_stays_readable(stage: Stage, text: str, kept: str) -> None:
    stage.say(text)

    assert stage.messages("user") == [kept]


def test_five_hundred_messages_in_one_second_are_all_kept_in_order(stage: Stage) -> None:
    for number in range(500):
        assert stage.say(str(number)).verdict is Verdict.ACCEPTED

    assert stage.messages("user") == [str(number) for number in range(500)]
    assert len(stage.queue.take()) == 1


def test_more_than_may_wait_in_a_conversation_is_refused_with_a_word(make_stage: MakeStage) -> None:
    stage = make_stage(turns={"max_waiting": 2})
    stage.say("one")
    stage.say("two")

    taken = stage.say("three")

    assert taken.verdict is Verdict.REPLIED
    assert stage.states() == ["queued", "queued", "refused"]
    assert "2 messages" in stage.messages("notice")[0]


def test_commands_work_however_many_messages_wait(make_stage: MakeStage) -> None:
    """Above all /stop."""
    stage = make_stage(turns={"max_waiting": 1})
    stage.say("one")

    stage.command("stop")

    assert stage.states() == ["stopped", "answered"]


def test_a_flood_is_told_once_a_minute_and_costs_no_more(make_stage: MakeStage) -> None:
    stage = make_stage(access={"policy": "open", "messages_per_minute": 3})

    verdicts = [stage.say(f"message {number}").verdict for number in range(6)]

    assert verdicts == [Verdict.ACCEPTED] * 3 + [Verdict.REPLIED] + [Verdict.REFUSED] * 2
    assert stage.count(Turn) == 4
    assert len(stage.messages("notice")) == 1


def test_one_persons_flood_is_no_other_persons_trouble(make_stage: MakeStage) -> None:
    stage = make_stage(access={"policy": "open", "messages_per_minute": 1})
    stage.say("one")
    stage.say("two")

    assert stage.say("hello", sender="ben").verdict is Verdict.ACCEPTED


# ---- edits, feedback, stop ----


def test_an_edit_changes_a_message_that_still_waits(stage: Stage) -> None:
    stage.say("what is two plus too", message_key="m1")

    taken = stage.say("what is two plus two", message_key="m1", kind=IncomingKind.EDIT)

    assert taken.verdict is Verdict.REPLIED
    assert stage.messages("user") == ["what is two plus two"]
    assert stage.count(Turn) == 1


def test_an_edit_after_the_answer_changes_nothing(stage: Stage) -> None:
    stage.answered("first", message_key="m1")

    taken = stage.say("second", message_key="m1", kind=IncomingKind.EDIT)

    assert taken.verdict is Verdict.IGNORED
    assert stage.messages("user") == ["first"]


def test_nobody_can_edit_another_persons_message(stage: Stage) -> None:
    stage.say("mine", chat="group", is_private=False, message_key="m1")

    stage.say("forged", sender="eve", chat="group", is_private=False, message_key="m1", kind=IncomingKind.EDIT)

    assert stage.messages("user") == ["mine"]


def test_an_edit_that_is_too_long_is_ignored(make_stage: MakeStage) -> None:
    stage = make_stage(turns={"max_text_chars": 100})
    stage.say("short", message_key="m1")

    stage.say("x" * 101, message_key="m1", kind=IncomingKind.EDIT)

    assert stage.messages("user") == ["short"]


def test_an_edit_of_a_message_never_seen_is_ignored(stage: Stage) -> None:
    assert stage.say("x", message_key="m9", kind=IncomingKind.EDIT).verdict is Verdict.IGNORED
    assert stage.count(Conversation) == 0


def test_feedback_is_kept_and_the_last_press_counts(stage: Stage) -> None:
    _answer_as(stage, "a1")

    stage.say("up", kind=IncomingKind.FEEDBACK, message_key="a1")
    taken = stage.say("down", kind=IncomingKind.FEEDBACK, message_key="a1")

    assert taken.verdict is Verdict.REPLIED
    with stage.platform.database.read() as session:
        assert session.scalars(select(Feedback.is_positive)).all() == [False]


def test_feedback_on_what_is_no_answer_is_ignored(stage: Stage) -> None:
    stage.say("hello", message_key="m1")

    assert stage.say("up", kind=IncomingKind.FEEDBACK, message_key="m1").verdict is Verdict.IGNORED
    assert stage.count(Feedback) == 0


def test_an_edit_that_is_told_again_does_not_take_back_a_later_one(stage: Stage) -> None:
    stage.say("teh", message_key="m1")
    edits = []
    for text in ("the", "the cat"):
        stage.clock.advance(1)
        edits.append(stage.incoming(text, message_key="m1", kind=IncomingKind.EDIT))

    for edit in (*edits, edits[0], edits[1]):
        stage.platform.intake.receive(edit)

    assert stage.messages("user") == ["the cat"]


def test_the_stop_button_ends_what_runs_and_what_waits(stage: Stage) -> None:
    running = stage.say("one")
    stage.say("two")
    assert running.turn_id
    stage.worker().claim(running.turn_id)

    stage.say("", kind=IncomingKind.STOP)

    first, second = stage.turns()
    assert (first.state, first.is_stop_requested) == ("running", True)
    assert (second.state, second.finished_at) == ("stopped", stage.clock.now())


def test_the_stop_button_of_one_draft_stops_that_turn_only(stage: Stage) -> None:
    first = stage.say("one")
    stage.say("two")

    stage.say(str(first.turn_id), kind=IncomingKind.STOP)

    assert stage.states() == ["stopped", "queued"]


def test_a_stop_names_a_draft_by_its_number_and_told_again_stops_nothing_said_since(stage: Stage) -> None:
    first = stage.say("one")
    assert first.turn_id
    stop = stage.incoming(str(draft_number(first.turn_id)), kind=IncomingKind.STOP)
    stage.platform.intake.receive(stop)
    stage.say("two")

    stage.platform.intake.receive(stop)

    assert stage.states() == ["stopped", "queued"]


def test_a_stop_that_names_nothing_known_stops_nothing(stage: Stage) -> None:
    stage.say("one")

    stage.say("not an id", kind=IncomingKind.STOP)

    assert stage.states() == ["queued"]


# ---- attachments ----


def test_a_file_is_taken_in_by_reference_and_sealed(stage: Stage) -> None:
    stage.say("look", attachments=(IncomingAttachment("photo.jpg", "image/jpeg", "ref-1", 10),))

    with stage.platform.database.read() as session:
        (row,) = session.scalars(select(Attachment)).all()
    assert (row.state, row.size, row.content) == ("waiting", 10, None)
    assert b"photo" not in row.name
    assert b"ref-1" not in row.reference


def test_a_file_without_words_is_a_turn(stage: Stage) -> None:
    taken = stage.say("", attachments=(IncomingAttachment("a.pdf", "application/pdf", "ref", 10),))

    assert taken.verdict is Verdict.ACCEPTED


def test_a_file_that_is_too_large_is_never_fetched(make_stage: MakeStage) -> None:
    stage = make_stage(turns={"max_attachment_bytes": 1_000})

    stage.say("look", attachments=(IncomingAttachment("film.mp4", "video/mp4", "ref", 1_001),))

    with stage.platform.database.read() as session:
        assert session.scalars(select(Attachment.state)).all() == ["too_large"]


# ---- the rest ----


def test_the_language_of_a_turn_is_the_one_it_is_written_in(stage: Stage) -> None:
    """Whatever the messenger's menus are in."""
    english = stage.say("Could you please tell me what the weather will be like?", language="de")
    chinese = stage.say("你好，今天天气怎么样？", language="en")

    assert (stage.turn(english).language, stage.turn(chinese).language) == ("en", "zh")


def test_a_reply_at_once_is_told_to_whoever_watches(stage: Stage) -> None:
    taken = stage.command("help")

    (frame,) = stage.bus.of(Frame.READY)
    assert frame.turn_id == taken.turn_id


def test_events_are_counted_by_verdict(stage: Stage) -> None:
    stage.say("hello")

    assert stage.metric("parlour_intake_total", channel="telegram", verdict="accepted") == 1


def _answer_as(stage: Stage, key: str) -> None:
    """An answer that the messenger has under `key`."""
    from parlour.turns.conversations import message_hash  # noqa: PLC0415 (a detail of this one helper)

    taken = stage.answered("hello")
    assert taken.conversation_id
    known = message_hash(stage.platform.privacy, taken.conversation_id, key)
    with stage.platform.database.begin() as session:
        session.execute(update(Message).where(Message.author == "assistant").values(external_hash=known))


def _set(stage: Stage, table: type[Any], **values: object) -> None:
    with stage.platform.database.begin() as session:
        session.execute(update(table).values(**values))


def _at_once(*work: Callable[[], object], times: int = 1) -> None:
    threads = [Thread(target=each, daemon=True) for each in work * times]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
