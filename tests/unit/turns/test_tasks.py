"""Turns on Celery: what goes to the broker, and what happens without one."""

from uuid import uuid4

import pytest
from celery import Celery
from kombu.connection import Connection
from kombu.exceptions import OperationalError
from kombu.utils.imports import symbol_by_name
from structlog.testing import capture_logs

from parlour.store.ids import JobId, TurnId
from parlour.turns.ports import QueueUnavailable
from parlour.turns.tasks import ANSWER, JOBS, LEARN, QUEUE, RUN_JOB, CeleryQueue, _carry_out, celery_config, register
from tests.fakes.clock import FakeClock


@pytest.fixture
def app() -> Celery:
    """An application on a broker in memory."""
    app = Celery(f"test-{uuid4()}", set_as_current=False)
    app.conf.update(celery_config("", threads=2))
    # kombu's memory transport shares its queues in the whole process.
    with app.connection_for_write() as connection:
        for name in (QUEUE, JOBS):
            connection.default_channel.queue_purge(name) if _exists(connection, name) else None
    return app


def test_the_task_carries_an_id_and_nothing_else(app: Celery) -> None:
    """G7."""
    turn_id = TurnId(uuid4())
    queue = CeleryQueue(app)

    queue.publish(turn_id)

    with app.connection_for_read() as connection:
        message = connection.default_channel.basic_get(QUEUE)
    arguments, named, _ = message.decode() if hasattr(message, "decode") else message.payload
    assert (arguments, named) == ([str(turn_id)], {})
    assert message.headers["task"] == ANSWER
    assert message.headers["argsrepr"] == str(turn_id)


def test_the_depth_is_what_nobody_took_yet(app: Celery) -> None:
    queue = CeleryQueue(app)
    assert queue.depth() == 0

    for _ in range(3):
        queue.publish(TurnId(uuid4()))

    assert queue.depth() == 3


def test_the_task_calls_the_use_case_with_the_id(app: Celery) -> None:
    answered: list[TurnId] = []
    learned: list[TurnId] = []
    done: list[JobId] = []
    register(app, answered.append, learned.append, done.append)
    turn_id, job_id = TurnId(uuid4()), JobId(uuid4())

    app.tasks[ANSWER](str(turn_id))
    app.tasks[LEARN](str(turn_id))
    app.tasks[RUN_JOB](str(job_id))

    assert (answered, learned, done) == ([turn_id], [turn_id], [job_id])


def test_a_job_goes_to_a_queue_of_its_own(app: Celery) -> None:
    queue = CeleryQueue(app)
    queue.publish_job(JobId(uuid4()))

    assert queue.depth() == 0
    with app.connection_for_read() as connection:
        assert connection.default_channel.basic_get(JOBS).headers["task"] == RUN_JOB


def test_after_a_failure_nobody_asks_the_broker_for_a_second(app: Celery, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, tries = FakeClock(), list[int]()
    queue = CeleryQueue(app, monotonic=clock.elapsed)

    def fail(*_: object, **__: object) -> None:
        tries.append(1)
        raise OperationalError

    monkeypatch.setattr(app, "send_task", fail)
    for _ in range(5):
        with pytest.raises(QueueUnavailable):
            queue.publish(TurnId(uuid4()))
    assert len(tries) == 1
    clock.advance(1.1)
    with pytest.raises(QueueUnavailable):
        queue.publish(TurnId(uuid4()))

    assert len(tries) == 2


def test_a_connection_that_failed_is_not_used_again(app: Celery, monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker's late word on this message would be taken for its word on the next."""
    CeleryQueue(app).publish(TurnId(uuid4()))
    with app.pool.acquire() as connection:
        assert connection.connected

    def fail(*_: object, **__: object) -> None:
        raise TimeoutError

    monkeypatch.setattr(app, "send_task", fail)
    with pytest.raises(QueueUnavailable):
        CeleryQueue(app).publish(TurnId(uuid4()))

    assert not connection.connected


@pytest.mark.parametrize("url", ["", "redis://h/0", "amqp://h//"])
def test_tasks_are_not_started_twice_by_a_broker(url: str) -> None:
    """Acknowledged early: no visibility time-out redelivers an answer that takes long."""
    config = celery_config(url, threads=4)

    assert config["task_acks_late"] is False
    assert config["task_ignore_result"] is True
    assert (config["worker_pool"], config["worker_concurrency"]) == ("threads", 5)


def test_rabbitmq_keeps_the_queue_on_several_machines() -> None:
    assert celery_config("amqp://h//", threads=1)["task_default_queue_type"] == "quorum"


def _exists(connection: object, name: str) -> bool:
    try:
        connection.default_channel.queue_declare(name, passive=True)  # type: ignore[attr-defined]
    except Exception:  # noqa: BLE001 (whatever the transport says)
        return False
    return True


def test_a_task_that_breaks_tells_the_log_its_turn_and_not_what_it_choked_on() -> None:
    """G7: Celery itself would log the exception's text."""

    def choke(turn_id: TurnId) -> None:
        raise ValueError(f"what somebody said in {turn_id}")

    turn_id = TurnId(uuid4())

    with capture_logs() as told:
        _carry_out(choke, turn_id)

    assert [(one["event"], one["subject"]) for one in told] == [("task_broke", str(turn_id))]
    assert "what somebody said" not in str(told)


def test_a_worker_asks_for_its_broker_every_second(app: Celery, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not ever more rarely, as Celery does: whoever wrote meanwhile would wait half a minute after a long outage."""
    consumer_class = symbol_by_name(app.conf.worker_consumer)
    consumer = consumer_class.__new__(consumer_class)
    consumer.app, consumer.first_connection_attempt, consumer.broker_connection_retry_attempt = app, True, 0
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if sum(waits) > 60:
            raise KeyboardInterrupt

    monkeypatch.setattr("kombu.utils.functional.sleep", sleep)
    with Connection("redis://127.0.0.1:1") as nowhere, pytest.raises(KeyboardInterrupt):
        consumer.ensure_connected(nowhere)

    assert consumer.broker_connection_retry_attempt > 50
