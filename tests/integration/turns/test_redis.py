"""Send budget and live bus over Redis: the unit tests' behaviours, and Redis going away."""

# ruff: noqa: F403, F405 (the same tests, collected here once more with this file's fixtures)
# The fixtures named like the unit tests' own take their places, hence `no-redef`.
import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from redis.asyncio import Connection

from parlour.turns.budget import Lane, RedisBudget, SendBudget
from parlour.turns.bus import RedisBus
from parlour.turns.ports import LiveBus, SendLimits
from tests import services
from tests.support.stage import until
from tests.unit.turns.test_budget import *
from tests.unit.turns.test_bus import *

LANE = Lane("bot", "chat")
ONE_AN_HOUR = SendLimits(chat_per_s=1 / 3_600)
# One that is there may be slow where many tests run.
PATIENCE_S = 60.0


@pytest.fixture  # type: ignore[no-redef]
def budget(redis_url: str) -> SendBudget:
    return RedisBudget(redis_url, timeout_s=PATIENCE_S)


@pytest.fixture  # type: ignore[no-redef]
def bus(redis_url: str) -> Iterator[LiveBus]:
    bus = RedisBus(redis_url, timeout_s=PATIENCE_S)
    yield bus
    bus.close()


def test_processes_share_a_budget(redis_url: str) -> None:
    first, second = (RedisBudget(redis_url, timeout_s=PATIENCE_S) for _ in range(2))

    assert first.reserve(LANE, ONE_AN_HOUR) == 0.0
    assert second.reserve(LANE, ONE_AN_HOUR) > 3_000


def test_processes_share_a_429(redis_url: str) -> None:
    first, second = (RedisBudget(redis_url, timeout_s=PATIENCE_S) for _ in range(2))

    first.block(LANE, seconds=300, is_whole_account=False)

    assert second.reserve(LANE, ONE_AN_HOUR) == pytest.approx(300, abs=60)


def test_with_redis_away_each_process_keeps_to_the_limits_by_itself(redis_server: services.RedisServer) -> None:
    """G6: and no 429 is forgotten."""
    budget = RedisBudget(redis_server.url)
    redis_server.stop()

    assert budget.reserve(LANE, ONE_AN_HOUR) == 0.0
    assert budget.reserve(LANE, ONE_AN_HOUR) > 3_000
    budget.block(LANE, seconds=300, is_whole_account=True)
    assert budget.reserve(Lane("bot", "another"), ONE_AN_HOUR) > 200


async def test_a_subscription_survives_redis_going_away(redis_server: services.RedisServer) -> None:
    """G6."""
    bus = RedisBus(redis_server.url)
    async with heard(bus) as frames:
        await asyncio.to_thread(redis_server.stop)
        bus.publish(live())
        await asyncio.to_thread(redis_server.start)
        late = live()

        def is_back() -> bool:
            bus.publish(late)
            return late in frames.all()

        await until(is_back, "frames after the outage")
    bus.close()


async def test_a_subscription_that_is_ended_while_redis_is_sent_something_ends(
    bus: RedisBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway goes when it is told to."""
    send = Connection.send_packed_command
    is_ended = asyncio.Event()

    async def forget_an_end(connection: Connection, *args: Any, **more: Any) -> None:
        await send(connection, *args, **more)
        if is_ended.is_set():
            return
        # What `asyncio.wait_for` does in Python 3.11 with an end that comes as it is done.
        is_ended.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(PATIENCE_S)

    async def listen() -> None:
        async for _ in bus.subscribe([ONE]):
            pass

    monkeypatch.setattr(Connection, "send_packed_command", forget_an_end)
    listening = asyncio.create_task(listen())
    await is_ended.wait()
    monkeypatch.undo()
    listening.cancel()

    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(PATIENCE_S):
            await listening


async def test_what_is_no_frame_stops_no_subscription(bus: RedisBus, redis_url: str) -> None:

    async with heard(bus) as frames:
        with redis.Redis.from_url(redis_url) as client:
            client.publish(f"parlour:live:{ONE}", b"rubbish")
        good = live()
        bus.publish(good)
        await until(lambda: good in frames.all())


def test_a_frozen_redis_costs_a_frame_and_not_the_answers_time(redis_server: services.RedisServer) -> None:
    bus = RedisBus(redis_server.url)
    redis_server.pause()

    for _ in range(100):
        bus.publish(live())

    redis_server.resume()
    bus.close()
