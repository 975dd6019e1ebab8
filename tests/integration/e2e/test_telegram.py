"""People talk in Telegram; Parlour's real processes answer."""

from tests.fakes.telegram import FakeTelegram
from tests.integration.e2e.conftest import telegram_variables
from tests.integration.e2e.layouts import Layout, Start
from tests.processes import until
from tests.services import RedisServer


def test_people_are_answered_in_order_each_once(layout: Start, telegram: FakeTelegram) -> None:
    """Twenty people write five messages each, an answer's confirmation gets lost: none lost, doubled or misordered."""
    people = range(100, 120)
    said = {person: [f"message {number} of {person}" for number in range(5)] for person in people}
    with layout(**telegram_variables(telegram)) as house:
        for number in range(5):
            for person in people:
                telegram.say(person, said[person][number])
        _until_answered(house, telegram, said)
        telegram.fault("lose", method="sendMessage")
        telegram.say(100, "only once please")
        telegram.say(100, "and the next one")
        said[100] += ["only once please", "and the next one"]

        _until_answered(house, telegram, said)

        assert {person: telegram.texts(person) for person in people} == said


def test_a_throttled_chat_holds_up_no_other(embedded: Start, telegram: FakeTelegram) -> None:
    """One chat is told to wait a minute; another one is answered meanwhile."""
    with embedded(**telegram_variables(telegram)) as house:
        telegram.fault("throttle", method="sendMessage", chat="7", times=None, retry_after=60)
        telegram.say(7, "I have to wait")
        telegram.say(8, "I do not")

        until(lambda: telegram.texts(8) == ["I do not"], told=lambda: house.output)

        assert telegram.texts(7) == []


def test_what_came_while_everything_was_down_is_answered_after_the_start(
    embedded: Start, telegram: FakeTelegram
) -> None:
    """Updates wait at Telegram, turns wait in SQL: killing the process loses neither."""
    with embedded(**telegram_variables(telegram)) as house:
        telegram.say(7, "before")
        until(lambda: telegram.texts(7), told=lambda: house.output)
        telegram.say(7, "during")
        house.processes["up"].kill()
        telegram.say(7, "after")

        house.begin("up")
        until(lambda: len(telegram.texts(7)) >= 3, timeout_s=60, told=lambda: house.output)

        assert telegram.texts(7) == ["before", "during", "after"]


def test_turns_wait_while_the_broker_is_away(
    production: Start, telegram: FakeTelegram, redis_server: RedisServer
) -> None:
    """Redis stops and comes back empty: what was said meanwhile is answered."""
    with production(**telegram_variables(telegram), PARLOUR_BROKER__URL=redis_server.url) as house:
        telegram.say(7, "before")
        until(lambda: telegram.texts(7), told=lambda: house.output)
        redis_server.stop()
        telegram.say(7, "while it was away")
        telegram.say(8, "me too")
        until(lambda: "turn_not_published" in house.processes["gateway"].output, told=lambda: house.output)

        redis_server.start()
        until(lambda: len(telegram.texts(7)) == 2 and telegram.texts(8), timeout_s=60, told=lambda: house.output)

        assert telegram.texts(7) == ["before", "while it was away"]
        assert telegram.texts(8) == ["me too"]


def _until_answered(house: Layout, telegram: FakeTelegram, said: dict[int, list[str]]) -> None:
    until(
        lambda: all(telegram.texts(person)[-1:] == texts[-1:] for person, texts in said.items()),
        timeout_s=90,
        told=lambda: house.output[-5_000:],
    )
