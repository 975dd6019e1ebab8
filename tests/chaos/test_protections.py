"""Each protection is needed, and the judge can fail: the same fault is harmless with it and caught without it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from parlour.turns.tasks import QUEUE
from tests.chaos.crowd import Crowd
from tests.chaos.house import House, production
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

    verdict = crowd.settled(patience_s=60 if is_protected else 15)
    assert verdict.is_clean is is_protected, f"{verdict}\n{house.output[-3000:]}"


def test_the_fence_refuses_what_a_worker_back_from_the_dead_writes(
    open_house: Open, crowd: Crowd, telegram: FakeTelegram, is_protected: bool
) -> None:
    house = open_house(None if is_protected else "fence")
    house.kill("second worker")
    # So long that it is frozen in the middle, however late its first draft is seen; the engine stops at 512.
    crowd.say(crowd.people[0], words=6 * LONG)
    until(lambda: telegram.drafts(crowd.people[0]), told=lambda: house.output)
    house.freeze("worker")

    house.mend()
    until(lambda: crowd.verdict().is_answered, timeout_s=180, told=lambda: house.output)
    house.wake("worker")

    # The frozen one still has most of its answer to write.
    _judge(crowd, is_protected=is_protected, else_seen="doubled", linger_s=15)


def test_an_events_unique_key_makes_one_turn_of_many_deliveries(
    open_house: Open, crowd: Crowd, telegram: FakeTelegram, is_protected: bool
) -> None:
    open_house(None if is_protected else "unique event")
    crowd.say(crowd.people[0])
    assert crowd.settled(patience_s=60, linger_s=0).is_clean

    telegram.do("redeliver")
    crowd.say(crowd.people[1])

    _judge(crowd, is_protected=is_protected, else_seen="doubled", linger_s=3)


def test_the_ledger_asks_before_it_sends_again(
    open_house: Open, crowd: Crowd, telegram: FakeTelegram, is_protected: bool
) -> None:
    open_house(None if is_protected else "ledger")
    telegram.fault("lose", method="sendMessage")

    crowd.say()

    _judge(crowd, is_protected=is_protected, else_seen="doubled", linger_s=3)


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

    _judge(crowd, is_protected=is_protected, else_seen="stuck", linger_s=1)


def _judge(crowd: Crowd, *, is_protected: bool, else_seen: str, linger_s: float) -> None:
    """A protected house may take its time to come clean; of another the harm may take its time to show."""
    if is_protected:
        verdict = crowd.settled(patience_s=60, linger_s=linger_s)
        assert verdict.is_clean, str(verdict)
    else:
        crowd.settled(patience_s=15, linger_s=0)
        until(
            lambda: getattr(crowd.verdict(), else_seen),
            told=lambda: f"taken away, and the judge saw nothing: {crowd.verdict()}",
        )


def _repeat_what_is_queued(broker: redis.Redis) -> None:
    """Put it there several times, as a broker does that lost an acknowledgement."""
    for waiting in broker.lrange(QUEUE, 0, -1):
        for _ in range(5):
            broker.rpush(QUEUE, waiting)
