"""The ways to run what is measured, each as real processes over fresh data."""

import secrets
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from parlour.bench.children import PARLOUR, Child
from parlour.bench.echo_bot import READY
from parlour.bench.errors import BenchError
from parlour.bench.fake_telegram import TOKEN

# Far over what anybody talks: here one person says as much as a crowd.
_NO_FLOOD: Final = "1000000"
_REDIS_MARK: Final = "parlour:bench"
_REDIS_NUMBERS: Final = range(15, 0, -1)


@dataclass(frozen=True, slots=True)
class Services:
    """Where the servers of the production layout are. Databases and a Redis number are made there and removed again."""

    postgres: str
    redis: str


@dataclass(frozen=True, slots=True)
class Running:
    """The measured processes, ready."""

    name: str
    pids: Sequence[int]
    ready_after_s: float


@contextmanager
def embedded(folder: Path, telegram_url: str) -> Iterator[Running]:
    """`parlour up` on a fresh data folder: SQLite, everything in one process."""
    with Child("up", [*PARLOUR, "up"], folder, settings=_settings(folder, telegram_url), ready="is ready") as up:
        yield Running("embedded", [up.pid], up.ready_after_s)


@contextmanager
def production(folder: Path, telegram_url: str, services: Services, *, workers: int) -> Iterator[Running]:
    """Gateway, workers and scheduler as processes of their own over PostgreSQL and Redis."""
    with ExitStack() as stack:
        stores = {
            "PARLOUR_DATABASE__URL": stack.enter_context(_postgres_database(services.postgres)),
            "PARLOUR_KEYS__URL": stack.enter_context(_postgres_database(services.postgres)),
            "PARLOUR_BROKER__URL": stack.enter_context(redis_number(services.redis)),
        }
        settings = {**_settings(folder, telegram_url), **stores}
        _migrate(folder, settings)
        children = [stack.enter_context(child) for child in _production(folder, settings, workers)]
        yield Running("production", [child.pid for child in children], sum(child.ready_after_s for child in children))


@contextmanager
def reference(folder: Path, telegram_url: str) -> Iterator[Running]:
    """A bare python-telegram-bot that echoes: no database, no queue, no guarantee."""
    command = [sys.executable, "-m", "parlour.bench.echo_bot", "--base-url", f"{telegram_url}/bot", "--token", TOKEN]
    with Child("reference", command, folder, settings={}, ready=READY) as bot:
        yield Running("reference: python-telegram-bot", [bot.pid], bot.ready_after_s)


def _production(folder: Path, settings: Mapping[str, str], workers: int) -> Iterator[Child]:
    """Each is started only when the one before is ready: they load the same files from disk."""
    yield Child("scheduler", [*PARLOUR, "scheduler"], folder, settings=settings, ready="is ready")
    for number in range(workers):
        command = [*PARLOUR, "worker", "--name", f"bench-{number}"]
        yield Child(f"worker-{number}", command, folder, settings=settings, ready="engine_ready")
    yield Child("gateway", [*PARLOUR, "gateway"], folder, settings=settings, ready="is ready")


def _settings(folder: Path, telegram_url: str) -> dict[str, str]:
    """What differs from the defaults, and why: a fresh folder, no model, strangers let in, no limit a minute."""
    return {
        "PARLOUR_DATA_DIR": str(folder / "data"),
        "PARLOUR_ENGINE__KIND": "echo",
        "PARLOUR_WEB__PORT": "0",
        "PARLOUR_ACCESS__POLICY": "open",
        "PARLOUR_ACCESS__MESSAGES_PER_MINUTE": _NO_FLOOD,
        "PARLOUR_TELEGRAM__TOKEN": TOKEN,
        "PARLOUR_TELEGRAM__BASE_URL": f"{telegram_url}/bot",
    }


def _migrate(folder: Path, settings: Mapping[str, str]) -> None:
    with Child("migrate", [*PARLOUR, "db", "upgrade"], folder, settings=settings, ready="keys: at") as child:
        child.ended_well()


@contextmanager
def _postgres_database(url: str) -> Iterator[str]:
    """A database of its own on the server at `url`, dropped afterwards."""
    try:
        import psycopg  # noqa: PLC0415 (an extra)
        from psycopg import sql  # noqa: PLC0415
    except ImportError:
        raise BenchError(
            "The production layout needs psycopg. Install it with: pip install 'parlour[postgres]'"
        ) from None
    name = f"parlour_bench_{secrets.token_hex(6)}"
    identifier = sql.Identifier(name)
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(identifier))
    except psycopg.Error as error:
        reason = " ".join(str(error).split())
        raise BenchError(
            f"No database could be made on the PostgreSQL of --postgres ({reason}). Give its address."
        ) from None
    try:
        yield urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
    finally:
        with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(identifier))


@contextmanager
def redis_number(url: str) -> Iterator[str]:
    """An empty Redis database of the server at `url`, emptied again afterwards."""
    try:
        import redis  # noqa: PLC0415 (an extra)
    except ImportError:
        raise BenchError("The production layout needs redis. Install it with: pip install 'parlour[redis]'") from None
    server = urlunsplit(urlsplit(url)._replace(path=""))
    for number in _REDIS_NUMBERS:
        address = f"{server}/{number}"
        with redis.Redis.from_url(address, socket_timeout=5) as client:
            try:
                if client.dbsize() or not client.set(_REDIS_MARK, "1", nx=True, ex=7_200):
                    continue
            except redis.RedisError as error:
                raise BenchError(f"No Redis at --redis ({type(error).__name__}). Give its address.") from None
            try:
                yield address
            finally:
                client.flushdb()
            return
    raise BenchError("No empty database on the Redis of --redis. Give another server's address.")
