"""Following a conversation in SQL, quickly by the bus and surely without it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from parlour.channels.mailbox import Away, Beat, Draft, Event, Mailbox, Waiting
from parlour.channels.typed import Person
from parlour.store.ids import AccountId, MessageId, TurnId, new_id
from parlour.turns.said import Said
from tests.fakes.talk import FakeTalk

ACCOUNT = AccountId(new_id())
PERSON = Person(ACCOUNT, "someone", "Someone")


class Followed:
    """Events of a mailbox, one asked for at a time, each within a deadline."""

    def __init__(self, events: AsyncIterator[Event]) -> None:
        self._events = events

    async def next(self) -> Event:
        """The next event that is news."""
        while True:
            event = await asyncio.wait_for(anext(self._events), 60)
            if not isinstance(event, Beat):
                return event


@pytest.fixture
def talk() -> FakeTalk:
    return FakeTalk()


@pytest.fixture
async def mailbox(talk: FakeTalk) -> AsyncIterator[Mailbox]:
    mailbox = Mailbox(ACCOUNT, talk, talk.bus, talk.sealer, busy_s=0.02, idle_s=0.02, draft_s=0.0)
    running = asyncio.create_task(mailbox.run())
    while not talk.bus.is_listened_to:
        await asyncio.sleep(0)
    yield mailbox
    running.cancel()


def _write(talk: FakeTalk, text: str) -> TurnId:
    taken = talk.receive(PERSON.wrote(text, client_id=str(new_id()), at=datetime.now(UTC)))
    assert taken.turn_id
    return taken.turn_id


async def test_a_follower_gets_message_draft_and_answer_in_order(talk: FakeTalk, mailbox: Mailbox) -> None:
    events = Followed(mailbox.follow(PERSON.address))
    assert await events.next() == Waiting(())

    turn = _write(talk, "hello")
    asked, waiting = await events.next(), await events.next()
    talk.draft(turn, "Hel")
    draft = await events.next()
    talk.answer(turn, "Hello!")
    answered, done = await events.next(), await events.next()

    assert isinstance(asked, Said)
    assert (asked.author, asked.text) == ("user", "hello")
    assert waiting == Waiting((turn,))
    assert draft == Draft(turn, "Hel")
    assert isinstance(answered, Said)
    assert (answered.author, answered.text) == ("assistant", "Hello!")
    assert done == Waiting(())


async def test_with_the_bus_dead_the_answer_still_comes(talk: FakeTalk, mailbox: Mailbox) -> None:
    talk.bus.is_dead = True
    turn = _write(talk, "hello")
    events = Followed(mailbox.follow(PERSON.address))
    await events.next()
    await events.next()

    talk.draft(turn, "lost")
    talk.answer(turn, "Hello!")
    answered = await events.next()

    assert isinstance(answered, Said)
    assert answered.text == "Hello!"


async def test_drafts_without_end_do_not_hide_what_is_in_sql(talk: FakeTalk, mailbox: Mailbox) -> None:
    """The frame that announces an answer may be lost while another answer streams."""
    first, second = _write(talk, "one"), _write(talk, "two")
    events = mailbox.follow(PERSON.address)
    talk.bus.is_dead = True
    talk.answer(first, "One!")
    talk.bus.is_dead = False
    answered = None

    async with asyncio.timeout(60):
        async for event in events:
            talk.draft(second, "more")
            if isinstance(event, Said) and event.author == "assistant":
                answered = event.text
                break

    assert answered == "One!"


async def test_resuming_repeats_nothing_older_than_the_overlap_and_misses_nothing(
    talk: FakeTalk, mailbox: Mailbox
) -> None:
    for number in range(120):
        _write(talk, str(number))
    seen = talk.chats["someone"].said[9]

    events = Followed(mailbox.follow(PERSON.address, after=seen.id))
    texts = []
    while isinstance(event := await events.next(), Said):
        texts.append(event.text)

    assert texts[-110:] == [str(number) for number in range(10, 120)]
    assert len(texts) == len(set(texts))


async def test_a_message_committed_late_with_an_older_id_is_still_seen(talk: FakeTalk, mailbox: Mailbox) -> None:
    first, _ = _write(talk, "one"), _write(talk, "two")
    said = talk.chats["someone"].said
    late = said.pop(0)
    events = Followed(mailbox.follow(PERSON.address))
    while not isinstance(await events.next(), Waiting):
        pass

    said.insert(0, late)
    event = await events.next()

    assert isinstance(event, Said)
    assert event.turn_id == first


async def test_an_answer_from_a_machine_whose_clock_is_ten_minutes_behind_is_seen(
    talk: FakeTalk, mailbox: Mailbox
) -> None:
    turn = _write(talk, "one")
    events = Followed(mailbox.follow(PERSON.address))
    while not isinstance(await events.next(), Waiting):
        pass

    talk.answer(turn, "One!")
    said = talk.chats["someone"].said
    answer = said.pop()
    said.insert(0, replace(answer, id=MessageId(UUID(int=answer.id.int - (600_000 << 80)))))
    event = await events.next()

    assert isinstance(event, Said)
    assert event.text == "One!"


async def test_a_database_that_goes_away_is_told_and_survived(talk: FakeTalk, mailbox: Mailbox) -> None:
    turn = _write(talk, "hello")
    events = Followed(mailbox.follow(PERSON.address))
    await events.next()
    await events.next()

    talk.is_down = True
    away = await events.next()
    talk.is_down = False
    talk.answer(turn, "Hello!")
    while isinstance(event := await events.next(), Away):
        pass

    assert away == Away()
    assert isinstance(event, Said)
    assert event.text == "Hello!"


async def test_other_peoples_drafts_are_not_told(talk: FakeTalk, mailbox: Mailbox) -> None:
    other = Person(ACCOUNT, "other", "Other")
    taken = talk.receive(other.wrote("secret", client_id="12345678", at=datetime.now(UTC)))
    assert taken.turn_id
    turn = _write(talk, "hello")
    events = Followed(mailbox.follow(PERSON.address))
    await events.next()
    await events.next()

    talk.draft(taken.turn_id, "not yours")
    talk.draft(turn, "yours")
    event = await events.next()

    assert event == Draft(turn, "yours")


async def test_closing_ends_every_follower(talk: FakeTalk, mailbox: Mailbox) -> None:
    events = mailbox.follow(PERSON.address)
    await anext(events)

    mailbox.close()
    left = [event async for event in events]

    assert all(isinstance(event, Beat) for event in left)


async def test_a_follower_that_left_is_forgotten(talk: FakeTalk, mailbox: Mailbox) -> None:
    events = mailbox.follow(PERSON.address)
    await anext(events)

    await events.aclose()  # type: ignore[attr-defined]

    assert mailbox._inboxes == {}
