"""What a message costs Redis as the broker, and what becomes of one that a worker took and did not begin."""

from uuid import uuid4

import redis
from celery import Celery

from parlour.store.ids import TurnId
from parlour.turns.tasks import QUEUE, CeleryQueue, celery_config
from tests import services
from tests.support.counted import line_to


def application(url: str) -> Celery:
    app = Celery(f"test-{uuid4()}", set_as_current=False)
    app.conf.update(celery_config(url, threads=1))
    return app


def test_what_was_taken_stands_nowhere_but_in_the_worker_and_goes_back_when_it_ends(redis_url: str) -> None:
    app = application(redis_url)
    queue = CeleryQueue(app)
    for _ in range(3):
        queue.publish(TurnId(uuid4()))

    with app.connection_for_read() as connection, redis.Redis.from_url(redis_url, decode_responses=True) as client:
        channel = connection.channel()
        begun, _ = channel.basic_get(QUEUE), channel.basic_get(QUEUE)
        begun.ack()
        assert queue.depth() == 1
        assert not [key for key in client.scan_iter() if "unacked" in key]
        channel.close()

    assert queue.depth() == 2


def test_what_was_taken_is_left_to_the_sweeper_where_redis_is_gone(redis_server: services.RedisServer) -> None:
    app = application(redis_server.url)
    CeleryQueue(app).publish(TurnId(uuid4()))

    with app.connection_for_read() as connection:
        channel = connection.channel()
        assert channel.basic_get(QUEUE) is not None
        redis_server.stop()

        # Kombu itself would write what it has into a file, for somebody to find.
        assert channel.qos.restore_unacked() == []


def test_a_published_turn_is_one_round_trip(redis_url: str) -> None:
    with line_to(redis_url) as line:
        queue = CeleryQueue(application(line.url))
        queue.publish(TurnId(uuid4()))
        before = line.round_trips

        queue.publish(TurnId(uuid4()))

        assert line.round_trips - before == 1
