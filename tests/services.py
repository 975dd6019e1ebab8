"""The services that tests talk to: found where somebody runs them, started here where only the binary is there.

`PARLOUR_TEST_POSTGRES`, `PARLOUR_TEST_REDIS` and `PARLOUR_TEST_RABBITMQ` name servers to use instead. Whatever is made
on a server that is not ours (a database, a virtual host) has a name of its own and is removed afterwards, so that
several test runs can share one server.
"""

import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Self
from urllib.parse import urlsplit, urlunsplit

import psycopg
import redis
from psycopg import sql

DEFAULTS = MappingProxyType(
    {
        "PARLOUR_TEST_POSTGRES": "postgresql://postgres@127.0.0.1:5432/postgres",
        "PARLOUR_TEST_REDIS": "redis://127.0.0.1:6379",
        "PARLOUR_TEST_RABBITMQ": "amqp://guest:guest@127.0.0.1:5672/",
    }
)
DEADLINE_S = 60.0
# https://docs.kernel.org/networking/ip-sysctl.html: `ip_local_port_range` begins at 32,768.
_SERVER_PORTS = range(15_000, 32_000)


class Missing(Exception):
    """A service is not there and cannot be started. The message says what to install."""


# ---- small tools ------------------------------------------------------------------------------------------------


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on.

    None of those that the kernel gives to clients: one that tries to reach a server that is away, again and again, gets
    the server's own port for itself one day, is connected to itself, and the server cannot come back.
    """
    while True:
        with closing(socket.socket()) as probe, suppress(OSError):
            probe.bind(("127.0.0.1", random.choice(_SERVER_PORTS)))
            return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], bool], *, what: str, deadline_s: float = DEADLINE_S) -> None:
    """Return once `condition` holds. Raises `TimeoutError` that says `what` did not come."""
    end = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {deadline_s:g} s")
        time.sleep(0.02)


def is_listening(host: str, port: int) -> bool:
    """Whether somebody takes connections there."""
    try:
        with socket.create_connection((host, port), timeout=2):
            return True
    except OSError:
        return False


def chromium() -> Path:
    """The browser that browser tests drive. Raises `Missing`."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return Path(found)
    raise Missing("no Chromium. Install it: apt-get install chromium")


