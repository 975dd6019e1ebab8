"""Finding out in Telegram, which cannot be asked, whether a message whose answer was lost is there."""

from dataclasses import replace

import pytest

from parlour.channels.telegram_messenger import TelegramMessenger
from parlour.store.ids import TurnId, new_id
from parlour.turns.ports import Address, OutcomeUnknown, Post, Rejected
from tests.integration.channels.contract import make_post, settle, until
from tests.integration.channels.test_telegram import GROUP, PERSON, TelegramHarness, harness, telegram

# Fixtures that this module shares.
__all__ = ["harness", "telegram"]


async def test_settling_goes_on_where_it_was_throttled(harness: TelegramHarness) -> None:
    """One placeholder only, however often it is asked."""
    question = await harness.say("Question")
    post = make_post(harness.address, "Answer", reply_to=question)
    harness.telegram.fault("lose", method="sendMessage")
    with pytest.raises(OutcomeUnknown):
        await harness.messenger.send(post)
    harness.telegram.fault("throttle", method="editMessageText", retry_after=1, times=2)
    harness.telegram.fault("throttle", method="deleteMessage", retry_after=1)

    await settle(harness.messenger, post)

    assert harness.telegram.texts(PERSON) == ["Answer"]
    assert [entry["text"] for entry in harness.telegram.journal("bot_sent")] == ["Answer", "…"]


async def test_settling_finds_the_answer_even_when_its_placeholder_was_lost_too(harness: TelegramHarness) -> None:
    """And the placeholder, of which nobody knows any more, goes: no "…" stays as a last word."""
    post = make_post(harness.address, "Answer", reply_to=await harness.say("Question"))

    await _settle_with_two_lost(harness, post)

    assert harness.telegram.texts(PERSON) == ["Answer"]


async def _settle_with_two_lost(harness: TelegramHarness, post: Post) -> None:
    """The answer to the message is lost, and then that to its placeholder."""
    harness.telegram.fault("lose", method="sendMessage", times=2)
    with pytest.raises(OutcomeUnknown):
        await harness.messenger.send(post)
    with pytest.raises(OutcomeUnknown):
        await harness.messenger.settle(post)

    await settle(harness.messenger, post)


@pytest.mark.parametrize("is_forum", [False, True])
async def test_in_a_group_a_lost_placeholder_goes_where_no_topic_could_be_hit(
    harness: TelegramHarness, *, is_forum: bool
) -> None:
    harness.telegram.do("group", chat=-42, is_forum=is_forum, topics=[])
    question = str(harness.telegram.say(PERSON, "@parlour_bot hi", chat=-42)["message_id"])
    post = make_post(Address("-42", is_private=False), "Answer", reply_to=question)

    await _settle_with_two_lost(harness, post)

    assert harness.telegram.texts(-42) == (["Answer", "…"] if is_forum else ["Answer"])


async def test_settling_touches_no_one_elses_message_and_no_answer_in_another_topic(harness: TelegramHarness) -> None:
    harness.telegram.do("group", chat=-42, is_forum=True, topics=[5, 6])
    question = str(harness.telegram.say(PERSON, "@parlour_bot hi", chat=-42, thread=5)["message_id"])
    here, there = Address("-42", "5", is_private=False), Address("-42", "6", is_private=False)
    post = make_post(here, "Answer here", reply_to=question)
    harness.telegram.fault("reset", method="sendMessage")
    with pytest.raises(OutcomeUnknown):
        await harness.messenger.send(post)
    await harness.messenger.send(make_post(there, "Answer there"))
    harness.telegram.say(8, "chatter", chat=-42, thread=6)

    await settle(harness.messenger, post)

    assert harness.telegram.texts(-42) == ["Answer there", "Answer here"]
    assert "chatter" in [message.get("text") for message in harness.telegram.messages(-42, of_bot=False)]


async def test_a_lost_draft_is_turned_into_the_answer(harness: TelegramHarness) -> None:
    question = str(harness.telegram.say(PERSON, "@parlour_bot hi", chat=GROUP)["message_id"])
    harness.telegram.fault("lose", method="sendMessage")
    with pytest.raises(OutcomeUnknown):
        await harness.messenger.draft(harness.group_address, TurnId(new_id()), "The ans", key=None, reply_to=question)

    await settle(harness.messenger, make_post(harness.group_address, "The answer", reply_to=question))

    assert harness.telegram.texts(GROUP) == ["The answer"]


async def test_where_too_much_was_said_meanwhile_the_person_is_told_honestly(harness: TelegramHarness) -> None:
    question = str(harness.telegram.say(PERSON, "@parlour_bot hi", chat=GROUP)["message_id"])
    post = replace(make_post(harness.group_address, "Answer", reply_to=question), language="zh")
    harness.telegram.fault("reset", method="sendMessage")
    with pytest.raises(OutcomeUnknown):
        await harness.messenger.send(post)
    for number in range(110):
        harness.telegram.say(8, str(number), chat=GROUP)

    with pytest.raises(Rejected, match="unknown_outcome"):
        await settle(harness.messenger, post)

    (notice,) = harness.telegram.texts(GROUP)
    assert "/retry" in notice
    assert "可能" in notice


async def test_what_was_said_in_other_private_chats_is_not_in_the_way(harness: TelegramHarness) -> None:
    """A bot's private chats share one counter: on a busy bot hundreds of ids lie between a question and its answer."""
    question = await harness.say("Question")
    post = make_post(harness.address, "Answer", reply_to=question)
    for number in range(150):
        harness.telegram.say(8, str(number))
    harness.telegram.fault("lose", method="sendMessage")
    with pytest.raises(OutcomeUnknown):
        await harness.messenger.send(post)
    await until(lambda: len(harness.intake.committed) == 151, "all are taken in")

    await settle(harness.messenger, post)

    assert harness.telegram.texts(PERSON) == ["Answer"]
    assert len(harness.telegram.journal("refused")) < 10, "other chats' ids were tried"


async def test_what_was_said_before_the_answer_was_sent_is_not_in_the_way_whoever_saw_it(
    harness: TelegramHarness,
) -> None:
    """Of several gateways one takes in what people say, and another may be the one that posts."""
    question = await harness.say("Question")
    post = make_post(harness.address, "Answer", reply_to=question)
    for number in range(150):
        harness.telegram.say(8, str(number))
    await until(lambda: len(harness.intake.committed) == 151, "all are taken in")
    assert isinstance(harness.messenger, TelegramMessenger)
    harness.messenger._private_places.clear()
    await harness.messenger.send(make_post(Address("8", is_private=True), "Another answer"))
    harness.telegram.fault("lose", method="sendMessage")
    with pytest.raises(OutcomeUnknown):
        await harness.messenger.send(post)

    await settle(harness.messenger, post)

    assert harness.telegram.texts(PERSON) == ["Answer"]
    assert len(harness.telegram.journal("refused")) < 10, "ids of before were tried"
