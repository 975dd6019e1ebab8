"""The answering half of a process: the engine, the threads that answer, and how they come and go."""

import threading
import time
from typing import Any, Protocol

import structlog
from celery import Celery
from celery.worker import WorkController
from celery.worker import state as celery_state

from parlour.bootstrap import Platform
from parlour.engines.host import EngineHost
from parlour.from_settings import engine_host, worker_threads
from parlour.processes.classroom import Classroom
from parlour.skills.job_runs import JobRunner  # noqa: TC001 (an annotation like the others)
from parlour.store.ids import JobId, TurnId
from parlour.turns.answer import Answerer  # noqa: TC001 (an annotation like the others)
from parlour.turns.tasks import JOB_THREADS, register

log = structlog.get_logger(__name__)


class EngineRoom:
    """An engine and what answers turns with it. Started before any task runs, closed after the last one."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._host: EngineHost = engine_host(platform.settings)
        self._answerer: Answerer | None = None
        self._classroom = Classroom(platform, self._host)
        self._jobs: JobRunner | None = None

    @property
    def host(self) -> EngineHost:
        """The engine."""
        return self._host

    def start(self) -> None:
        """Load the engine. Raises `EngineError` with the remedy; then nothing is left running."""
        self._host.start()
        self._answerer = self._platform.answerer(self._host)
        self._jobs = self._platform.job_runner(self._host)
        self._platform.running.start()
        self._classroom.start()
        log.info("engine_ready", engine=self._host.name, answers_at_once=worker_threads(self._platform.settings))

    def answer(self, turn_id: TurnId) -> None:
        """Answer a turn; the body of the Celery task."""
        if self._answerer is None:
            raise RuntimeError("a task came before the engine was ready")
        self._answerer.answer(turn_id)

    def learn(self, turn_id: TurnId) -> None:
        """Learn from a finished turn when there is time; the body of the other Celery task, which ends at once."""
        self._classroom.put(turn_id)

    def run_job(self, job_id: JobId) -> None:
        """Do a skill's job; the body of the Celery task."""
        if self._jobs is None:
            raise RuntimeError("a task came before the engine was ready")
        self._jobs.run(job_id)

    def drain(self) -> None:
        """Let running answers finish within the drain time; what is left then goes back into the queue.

        A job is ended at once, and begun anew by whoever is there.
        """
        if self._jobs is not None:
            self._jobs.close()
        running = self._platform.running
        log.info("drain_begins", count=len(running))
        if not running.wait_until_idle(self._platform.settings.turns.drain_s):
            log.warning("turns_handed_back", count=len(running))
            running.hand_back_all()
            running.wait_until_idle(5.0)

    def close(self) -> None:
        """Stop the engine and its children; what still runs goes back into the queue."""
        self.drain()
        self._classroom.close()
        self._platform.running.close()
        self._host.close()


class Tasks(Protocol):
    """What a worker does with the ids it is told (`EngineRoom`)."""

    def answer(self, turn_id: TurnId) -> None:
        """Answer a turn."""
        ...

    def learn(self, turn_id: TurnId) -> None:
        """Learn from a finished one."""
        ...

    def run_job(self, job_id: JobId) -> None:
        """Do a skill's job."""
        ...


class EmbeddedWorker:
    """A Celery worker in a thread of this process, for `parlour up` and `parlour chat`."""

    def __init__(self, celery: Celery, tasks: Tasks, *, threads: int) -> None:
        register(celery, tasks.answer, tasks.learn, tasks.run_job)
        self._celery = celery
        self._threads = threads
        self._worker: Any = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start consuming; returns when the worker does. Raises `RuntimeError` when it ends instead."""
        # The controller, not Celery's command line worker: that one installs signal handlers, which only the main
        # thread may do and which are this process's own.
        self._worker = WorkController(
            app=self._celery,
            pool_cls="threads",
            concurrency=self._threads + JOB_THREADS,
            without_mingle=True,
            without_gossip=True,
            without_heartbeat=True,
            loglevel="WARNING",
        )
        celery_state.should_stop = None
        celery_state.should_terminate = None
        self._thread = threading.Thread(target=self._worker.start, name="celery-worker", daemon=True)
        self._thread.start()
        deadline = time.monotonic() + 10.0
        while not self._is_consuming():
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError("the Celery worker did not start. Look at the log above for the reason.")
            time.sleep(0.01)

    def stop(self, timeout_s: float) -> None:
        """Stop consuming; answers that run go on until they end or the drain hands them back."""
        if self._thread is None:
            return
        # An exit code, as Celery has it.
        celery_state.should_stop = 0  # type: ignore[assignment]
        self._thread.join(timeout=timeout_s)
        self._thread = None

    def _is_consuming(self) -> bool:
        consumer = getattr(self._worker, "consumer", None)
        return consumer is not None and getattr(consumer, "task_consumer", None) is not None
