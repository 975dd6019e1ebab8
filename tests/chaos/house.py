"""An installation that can be broken: its processes die, freeze and come back, its services go away."""

import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

from tests.chaos.ending import held_off
from tests.chaos.nursery import Born, Nursery
from tests.chaos.protections import PROTECTIONS
from tests.chaos.wall_clock import BACK, FORWARD
from tests.fakes.slack import FakeSlack
from tests.fakes.telegram import FakeTelegram
from tests.integration.e2e.layouts import Layout, environment, production_environment
from tests.processes import Process, until
from tests.services import PostgresDatabases, PostgresServer, RedisServer

LEASE_S = 2.0
PACE_S = "0.03"
_OPERATION_S = 120.0
_ENDED_S = 60.0


class House(Layout):
    """The processes of one layout under faults. One that died is started again by `mend`, as systemd would."""

    def __init__(
        self,
        environment: dict[str, str],
        folder: Path,
        *,
        kinds: dict[str, str],
        without: str | None = None,
        nursery: Nursery | None = None,
        pace: str = PACE_S,
    ) -> None:
        """`kinds`: the command of each process by its name. With a nursery they are born there.

        `pace` is how many seconds the engine takes for a word.
        """
        super().__init__(environment, folder)
        self._kinds = kinds
        self._without = without
        self._nursery = nursery
        self.pace = pace
        """Of the engines that are started from now on."""
        self._frozen: set[str] = set()
        self._ending: set[str] = set()
        self.operations: list[Process] = []
        self.migrations: Path | None = None
        """Of the version that is started from now on; None: this one's."""

    def __enter__(self) -> Self:
        """Start every process."""
        try:
            for name in self._kinds:
                self.bring_up(name)
            for process in self.processes.values():
                process.await_ready()
        except BaseException as error:
            self.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in list(self._frozen):
            self.wake(name)
        if kind is not None and not issubclass(kind, Exception):
            # The suite itself was told to end: nobody looks at this house any more.
            for process in (*self.processes.values(), *self.operations):
                process.popen.kill()
        super().__exit__(kind, error, trace)

    def bring_up(self, name: str, *, crash_at: str | None = None, **more: str) -> Process:
        """Start a process, to die at a step if one is named. `more` are variables of its own."""
        words = ["--pace", self.pace]
        words += ["--without", self._without] if self._without else []
        words += ["--crash-at", crash_at] if crash_at else []
        words += ["--migrations", str(self.migrations)] if self.migrations else []
        words += ["--", self._kinds[name]]
        ready = "engine_ready" if self._kinds[name] == "worker" else "is ready"
        with held_off():
            if self._nursery is None:
                return self.launch(name, sys.executable, "-m", "tests.chaos.child", *words, ready=ready, **more)
            born = Born(self._nursery, words, self.environment | more, cwd=self.folder, ready=ready)
            return self.adopt(name, born)

    def operate(self, *command: str) -> Process:
        """Let an operator's command run beside everything else. It may fail, as when its database is away."""
        words = ["--", *command]
        ready = "an operator's command is never ready"
        if self._nursery is None:
            words = [sys.executable, "-m", "tests.chaos.child", *words]
            process = Process(words, self.environment, cwd=self.folder, ready=ready)
        else:
            process = Born(self._nursery, words, self.environment, cwd=self.folder, ready=ready)
        with held_off():
            self.operations.append(self._stack.enter_context(process))
        return process

    def carry_out(self, *command: str) -> None:
        """Let an operator's command run to its end. Raises `AssertionError` with its output where it fails."""
        operation = self.operate(*command)
        assert operation.wait(timeout_s=_OPERATION_S) == 0, operation.output

    def is_dead(self, name: str) -> bool:
        """Whether the process has ended."""
        return self.processes[name].popen.poll() is not None

    def kill(self, name: str) -> None:
        """`kill -9`."""
        self.wake(name)
        self.processes[name].kill()

    def end(self, name: str) -> None:
        """SIGTERM, without waiting."""
        self.wake(name)
        self.processes[name].send(signal.SIGTERM)
        self._ending.add(name)

    def freeze(self, name: str) -> None:
        """SIGSTOP."""
        if not self.is_dead(name):
            self.processes[name].send(signal.SIGSTOP)
            self._frozen.add(name)

    def wake(self, name: str) -> None:
        """SIGCONT."""
        if name in self._frozen:
            self._frozen.discard(name)
            self.processes[name].send(signal.SIGCONT)

    def jump(self, name: str, *, is_forward: bool) -> None:
        """Set the process's wall clock ten minutes forward or back."""
        if not self.is_dead(name) and name not in self._ending:
            self.processes[name].send(FORWARD if is_forward else BACK)

    def fill_disk(self, name: str) -> None:
        """Let no file of the process grow past what its largest one holds now, as on a full disk."""
        largest = max((file.stat().st_size for file in self.data_dir.rglob("*") if file.is_file()), default=0)
        self._limit_files(name, largest)

    def make_room(self, name: str) -> None:
        """Take the limit away again."""
        self._limit_files(name, resource.RLIM_INFINITY)

    def _limit_files(self, name: str, size: int) -> None:
        # It may have died meanwhile; the one that comes after it has no limit.
        with suppress(ProcessLookupError):
            pid = self.processes[name].popen.pid
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def mend(self) -> None:
        """Start again what has died."""
        for name in self._kinds:
            if self.is_dead(name):
                self._ending.discard(name)
                self.processes[name].wait()
                self.bring_up(name)

    def make_whole(self) -> None:
        """Wake what is frozen, start what is dead, and wait until all are ready and all room is there again."""
        for name in list(self._frozen):
            self.wake(name)
        for name in self.processes:
            if not self.is_dead(name):
                self.make_room(name)
        # One that was told to end has long said that it is ready: it would pass for whole, and nobody would start it.
        for name in self._ending:
            until(lambda name=name: self.is_dead(name), timeout_s=_ENDED_S)  # type: ignore[misc]
        self._ending.clear()
        for operation in self.operations:
            operation.wait(timeout_s=_OPERATION_S)
        self.mend()
        for name, process in self.processes.items():
            # One that was on its way down may go only now.
            with suppress(AssertionError):
                process.await_ready()
                continue
            until(lambda name=name: self.is_dead(name))  # type: ignore[misc]
            self.mend()
            self.processes[name].await_ready()


