"""What all tests share: services with a fresh place for each test, and a clean environment."""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import NoReturn, TypeVar

import pytest
import structlog
from hypothesis import settings

from tests import models, services
from tests.support.statements import share_compiled_statements

# Contract tests stand in modules of their own; their assertions shall explain themselves too.
pytest.register_assert_rewrite("tests.integration.channels.contract", "tests.integration.engines.contract")

T = TypeVar("T")

# A test does not time what it tests: on a busy machine an example may take any time.
settings.register_profile("parlour", deadline=None, max_examples=200)
# For `make quick`, which names it.
settings.register_profile("quick", deadline=None, max_examples=10)
settings.load_profile("parlour")

# Structlog's own way to show an exception draws frames around the source, which takes half a second for each.
structlog.dev.ConsoleRenderer.get_active().exception_formatter = structlog.dev.plain_traceback

share_compiled_statements()

# Read before the environment is cleaned below.
ADDRESSES = {name: os.environ.get(name) for name in services.DEFAULTS}
IS_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}


# Tests start hundreds of processes. Each would compile everything anew where the shell forbids to keep bytecode.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# What tests write lives for seconds: where memory has a file system of some size, nothing waits for a disk.
MEMORY = Path("/dev/shm")
if "TMPDIR" not in os.environ and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > 4 << 30:
    os.environ["TMPDIR"] = str(MEMORY)
    tempfile.tempdir = None


def pytest_configure() -> None:
    """Drop a developer's own settings: a test, and every process it starts, has only those it sets itself."""
    for name in [name for name in os.environ if name.startswith("PARLOUR_")]:
        del os.environ[name]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say that nothing was skipped, where that is so; skips are listed by pytest, with their reasons."""
    if not terminalreporter.stats.get("skipped"):
        terminalreporter.write_line("Nothing was skipped.")


def _missing(problem: services.Missing) -> NoReturn:
    """Skip with what to install; in CI a missing service is a failure."""
    if IS_CI:
        pytest.fail(f"{problem} (CI has every service)", pytrace=False)
    pytest.skip(str(problem))


def _use(stack: ExitStack, service: Callable[[], AbstractContextManager[T]]) -> T | services.Missing:
    """The service, or the reason why it is not there: found out once a session."""
    try:
        return stack.enter_context(service())
    except services.Missing as problem:
        return problem


def _there(service: T | services.Missing) -> T:
    if isinstance(service, services.Missing):
        _missing(service)
    return service


# ---- one place a test -------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def _postgres() -> Iterator[services.PostgresDatabases | services.Missing]:
    with ExitStack() as stack:
        yield _use(stack, lambda: services.postgres_databases(ADDRESSES["PARLOUR_TEST_POSTGRES"]))


@pytest.fixture(scope="session")
def _redis() -> Iterator[Callable[[], str] | services.Missing]:
    with ExitStack() as stack:
        yield _use(stack, lambda: services.redis_databases(ADDRESSES["PARLOUR_TEST_REDIS"]))


@pytest.fixture(scope="session")
def _rabbitmq() -> Iterator[services.RabbitVirtualHosts | services.Missing]:
    with ExitStack() as stack:
        yield _use(stack, lambda: services.rabbitmq_virtual_hosts(ADDRESSES["PARLOUR_TEST_RABBITMQ"]))


@pytest.fixture
def postgres_databases(_postgres: services.PostgresDatabases | services.Missing) -> services.PostgresDatabases:
    """Makes as many PostgreSQL databases as a test needs; all are dropped at the end of the session."""
    return _there(_postgres)


@pytest.fixture
def postgres_url(postgres_databases: services.PostgresDatabases) -> Iterator[str]:
    """A new, empty PostgreSQL database of this test's own."""
    url = postgres_databases.create()
    yield url
    postgres_databases.drop(url)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A SQLite database of this test's own, not created yet."""
    return f"sqlite:///{tmp_path / 'content.sqlite'}"


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A new, empty database, once SQLite and once PostgreSQL."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def redis_url(_redis: Callable[[], str] | services.Missing) -> Iterator[str]:
    """An empty Redis database that no other test uses, with a publish-subscribe space of its own where possible."""
    empty = _there(_redis)
    yield empty()
    empty()


@pytest.fixture
def rabbitmq_url(_rabbitmq: services.RabbitVirtualHosts | services.Missing) -> Iterator[str]:
    """A new RabbitMQ virtual host of this test's own."""
    hosts = _there(_rabbitmq)
    url = hosts.create()
    yield url
    hosts.delete(url)


# ---- servers to stop, freeze and start again --------------------------------------------------------------------


@pytest.fixture
def redis_server() -> Iterator[services.RedisServer]:
    """A running redis-server of this test's own: `url`, `stop()`, `start()` (empty again), `pause()`, `resume()`."""
    server = _there(_make(services.RedisServer))
    yield server.start()
    server.remove()


@pytest.fixture
def postgres_server() -> Iterator[services.PostgresServer]:
    """A running PostgreSQL of this test's own: `url`, `stop()`, `start()` (data stays), `pause()`, `resume()`."""
    server = _there(_make(services.PostgresServer))
    yield server.start()
    server.remove()


@pytest.fixture
def rabbitmq_server() -> Iterator[services.RabbitServer]:
    """A running RabbitMQ of this test's own: `url`, `stop()`, `start()`, `pause()`, `resume()`."""
    server = _there(_make(services.RabbitServer))
    yield server.start()
    server.remove()


@pytest.fixture
def chromium_path() -> Path:
    """The browser that Playwright drives: `launch(executable_path=…)`."""
    return _there(_make(services.chromium))


# ---- model files -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def smollm2_gguf() -> Path:
    """The small model's GGUF file, fetched once into the developer's cache."""
    return _there(_make(models.smollm2_gguf))


@pytest.fixture(scope="session")
def smollm2_folder(smollm2_gguf: Path) -> Path:
    """The same model as the folder that vLLM serves, converted once."""
    return _there(_make(lambda: models.smollm2_folder(smollm2_gguf)))


def _make(service: Callable[[], T]) -> T | services.Missing:
    try:
        return service()
    except services.Missing as problem:
        return problem