class _Process:
    """A server of our own in a folder of its own, gone without a trace after `remove`."""

    def __init__(self, name: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"parlour-{name}-"))
        self._process: subprocess.Popen[bytes] | None = None

    def _spawn(
        self, command: Sequence[str | Path], *, user: str | None = None, env: Mapping[str, str] | None = None
    ) -> None:
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(part) for part in command],
                cwd=self.folder,
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                user=user,
            )

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        def is_up() -> bool:
            if self._process is not None and self._process.poll() is not None:
                raise RuntimeError(
                    f"{what} ended at start: {(self.folder / 'log').read_text(errors='replace')[-2000:]}"
                )
            return condition()

        wait_until(is_up, what=what)

    @property
    def is_started(self) -> bool:
        """Whether it was started and not stopped since."""
        return self._process is not None

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, number)

    def pause(self) -> None:
        """Freeze the server: connections stay, answers stop."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen server go on."""
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """End the server and wait until it is gone. Safe to call twice."""
        if self._process is None:
            return
        self.resume()
        self._signal(signal.SIGINT)
        try:
            self._process.wait(timeout=DEADLINE_S)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self._process.wait(timeout=DEADLINE_S)
        self._process = None

    def remove(self) -> None:
        """Stop, and delete the folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


# ---- Redis ------------------------------------------------------------------------------------------------------


class RedisServer(_Process):
    """A redis-server of our own. Its data outlives `stop` and `start` only if it is persistent."""

    def __init__(self, *, is_persistent: bool = False) -> None:
        binary = shutil.which("redis-server")
        if binary is None:
            raise Missing("no redis-server. Install it: apt-get install redis-server")
        super().__init__("redis")
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        # Single arguments: redis-server takes an empty one for "no snapshots".
        keep = ["--appendonly", "yes"] if is_persistent else ["--appendonly", "no", "--save", ""]
        self._command = [binary, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), *keep]

    def start(self) -> Self:
        """Start it, or start it again, and wait until it answers."""
        self._spawn(self._command)
        self._wait(self._answers, "redis-server")
        return self

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url, socket_timeout=5) as client:
                return bool(client.ping())
        except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError):
            return False


@contextmanager
def redis_databases(address: str | None) -> Iterator[Callable[[], str]]:
    """A function that gives the address of an empty Redis database; each call empties it again.

    Without an address this is a server of our own, because a live bus (publish and subscribe) crosses database numbers.
    """
    if address is None and shutil.which("redis-server"):
        server = RedisServer().start()
        try:
            yield lambda: _flushed(f"{server.url}/0")
        finally:
            server.remove()
        return
    url = address or DEFAULTS["PARLOUR_TEST_REDIS"]
    with _claimed_redis_database(url) as number:
        yield lambda: _flushed(f"{url.rstrip('/')}/{number}")


def _flushed(url: str) -> str:
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return url


@contextmanager
def _claimed_redis_database(url: str) -> Iterator[int]:
    """A database number that no other test run on this server uses, marked by a key in database 0."""
    with redis.Redis.from_url(f"{url.rstrip('/')}/0") as client:
        try:
            client.ping()
        except redis.exceptions.ConnectionError:
            raise Missing(f"no Redis at {url}, no redis-server. Install it: apt-get install redis-server") from None
        for number in range(1, 16):
            mark = f"parlour-tests:{number}"
            if client.set(mark, os.getpid(), nx=True, ex=7200):
                try:
                    yield number
                finally:
                    _flushed(f"{url.rstrip('/')}/{number}")
                    client.delete(mark)
                return
    raise Missing(f"all 15 databases of {url} are in use by other test runs. Set PARLOUR_TEST_REDIS to another server")


# ---- PostgreSQL -------------------------------------------------------------------------------------------------


class PostgresServer(_Process):
    """A PostgreSQL of our own, its data in a temporary folder. Data outlives `stop` and `start`."""

    def __init__(self) -> None:
        self._initdb = _postgres_binary("initdb")
        self._postgres = _postgres_binary("postgres")
        super().__init__("postgres")
        self.port = free_port()
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        self._user = _unprivileged()
        self._data = self.folder / "data"

    def start(self) -> Self:
        """Start it, or start it again, and wait until it answers."""
        if not self._data.exists():
            self._make_cluster()
        options = ("-c", "fsync=off", "-c", "max_connections=200", "-k", str(self.folder))
        command: list[str | Path] = [
            self._postgres,
            "-D",
            self._data,
            "-h",
            "127.0.0.1",
            "-p",
            str(self.port),
            *options,
        ]
        self._spawn(command, user=self._user)
        self._wait(lambda: postgres_answers(self.url), "postgres")
        return self

    def _make_cluster(self) -> None:
        if self._user:
            shutil.chown(self.folder, self._user)
        command: list[str | Path] = [
            self._initdb,
            "-D",
            self._data,
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "-N",
        ]
        subprocess.run(command, cwd=self.folder, user=self._user, check=True, capture_output=True)


class PostgresDatabases:
    """Makes databases on one server, each new and empty, and drops them all at the end."""

    def __init__(self, server_url: str) -> None:
        self._url = server_url
        self._numbers = count(1)
        self._made: set[str] = set()

    def create(self, *, template: str = "template1") -> str:
        """The address of a new database, a copy of `template`, which is a database's name or address."""
        name = f"parlour_test_{os.getpid()}_{next(self._numbers)}"
        source = urlsplit(template).path.lstrip("/") or template
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(source))
        self._execute(statement)
        self._made.add(name)
        return urlunsplit(urlsplit(self._url)._replace(path=f"/{name}"))

    def drop(self, url: str) -> None:
        """Drop it, connected clients or not."""
        name = urlsplit(url).path.lstrip("/")
        self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        self._made.discard(name)

    def close(self) -> None:
        """Drop what is left."""
        for name in sorted(self._made):
            self.drop(f"/{name}")

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(statement)


@contextmanager
def postgres_databases(address: str | None) -> Iterator[PostgresDatabases]:
    """Databases on the server at `address`, else on one of our own, else on the usual one. Raises `Missing`.

    One of our own does not wait for the disk: it makes and drops a database in a tenth of the time.
    """
    with ExitStack() as stack:
        url = address or _own_postgres(stack) or DEFAULTS["PARLOUR_TEST_POSTGRES"]
        if not postgres_answers(url):
            raise Missing(f"no PostgreSQL answers at {urlsplit(url).hostname}. Install it: apt-get install postgresql")
        databases = PostgresDatabases(url)
        stack.callback(databases.close)
        yield databases


def _own_postgres(stack: ExitStack) -> str | None:
    """The address of a server of our own, None where PostgreSQL is not installed."""
    try:
        server = PostgresServer()
    except Missing:
        return None
    stack.callback(server.remove)
    return server.start().url


def postgres_answers(url: str) -> bool:
    """Whether one can log in there."""
    try:
        with psycopg.connect(url, connect_timeout=5):
            return True
    except psycopg.OperationalError:
        return False


