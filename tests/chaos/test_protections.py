"""Each protection is needed, and the judge can fail: the same fault is harmless with it and caught without it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from parlour.turns.tasks import QUEUE
from tests.chaos.crowd import Crowd
from tests.chaos.house import LEASE_S, House, production
from tests.chaos.judge import Verdict
from tests.fakes.telegram import FakeTelegram
from tests.processes import until
from tests.services import PostgresDatabases

LONG = 50

# A house takes seconds to start, on a busy machine many.
pytestmark = pytest.mark.timeout(600)

Open = Callable[[str | None], House]


@pytest.fixture(params=["with it", "without it"])
def is_protected(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "with it")


@pytest.fixture
def open_house(
    tmp_path: Path, postgres_databases: PostgresDatabases, redis_url: str, telegram: FakeTelegram
) -> Iterator[Open]:
    """Starts a house, lacking a protection where one is named."""
    opened: list[House] = []

    def start(without: str | None) -> House:
        house = production(
            tmp_path, postgres_databases, redis_url, telegram, without=without, PARLOUR_TURNS__MAX_ATTEMPTS="3"
        )
        opened.append(house)
        return house.__enter__()

    yield start
    for house in opened:
        house.__exit__(None, None, None)


def test_the_lease_keeps_a_broker_that_repeats_itself_from_using_up_a_turns_tries(
    open_house: Open, crowd: Crowd, is_protected: bool, redis_url: str
) -> None:
    house = open_house(None if is_protected else "lease")
    # While nobody takes it, it can be repeated.
    house.kill("worker")
    house.kill("second worker")
    crowd.say(words=LONG)
    with redis.Redis.from_url(redis_url) as broker:
        until(lambda: broker.llen(QUEUE), told=lambda: house.output)
        _repeat_what_is_queued(broker)

    house.make_whole()

    verdict = crowd.settled(patience_s=15)
    assert verdict.is_clean is is_protected, f"{verdict}\n{house.output[-3000:]}"


def test_the_fence_refuses_what_a_worker_back_from_the_dead_writes(
    open_house: Open, crowd: Crowd, telegram: FakeTelegram, is_protected: bool
) -> None:
    house = open_house(None if is_protected else "fence")
    house.kill("second worker")
    crowd.say(crowd.people[0], words=LONG)
    until(lambda: telegram.drafts(crowd.people[0]), told=lambda: house.output)
    house.freeze("worker")

    house.mend()
    until(lambda: not crowd.verdict().lost, timeout_s=LEASE_S + 30, told=lambda: house.output)
    house.wake("worker")

    # The frozen one still has most of its answer to write.
    _judge(crowd.settled(patience_s=15, linger_s=6), is_protected=is_protected, else_seen="doubled")


def test_an_events_unique_key_makes_one_turn_of_many_deliveries(
    open_house: Open, crowd: Crowd, telegram: FakeTelegram, is_protected: bool
) -> None:
    open_house(None if is_protected else "unique event")
    crowd.say(crowd.people[0])
    assert crowd.settled(patience_s=15, linger_s=0).is_clean

    telegram.do("redeliver")
    crowd.say(crowd.people[1])

    _judge(crowd.settled(patience_s=15, linger_s=3), is_protected=is_protected, else_seen="doubled")


def test_the_ledger_asks_before_it_sends_again(
    open_house: Open, crowd: Crowd, telegram: FakeTelegram, is_protected: bool
) -> None:
    open_house(None if is_protected else "ledger")
    telegram.fault("lose", method="sendMessage")

    crowd.say()

    _judge(crowd.settled(patience_s=15, linger_s=3), is_protected=is_protected, else_seen="doubled")


def test_the_sweeper_finds_what_the_broker_lost(
    open_house: Open, crowd: Crowd, telegram: FakeTelegram, is_protected: bool, redis_url: str
) -> None:
    house = open_house(None if is_protected else "sweeper")
    house.kill("worker")
    house.kill("second worker")
    crowd.say()
    until(lambda: not telegram.state()["pending"], told=lambda: house.output)

    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
    house.make_whole()

    _judge(crowd.settled(patience_s=15), is_protected=is_protected, else_seen="lost")


def _judge(verdict: Verdict, *, is_protected: bool, else_seen: str) -> None:
    if is_protected:
        assert verdict.is_clean, str(verdict)
    else:
        assert getattr(verdict, else_seen), f"taken away, and the judge saw nothing: {verdict}"


def _repeat_what_is_queued(broker: redis.Redis) -> None:
    """Put it there several times, as a broker does that lost an acknowledgement."""
    for waiting in broker.lrange(QUEUE, 0, -1):
        for _ in range(5):
            broker.rpush(QUEUE, waiting)
