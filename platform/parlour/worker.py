"""The worker's Celery application: `celery -A parlour.worker worker`, or `parlour worker`.

Importing this module reads nothing and connects to nothing; the settings are read when Celery first asks for them.
"""

import os
import sys
import threading
from contextlib import ExitStack
from typing import Any, NoReturn

from celery import Celery, signals
from celery.loaders.app import AppLoader
from prometheus_client import start_http_server

from parlour import logs
from parlour.bootstrap import platform
from parlour.from_settings import worker_threads
from parlour.processes.engine_room import EngineRoom
from parlour.settings import load
from parlour.store.ids import JobId, TurnId
from parlour.turns.tasks import celery_config, register


class SettingsLoader(AppLoader):
    """Gives Celery its configuration out of Parlour's settings, when it first needs one."""

    def read_configuration(self, env: str = "") -> dict[str, Any]:
        """The configuration; `env` is Celery's own way to name a module, not used here."""
        settings = load()
        return celery_config(settings.broker.url, threads=worker_threads(settings))


class WorkerProcess:
    """What this process holds while it works."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._room: EngineRoom | None = None

    def start(self) -> None:
        """Build everything; end the process with one line when that cannot be done.

        Celery swallows what a signal handler raises and would start a worker without an engine.
        """
        try:
            settings = load()
            logs.set_up(level=settings.log.level, style=settings.log.format)
            parts = self._stack.enter_context(platform(settings))
            if not settings.broker.url:
                _refuse(
                    "PARLOUR_BROKER__URL is empty: a worker of its own needs redis://… or amqp://…, or use parlour up."
                )
            self._room = EngineRoom(parts)
            self._room.start()
            self._stack.callback(self._room.close)
            if settings.metrics.port:
                start_http_server(settings.metrics.port, registry=parts.metrics.registry)
        except Exception as error:  # noqa: BLE001 (whatever it is, this worker must not start)
            self._stack.close()
            _refuse(" ".join(str(error).split()) or type(error).__name__)

    def answer(self, turn_id: TurnId) -> None:
        """Answer one turn."""
        if self._room is None:
            raise RuntimeError("a task came before the worker was ready")
        self._room.answer(turn_id)

    def learn(self, turn_id: TurnId) -> None:
        """Learn from one finished turn, later."""
        if self._room is not None:
            self._room.learn(turn_id)

    def run_job(self, job_id: JobId) -> None:
        """Do one job of a skill."""
        if self._room is None:
            raise RuntimeError("a task came before the worker was ready")
        self._room.run_job(job_id)

    def drain(self) -> None:
        """Begin to end: running answers get the drain time, in a thread, since Celery waits for them by itself."""
        if self._room is not None:
            threading.Thread(target=self._room.drain, name="drain", daemon=True).start()

    def close(self) -> None:
        """Let go of everything, the engine's processes first."""
        self._stack.close()


def _refuse(line: str) -> NoReturn:
    print(line, file=sys.stderr, flush=True)  # noqa: T201 (the one line that the operator reads)
    os._exit(1)


process = WorkerProcess()
app = Celery("parlour", loader=SettingsLoader)
register(app, process.answer, process.learn, process.run_job)

# Receivers are held here, and weakly by Celery.
_receivers = (
    signals.worker_init.connect(lambda **_: process.start(), weak=False),
    signals.worker_shutting_down.connect(lambda **_: process.drain(), weak=False),
    signals.worker_shutdown.connect(lambda **_: process.close(), weak=False),
    # Connecting to it keeps Celery from replacing the logging that `start` sets up.
    signals.setup_logging.connect(lambda **_: None, weak=False),
)
