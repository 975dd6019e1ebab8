"""Conversations as people read them in the web and the terminal."""

from collections.abc import Callable

import pytest

from parlour.store.ids import AccountId, ConversationId, new_id
from parlour.turns.ports import Address, IncomingKind
from tests.support.stage import Stage

MakeStage = Callable[..., Stage]


@pytest.fixture
def web(make_stage: MakeStage) -> Stage:
    return make_stage(channel="web")


def test_a_conversation_is_found_by_its_address(web: Stage) -> None:
    taken = web.say("hello")

    view = web.platform.history.find(web.account_id, Address("chat-ann"))

    assert view
    assert (view.id, view.user_id) == (taken.conversation_id, web.turn(taken).user_id)


def test_before_the_first_message_there_is_none(web: Stage) -> None:
    assert web.platform.history.find(web.account_id, Address("chat-ann")) is None


def test_a_group_is_nobodys_private_conversation(web: Stage) -> None:
    web.say("hello", chat="group", is_private=False)

    assert web.platform.history.find(web.account_id, Address("group")) is None


def test_the_same_chat_of_another_account_is_another_conversation(web: Stage) -> None:
    web.say("hello")

    assert web.platform.history.find(AccountId(new_id()), Address("chat-ann")) is None


def test_messages_come_oldest_first_with_their_authors(web: Stage) -> None:
    taken = web.answered("hello")
    web.command("help")

    said = web.platform.history.messages(_conversation(taken.conversation_id))

    assert [one.author for one in said] == ["user", "assistant", "notice"]
    assert [one.text for one in said[:2]] == ["hello", "All well."]
    assert said[0].turn_id == taken.turn_id


def test_the_newest_are_shown_of_a_long_conversation(web: Stage) -> None:
    taken = web.say("0")
    for number in range(1, 5):
        web.say(str(number))

    said = web.platform.history.messages(_conversation(taken.conversation_id), limit=2)

    assert [one.text for one in said] == ["3", "4"]


def test_what_came_after_a_message_is_read_from_there(web: Stage) -> None:
    taken = web.say("0")
    for number in range(1, 5):
        web.say(str(number))
    conversation_id = _conversation(taken.conversation_id)
    first = web.platform.history.messages(conversation_id)[0]

    said = web.platform.history.messages(conversation_id, after=first.id, limit=2)

    assert [one.text for one in said] == ["1", "2"]


def test_an_answer_shows_how_it_was_rated(web: Stage) -> None:
    taken = web.answered("hello")

    web.say("up", kind=IncomingKind.FEEDBACK, message_key=str(taken.turn_id))

    said = web.platform.history.messages(_conversation(taken.conversation_id))
    assert [one.is_rated for one in said] == [None, True]


def test_open_turns_are_those_that_wait_or_run(web: Stage) -> None:
    web.answered("done")
    running, waiting = web.say("one"), web.say("two")
    assert running.turn_id
    web.worker().claim(running.turn_id)

    assert web.platform.history.open_turns(_conversation(running.conversation_id)) == [
        running.turn_id,
        waiting.turn_id,
    ]


def _conversation(conversation_id: ConversationId | None) -> ConversationId:
    assert conversation_id
    return conversation_id