def _postgres_binary(name: str) -> Path:
    folders = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name), reverse=True
    )
    found = shutil.which(name, path=os.pathsep.join([*(str(folder) for folder in folders), os.environ.get("PATH", "")]))
    if found is None:
        raise Missing("no PostgreSQL. Install it: apt-get install postgresql")
    return Path(found)


def _unprivileged() -> str | None:
    """Whom to run a server as that refuses to run as root; None: as ourselves."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


# ---- RabbitMQ ---------------------------------------------------------------------------------------------------


class RabbitServer(_Process):
    """A RabbitMQ of our own, with its own Erlang port mapper, so that nothing of it stays behind."""

    def __init__(self) -> None:
        folder = Path("/usr/lib/rabbitmq/bin")
        self._binary = shutil.which("rabbitmq-server", path=str(folder)) or shutil.which("rabbitmq-server")
        if self._binary is None:
            raise Missing("no RabbitMQ. Install it: apt-get install rabbitmq-server")
        self._control = shutil.which("rabbitmqctl", path=str(folder)) or "rabbitmqctl"
        super().__init__("rabbitmq")
        self.port = free_port()
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}/"
        plugins = self.folder / "enabled_plugins"
        plugins.write_text("[].\n")
        self._env = {
            "HOME": str(self.folder),
            "ERL_EPMD_PORT": str(free_port()),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"parlour{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "none"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "none"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2",
        }

    def start(self) -> Self:
        """Start it, or start it again, and wait until it takes connections."""
        self._spawn([str(self._binary)], env=self._env)
        self._wait(lambda: is_listening("127.0.0.1", self.port), "rabbitmq-server")
        return self

    def control(self, *arguments: str) -> str:
        """Run rabbitmqctl against this server, and return what it says."""
        command = [self._control, "-q", "-n", self._env["RABBITMQ_NODENAME"], *arguments]
        return subprocess.run(
            command, env={**os.environ, **self._env}, check=True, capture_output=True, text=True
        ).stdout

    def stop(self) -> None:
        """End the server and its port mapper."""
        if self._process is not None:
            self.resume()
            # An interrupt would open Erlang's break menu: this server ends on a terminate.
            self._signal(signal.SIGTERM)
            self._process.wait(timeout=DEADLINE_S)
            self._process = None
        if mapper := shutil.which("epmd"):
            subprocess.run([mapper, "-kill"], env={**os.environ, **self._env}, check=False, capture_output=True)


class RabbitVirtualHosts:
    """Makes virtual hosts on one broker, each new and empty, and deletes them all at the end."""

    def __init__(self, broker_url: str, control: Callable[..., object]) -> None:
        self._url = broker_url
        self._control = control
        self._numbers = count(1)
        self._made: list[str] = []

    def create(self) -> str:
        """The address of a new virtual host."""
        name = f"parlour-test-{os.getpid()}-{next(self._numbers)}"
        self._control("add_vhost", name)
        self._made.append(name)
        self._control("set_permissions", "-p", name, urlsplit(self._url).username or "guest", ".*", ".*", ".*")
        return urlunsplit(urlsplit(self._url)._replace(path=f"/{name}"))

    def delete(self, url: str) -> None:
        """Delete it with all that is in it."""
        name = urlsplit(url).path.lstrip("/")
        self._control("delete_vhost", name)
        self._made.remove(name)

    def close(self) -> None:
        """Delete what is left."""
        for name in list(self._made):
            self.delete(f"/{name}")


@contextmanager
def rabbitmq_virtual_hosts(address: str | None) -> Iterator[RabbitVirtualHosts]:
    """Virtual hosts on the broker at `address`, else on the usual one, else on one of our own. Raises `Missing`."""
    url = address or DEFAULTS["PARLOUR_TEST_RABBITMQ"]
    parts = urlsplit(url)
    server = None
    control: Callable[..., object] = _local_rabbitmqctl
    if not (is_listening(parts.hostname or "127.0.0.1", parts.port or 5672) and _may_control()):
        if address is not None:
            raise Missing("PARLOUR_TEST_RABBITMQ is down, or rabbitmqctl may not make virtual hosts there: run as root")
        server = RabbitServer().start()
        url, control = server.url, server.control
    hosts = RabbitVirtualHosts(url, control)
    try:
        yield hosts
    finally:
        hosts.close()
        if server is not None:
            server.remove()


def _local_rabbitmqctl(*arguments: str) -> None:
    subprocess.run(["rabbitmqctl", "-q", *arguments], check=True, capture_output=True)


def _may_control() -> bool:
    """Whether this machine's rabbitmqctl reaches its broker, which takes root or the broker's own cookie."""
    if shutil.which("rabbitmqctl") is None:
        return False
    try:
        _local_rabbitmqctl("list_vhosts")
    except subprocess.CalledProcessError:
        return False
    return True
