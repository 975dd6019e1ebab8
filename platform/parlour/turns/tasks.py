"""Turns and jobs on Celery: how the application is configured, how an id is published, and the tasks it is for."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar
from uuid import UUID

import structlog
from celery import Celery
from kombu.entity import Exchange, Queue
from kombu.exceptions import ChannelError, LimitExceeded, OperationalError
from kombu.resource import Resource
from kombu.utils.url import maybe_sanitize_url

from parlour.store.ids import JobId, TurnId
from parlour.turns.ports import QueueUnavailable

log = structlog.get_logger(__name__)

T = TypeVar("T", TurnId, JobId)

QUEUE: Final = "parlour.turns"
JOBS: Final = "parlour.jobs"
ANSWER: Final = "parlour.answer"
LEARN: Final = "parlour.learn"
RUN_JOB: Final = "parlour.run_job"
# A thread beside those that answer people: a job takes no place from them.
JOB_THREADS: Final = 1
IN_PROCESS: Final = "memory://"

# With the broker away a publication must fail at once: intake waits for it before it lets a messenger go.
_CONNECT_S: Final = 1.0
# RabbitMQ says that it has a message; while it is short of memory or disk it says nothing.
_CONFIRM_S: Final = 1.0
# After a failure nobody tries again for so long; the sweeper publishes whatever came meanwhile.
_PAUSE_S: Final = 1.0
# `OSError` has time-outs and lost connections among its kinds.
_FAILURES: Final = (OperationalError, LimitExceeded, OSError)


def celery_config(broker_url: str, *, threads: int) -> dict[str, Any]:
    """Celery's settings for a broker, and for a worker that answers `threads` turns at once.

    Tasks are acknowledged early and no results are kept: SQL alone knows what is done, and a lost task is found by the
    sweeper. So nothing depends on a broker's visibility time-outs, which would start long answers twice.
    """
    return {
        "broker_url": broker_url or IN_PROCESS,
        "broker_transport": _transport(broker_url),
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_connection_timeout": _CONNECT_S * 2,
        "broker_transport_options": _transport_options(broker_url),
        "broker_pool_limit": 32,
        "task_default_queue": QUEUE,
        "task_default_queue_type": _queue_type(broker_url),
        "task_queues": [_queue(name, broker_url) for name in (QUEUE, JOBS)],
        "task_create_missing_queues": True,
        "task_ignore_result": True,
        "task_acks_late": False,
        "task_serializer": "json",
        "accept_content": ["json"],
        "worker_pool": "threads",
        "worker_consumer": "parlour.turns.consumer:PromptConsumer",
        "worker_concurrency": threads + JOB_THREADS,
        "worker_prefetch_multiplier": 1,
        # Quorum queues know no global prefetch count.
        "worker_detect_quorum_queues": True,
        "worker_send_task_events": False,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "worker_proc_alive_timeout": 60.0,
        "enable_utc": True,
        "timezone": "UTC",
    }


def _transport(broker_url: str) -> str | None:
    """Ours where it is better than the one that the address names: each says why."""
    if not broker_url:
        return "parlour.turns.in_process:Transport"
    ours = {
        "redis": "redis_broker:Transport",
        "rediss": "redis_broker:Transport",
        "amqp": "rabbit_broker:Transport",
        "amqps": "rabbit_broker:SSLTransport",
    }.get(broker_url.partition("://")[0])
    return ours and f"parlour.turns.{ours}"


def _queue_type(broker_url: str) -> str:
    return "quorum" if broker_url.startswith("amqp") else "classic"


def _queue(name: str, broker_url: str) -> Queue:
    """A queue with an exchange of its own; left to Celery, all of them would hang on one."""
    arguments = {"x-queue-type": _queue_type(broker_url)} if broker_url.startswith("amqp") else None
    return Queue(name, Exchange(name, type="direct"), routing_key=name, queue_arguments=arguments)


def _transport_options(broker_url: str) -> dict[str, Any]:
    if broker_url.startswith("redis"):
        return {"socket_connect_timeout": _CONNECT_S, "socket_timeout": 5.0, "socket_keepalive": True}
    if broker_url.startswith("amqp"):
        return {"connect_timeout": _CONNECT_S, "write_timeout": _CONFIRM_S, "max_retries": 0, "confirm_publish": True}
    return {}


def register(
    app: Celery,
    answer: Callable[[TurnId], None],
    learn: Callable[[TurnId], None],
    run_job: Callable[[JobId], None],
) -> None:
    """Give the application its tasks. Their argument is an id, never content."""

    @app.task(name=ANSWER)  # type: ignore[untyped-decorator]
    def answer_turn(turn_id: str) -> None:
        _carry_out(answer, TurnId(UUID(turn_id)))

    @app.task(name=LEARN)  # type: ignore[untyped-decorator]
    def learn_from_turn(turn_id: str) -> None:
        _carry_out(learn, TurnId(UUID(turn_id)))

    @app.task(name=RUN_JOB)  # type: ignore[untyped-decorator]
    def run_one_job(job_id: str) -> None:
        _carry_out(run_job, JobId(UUID(job_id)))


def _carry_out(use_case: Callable[[T], None], subject: T) -> None:
    try:
        use_case(subject)
    except Exception:  # a task begins here: Celery would log the exception's own text, which may quote content
        log.exception("task_broke", subject=str(subject))


@contextmanager
def _borrowed(pool: Resource) -> Iterator[Any]:
    """A connection of a pool, or a producer, which has one. It is closed without a word where this fails.

    The answer may still come, and is not for whoever has it next. The pool's own way is to say good-bye, and to wait.
    """
    one = pool.acquire(block=True, timeout=_CONNECT_S)
    try:
        yield one
    except Exception:
        connection = getattr(one, "__connection__", one)
        if not getattr(connection.transport, "is_blocked", False):
            connection.collect()
        raise
    finally:
        one.release()


class CeleryQueue:
    """The `TurnQueue` over Celery, for every broker that it speaks to."""

    def __init__(self, app: Celery, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._monotonic = monotonic
        self._paused_until = 0.0

    def publish(self, turn_id: TurnId) -> None:
        """Tell one worker that a turn waits."""
        self._send(ANSWER, turn_id, QUEUE)

    def publish_learning(self, turn_id: TurnId) -> None:
        """Tell one worker that something may be learned from a finished turn."""
        self._send(LEARN, turn_id, QUEUE)

    def publish_job(self, job_id: JobId) -> None:
        """Tell one worker that a job is due. Raises `QueueUnavailable`."""
        self._send(RUN_JOB, job_id, JOBS)

    def _send(self, task: str, what: UUID, queue: str) -> None:
        self._refuse_while_paused()
        try:
            with _borrowed(self._app.producer_pool) as producer:
                # With the argument's looks, which Celery would find out for a log that nobody keeps.
                self._app.send_task(
                    task,
                    args=[str(what)],
                    argsrepr=str(what),
                    kwargsrepr="",
                    queue=queue,
                    retry=False,
                    ignore_result=True,
                    timeout=_CONFIRM_S,
                    confirm_timeout=_CONFIRM_S,
                    producer=producer,
                )
        except _FAILURES as error:
            raise self._pause(error) from None

    def depth(self) -> int:
        """How many published turns no worker has taken yet."""
        self._refuse_while_paused()
        try:
            with _borrowed(self._app.pool) as connection:
                return int(connection.default_channel.queue_declare(QUEUE, passive=True).message_count)
        except ChannelError:
            return 0  # no queue yet: nothing was ever published
        except _FAILURES as error:
            raise self._pause(error) from None

    def _refuse_while_paused(self) -> None:
        if self._monotonic() < self._paused_until:
            raise QueueUnavailable("the broker did not answer a moment ago")

    def _pause(self, error: Exception) -> QueueUnavailable:
        self._paused_until = self._monotonic() + _PAUSE_S
        where = maybe_sanitize_url(str(self._app.conf.broker_url))
        return QueueUnavailable(
            f"no broker at {where} ({type(error).__name__}). Turns wait in the database until it is back."
        )