def variables(telegram: FakeTelegram, slack: FakeSlack | None = None) -> dict[str, str]:
    """The settings of every house: the fakes are its messengers, a lease is short, nobody is too fast."""
    in_slack = (
        {}
        if slack is None
        else {
            "PARLOUR_SLACK__BOT_TOKEN": slack.bot_token,
            "PARLOUR_SLACK__APP_TOKEN": slack.app_token,
            "PARLOUR_SLACK__SIGNING_SECRET": slack.signing_secret,
            "PARLOUR_SLACK__MODE": "socket",
            "PARLOUR_SLACK__BASE_URL": slack.base_url,
        }
    )
    return in_slack | {
        "PARLOUR_TELEGRAM__TOKEN": telegram.token,
        "PARLOUR_TELEGRAM__BASE_URL": telegram.base_url,
        "PARLOUR_TURNS__LEASE_S": f"{LEASE_S:g}",
        # A schedule may hit one turn several times; a turn that is given up is no loss, but this judge is strict.
        "PARLOUR_TURNS__MAX_ATTEMPTS": "20",
        # So that an answer may fill more than a message.
        "PARLOUR_ENGINE__MAX_TOKENS": "2000",
        "PARLOUR_ACCESS__MESSAGES_PER_MINUTE": "1000000",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }


def production(
    folder: Path,
    databases: PostgresDatabases,
    broker_url: str,
    telegram: FakeTelegram,
    *,
    slack: FakeSlack | None = None,
    gateways: int = 1,
    is_migrated: bool = True,
    without: str | None = None,
    nursery: Nursery | None = None,
    pace: str = PACE_S,
    **more: str,
) -> House:
    """Gateways, two workers and a scheduler on PostgreSQL and a broker; migrated, not started.

    `without` is a protection to take away from every process; `more` are further variables of their environment.
    """
    settings = production_environment(folder, databases, broker_url, **(variables(telegram, slack) | more))
    settings["PARLOUR_BUS__URL"] = broker_url if broker_url.startswith("redis") else ""
    kinds = {"scheduler": "scheduler", "worker": "worker", "second worker": "worker", "gateway": "gateway"}
    if gateways > 1:
        kinds["second gateway"] = "gateway"
    house = House(settings, folder, kinds=kinds, without=without, nursery=nursery, pace=pace)
    if is_migrated:
        house.carry_out("db", "upgrade")
    if without:
        with psycopg.connect(settings["PARLOUR_DATABASE__URL"], autocommit=True) as connection:
            for statement in PROTECTIONS[without].statements:
                connection.execute(statement)
    return house


def embedded(
    folder: Path,
    telegram: FakeTelegram,
    *,
    slack: FakeSlack | None = None,
    nursery: Nursery | None = None,
    **more: str,
) -> House:
    """`parlour up`. `more` are further variables of its environment."""
    return House(
        environment(folder, **(variables(telegram, slack) | more)), folder, kinds={"up": "up"}, nursery=nursery
    )


class Services:
    """A PostgreSQL and a Redis of a house's own, to be stopped and started under it."""

    def __init__(self) -> None:
        self.postgres = PostgresServer()
        self.redis = RedisServer()

    def __enter__(self) -> Self:
        """Start both."""
        try:
            with held_off():
                self.postgres.start()
                self.redis.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.redis.remove()
        self.postgres.remove()

    def mend(self) -> None:
        """Bring back whatever a play that broke off has left stopped or frozen."""
        for server in (self.redis, self.postgres):
            server.stop()
            server.start()

    def cut_connections(self) -> None:
        """End every session of the database server, in the middle of whatever it does."""
        with psycopg.connect(self.postgres.url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
