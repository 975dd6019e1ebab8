"""The two ways Parlour is run, as real processes over their own databases."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import make_url

from tests.processes import CELERY, PARLOUR, Process
from tests.services import PostgresDatabases


class Layout:
    """A running Parlour: its processes by name, restartable one by one."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self.environment = dict(environment)
        self.folder = folder
        self._stack = ExitStack()
        self.processes: dict[str, Process] = {}

    @property
    def data_dir(self) -> Path:
        """The data folder."""
        return Path(self.environment["PARLOUR_DATA_DIR"])

    @property
    def output(self) -> str:
        """What all processes printed."""
        return "\n".join(f"--- {name}\n{process.output}" for name, process in self.processes.items())

    def run(self, *arguments: str) -> Process:
        """A command that ends by itself, ended."""
        process = Process([*PARLOUR, *arguments], self.environment, cwd=self.folder).launch()
        process.wait(timeout_s=240)
        return process

    def launch(self, name: str, *arguments: str, ready: str = "is ready", **more: str) -> Process:
        """Start a process of this installation under a name, for the first time or again, without waiting for it."""
        words = arguments or (*PARLOUR, name)
        return self.adopt(name, Process(words, self.environment | more, cwd=self.folder, ready=ready))

    def adopt(self, name: str, process: Process) -> Process:
        """Start a process that was made elsewhere as one of this installation."""
        self.processes[name] = self._stack.enter_context(process)
        return process

    def begin(self, name: str, *arguments: str, ready: str = "is ready", **more: str) -> Process:
        """Start a process and wait until it is ready."""
        process = self.launch(name, *arguments, ready=ready, **more)
        process.await_ready()
        return process

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            print(self.output)
        self._stack.close()


class Embedded(Layout):
    """`parlour up`: one process, SQLite."""

    name = "embedded"

    def __enter__(self) -> Self:
        """Start it."""
        self.begin("up")
        return self


class Production(Layout):
    """Gateway, worker and scheduler on PostgreSQL and a broker."""

    name = "production"

    def __enter__(self) -> Self:
        """Migrate, then start one of each."""
        upgraded = self.run("db", "upgrade")
        assert upgraded.popen.returncode == 0, upgraded.output
        started = [self.launch("scheduler"), self.launch_worker("worker"), self.launch("gateway")]
        for process in started:
            process.await_ready()
        return self

    def launch_worker(self, name: str) -> Process:
        """One more worker, started as plain Celery."""
        return self.launch(name, *CELERY, "-n", f"{name}@%h", ready="engine_ready")


def environment(folder: Path, **more: str) -> dict[str, str]:
    """What every installation here has: its own folder, the echo engine, everybody admitted, a free port."""
    return {
        "PARLOUR_DATA_DIR": str(folder / "data"),
        "PARLOUR_ENGINE__KIND": "echo",
        "PARLOUR_ACCESS__POLICY": "open",
        "PARLOUR_WEB__PORT": "0",
        "PARLOUR_TURNS__DRAIN_S": "5",
        "PARLOUR_LOG__LEVEL": "info",
        # The question behind a person's first answer has tests of its own.
        "PARLOUR_PERSONALISATION__IS_ON": "false",
        **more,
    }


def production_environment(folder: Path, databases: PostgresDatabases, broker_url: str, **more: str) -> dict[str, str]:
    """A production installation over two new databases and a broker."""
    own = {
        "PARLOUR_DATABASE__URL": _plain(databases.create()),
        "PARLOUR_KEYS__URL": _plain(databases.create()),
        "PARLOUR_BROKER__URL": broker_url,
    }
    return environment(folder, **(own | more))


def _plain(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


Start = Callable[..., Layout]
