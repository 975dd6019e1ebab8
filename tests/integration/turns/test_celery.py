"""The queue over real brokers, there and away (G6)."""

from collections.abc import Callable
from threading import Thread
from uuid import uuid4

import pytest
from celery import Celery

from parlour.store.ids import TurnId
from parlour.turns import tasks
from parlour.turns.ports import QueueUnavailable
from parlour.turns.tasks import CeleryQueue, celery_config
from tests import services


def queue_at(url: str) -> CeleryQueue:
    """The queue over a broker."""
    app = Celery(f"test-{uuid4()}", set_as_current=False)
    app.conf.update(celery_config(url, threads=2))
    return CeleryQueue(app)


def until_published(queue: CeleryQueue) -> None:
    """Wait for the broker to take a turn: one that is busy may not do so within the time that a publication has."""
    services.wait_until(lambda: not is_refused(lambda: queue.publish(TurnId(uuid4()))), what="the broker takes a turn")


def until_used_again(queue: CeleryQueue) -> None:
    """Wait for the broker to take a turn and to tell that it has it."""
    until_published(queue)
    depths = list[int]()
    services.wait_until(lambda: not is_refused(lambda: depths.append(queue.depth())), what="the depth is told")
    assert depths[-1] >= 1


def is_refused(what: Callable[[], object]) -> bool:
    """Whether the queue says that it is unavailable. Raises `TimeoutError` if it hangs."""
    refused = list[bool]()

    def ask() -> None:
        try:
            what()
        except QueueUnavailable:
            refused.append(True)
        else:
            refused.append(False)

    Thread(target=ask, daemon=True).start()
    services.wait_until(lambda: bool(refused), what="a word from the queue")
    return refused[0]


@pytest.mark.parametrize("broker", ["redis_url", "rabbitmq_url"])
def test_the_depth_is_what_nobody_took_yet(
    broker: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What was given up may have been taken, and would be counted.
    for limit in ("_CONNECT_S", "_CONFIRM_S"):
        monkeypatch.setattr(tasks, limit, services.DEADLINE_S)
    queue = queue_at(request.getfixturevalue(broker))
    assert queue.depth() == 0

    for _ in range(3):
        queue.publish(TurnId(uuid4()))

    services.wait_until(lambda: queue.depth() == 3, what="three turns in the queue")


@pytest.mark.parametrize("broker", ["redis_server", "rabbitmq_server"])
def test_a_broker_that_goes_away_is_told_and_used_again_when_it_is_back(
    broker: str, request: pytest.FixtureRequest
) -> None:
    server = request.getfixturevalue(broker)
    queue = queue_at(server.url)
    until_published(queue)
    server.stop()

    # Publishing that waited for the broker's return would wait for ever.
    with pytest.raises(QueueUnavailable):
        queue.publish(TurnId(uuid4()))
    server.start()

    until_used_again(queue)


def test_a_broker_that_is_frozen_is_told_after_a_while(redis_server: services.RedisServer) -> None:
    queue = queue_at(redis_server.url)
    until_published(queue)
    redis_server.pause()

    with pytest.raises(QueueUnavailable):
        queue.publish(TurnId(uuid4()))

    redis_server.resume()
    until_published(queue)


def test_a_broker_that_takes_nothing_for_want_of_memory_is_told(rabbitmq_server: services.RabbitServer) -> None:
    queue = queue_at(rabbitmq_server.url)
    until_published(queue)
    rabbitmq_server.control("set_vm_memory_high_watermark", "0.000001")

    services.wait_until(lambda: is_refused(lambda: queue.publish(TurnId(uuid4()))), what="the broker is full")
    for ask in (*[lambda: queue.publish(TurnId(uuid4()))] * 4, queue.depth):
        queue._paused_until = 0.0
        assert is_refused(ask)

    # A broker that is full does not notice that a connection was closed: it would keep one for each try.
    assert len(rabbitmq_server.control("list_connections", "pid").splitlines()) <= 3
    rabbitmq_server.control("set_vm_memory_high_watermark", "0.6")
    until_used_again(queue)


@pytest.mark.parametrize("is_publishing", [True, False])
def test_a_broker_that_freezes_with_its_connections_open_is_told(
    rabbitmq_server: services.RabbitServer, is_publishing: bool
) -> None:
    queue = queue_at(rabbitmq_server.url)
    until_published(queue)
    rabbitmq_server.pause()

    # A second time, when it has no open connection any more.
    for _ in range(2):
        assert is_refused(lambda: queue.publish(TurnId(uuid4())) if is_publishing else queue.depth())
        queue._paused_until = 0.0

    rabbitmq_server.resume()
    until_published(queue)


def test_without_a_broker_publishing_is_refused_and_says_where(unreachable: Celery) -> None:
    """Intake waits for it before it lets a messenger go."""
    queue = CeleryQueue(unreachable)

    with pytest.raises(QueueUnavailable, match=r"redis://.*127\.0\.0\.1:9"):
        queue.publish(TurnId(uuid4()))


def test_the_brokers_password_is_not_told(unreachable: Celery) -> None:
    with pytest.raises(QueueUnavailable) as caught:
        CeleryQueue(unreachable).publish(TurnId(uuid4()))

    assert "a-secret-word" not in str(caught.value)


@pytest.fixture
def unreachable() -> Celery:
    """An application whose broker is not there. Port 9 discards; nobody listens on it here."""
    app = Celery(f"test-{uuid4()}", set_as_current=False)
    app.conf.update(celery_config("redis://:a-secret-word@127.0.0.1:9/0", threads=2))
    return app
