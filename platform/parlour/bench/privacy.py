"""What privacy costs: sealing a turn, wrapping keys anew, erasing a person, purging what is past its time."""

import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg import sql
from sqlalchemy import insert, make_url

from parlour.bench.errors import BenchError
from parlour.bench.figures import milliseconds, spread
from parlour.bench.pipeline import Progress
from parlour.bench.report import Report
from parlour.privacy.erasure import Eraser
from parlour.privacy.models import DataKeyRow
from parlour.privacy.retention import purge_expired
from parlour.privacy.rotation import rewrap
from parlour.privacy.service import Privacy, open_privacy
from parlour.store import schema
from parlour.store.database import Database
from parlour.store.ids import UserId, WorkspaceId, new_id
from parlour.store.models import Account, Conversation, Message, Turn, User, Workspace
from parlour.store.schema import Schema

SEALING: Final = "Sealing and opening a turn with 20 messages of history"
REWRAP: Final = "Wrapping keys anew, file provider"
ERASURE: Final = "Erasing a person"
PURGE: Final = "Purging messages that are past their time"
_TEXT: Final = "What I meant to say was that it rains, and will go on raining until the week is out. " * 3
_CHUNK: Final = 5_000


@dataclass(frozen=True, slots=True)
class PrivacyOptions:
    """What to measure, and how large."""

    turns: int
    keys: int
    messages: int
    tables: tuple[int, ...]
    postgres: str


@dataclass(frozen=True, slots=True)
class _House:
    database: Database
    privacy: Privacy
    user_id: UserId
    turn_id: UUID
    conversation_id: UUID


def run_privacy(options: PrivacyOptions, report: Report, progress: Progress) -> None:
    """Run all of it. Raises `BenchError` with what is missing."""
    with tempfile.TemporaryDirectory(prefix="parlour-bench-") as folder, _house(Path(folder), "") as house:
        progress.begin("sealing", options.turns)
        report.add(SEALING, _sealing(house, options.turns, progress))
        progress.begin("wrapping keys anew", 1)
        report.add(REWRAP, _rewrap(house, options.keys))
        progress.begin("erasing", 1)
        report.add(ERASURE, {"database": "sqlite", **_erasure(house, options.messages)})
    for rows in options.tables:
        progress.begin(f"purging from {rows:,}", 1)
        with _house_on_postgres(options.postgres) as house:
            report.add(PURGE, _purge(house, rows))
    progress.begin("erasing", 1)
    with _house_on_postgres(options.postgres) as house:
        report.add(ERASURE, {"database": "postgresql", **_erasure(house, options.messages)})


def told(options: PrivacyOptions) -> dict[str, Any]:
    """The options as a report shows them: without addresses, which may hold passwords."""
    return {name: value for name, value in asdict(options).items() if name != "postgres"}


def _sealing(house: _House, turns: int, progress: Progress) -> dict[str, Any]:
    """One turn opens 20 messages and seals three values: what was asked, its id in the messenger, the answer."""
    sealer, rows = house.privacy.sealer, [new_id() for _ in range(20)]
    history = [(row, sealer.seal(house.user_id, Message.body, row, _TEXT)) for row in rows]
    taken = []
    for _ in range(turns):
        began = time.perf_counter()
        for row, sealed in history:
            sealer.open_text(house.user_id, Message.body, row, sealed)
        for row in rows[:3]:
            sealer.seal(house.user_id, Message.body, row, _TEXT)
        taken.append(time.perf_counter() - began)
        progress.step()
    found = spread(milliseconds(taken))
    if found is None:
        raise BenchError("Nothing was measured. Give --turns of at least 1.")
    return {"turns": turns, "p50_ms": found.p50, "p99_ms": found.p99, "mean_ms": found.mean}


def _rewrap(house: _House, keys: int) -> dict[str, Any]:
    store, provider = house.privacy.key_store, house.privacy.provider
    for first in range(0, keys, _CHUNK):
        made = []
        for _ in range(min(_CHUNK, keys - first)):
            subject, key_id = new_id(), new_id()
            kek_id, wrapped = provider.wrap(secrets.token_bytes(32), bound_to=subject.bytes + key_id.bytes)
            made.append(
                {
                    "subject_id": subject,
                    "key_id": key_id,
                    "kek_id": kek_id,
                    "wrapped": wrapped,
                    "created_at": store.clock.now(),
                }
            )
        with store.begin() as session:
            session.execute(insert(DataKeyRow), made)
    provider.rotate()
    began = time.perf_counter()
    done = rewrap(store, provider)
    took = time.perf_counter() - began
    return {"keys": done, "seconds": took, "keys_per_s": done / took}


def _erasure(house: _House, messages: int) -> dict[str, Any]:
    """The key is gone once reading is refused; the rows once the receipt is there."""
    now = house.database.clock.now()
    _say(house, messages, now, now + timedelta(days=90))
    gone_after: list[float] = []
    began = time.perf_counter()

    class Timed(Eraser):
        """Notes when the key is gone."""

        def _fence(self, users: frozenset[UserId]) -> Any:  # noqa: ANN401 (as it is there)
            gone_after.append(time.perf_counter() - began)
            return super()._fence(users)

    Timed(database=house.database, privacy=house.privacy).erase(house.user_id, actor="command:bench")
    return {"messages": messages, "key_gone_s": gone_after[0], "rows_gone_s": time.perf_counter() - began}


def _purge(house: _House, rows: int) -> dict[str, Any]:
    """A tenth of the table is past its time, at most 200,000 rows."""
    now = house.database.clock.now()
    due = min(rows // 10, 200_000)
    _say(house, rows - due, now, now + timedelta(days=90))
    _say(house, due, now - timedelta(days=91), now - timedelta(days=1))
    began = time.perf_counter()
    gone = purge_expired(house.database, now=now).get("messages", 0)
    took = time.perf_counter() - began
    return {"table_rows": rows, "purged": gone, "seconds": took, "rows_per_s": gone / took}


def _say(house: _House, count: int, at: datetime, until: datetime) -> None:
    """So many messages of the person; one sealed body serves for all, since none is opened."""
    body = house.privacy.sealer.seal(house.user_id, Message.body, new_id(), _TEXT)
    for first in range(0, count, _CHUNK):
        rows = [
            {
                "id": new_id(),
                "conversation_id": house.conversation_id,
                "turn_id": house.turn_id,
                "user_id": house.user_id,
                "seq": number,
                "author": "user",
                "body": body,
                "created_at": at,
                "expires_at": until + timedelta(microseconds=number),
            }
            for number in range(first, min(first + _CHUNK, count))
        ]
        with house.database.begin() as session:
            session.execute(insert(Message), rows)


@contextmanager
def _house(folder: Path, url: str) -> Iterator[_House]:
    """Databases of their own with one workspace, person, conversation and turn in them."""
    content, keys = url or f"sqlite:///{folder / 'content.sqlite'}", f"sqlite:///{folder / 'keys.sqlite'}"
    schema.upgrade(content)
    schema.upgrade(keys, Schema.KEYS)
    with (
        closing(Database(content)) as database,
        closing(open_privacy(content=database, keys_url=keys, key_file=folder / "master.key")) as privacy,
    ):
        yield _furnished(database, privacy)


@contextmanager
def _house_on_postgres(server: str) -> Iterator[_House]:
    """The same, its content on PostgreSQL, its key store a file."""
    with (
        tempfile.TemporaryDirectory(prefix="parlour-bench-") as folder,
        _postgres(server) as url,
        _house(Path(folder), url) as house,
    ):
        yield house


def _furnished(database: Database, privacy: Privacy) -> _House:
    workspace, account, conversation, turn = (new_id() for _ in range(4))
    user_id, now = UserId(new_id()), database.clock.now()
    privacy.keyring.create(WorkspaceId(workspace))
    privacy.keyring.create(user_id)
    with database.begin() as session:
        session.execute(insert(Workspace).values(id=workspace, name="bench", created_at=now))
        session.execute(
            insert(Account).values(
                id=account, workspace_id=workspace, channel="telegram", lookup_hash=b"a" * 32, name="b", created_at=now
            )
        )
        session.execute(insert(User).values(id=user_id, workspace_id=workspace, created_at=now))
        session.execute(
            insert(Conversation).values(
                id=conversation, workspace_id=workspace, account_id=account, user_id=user_id, lookup_hash=b"c" * 32,
                address=b"", is_private=True, created_at=now,
            )
        )  # fmt: skip
        session.execute(
            insert(Turn).values(
                id=turn, conversation_id=conversation, account_id=account, user_id=user_id, event_id="bench", seq=1,
                kind="message", state="answered", due_at=now, received_at=now,
            )
        )  # fmt: skip
    return _House(database, privacy, user_id, turn, conversation)


@contextmanager
def _postgres(server: str) -> Iterator[str]:
    """A database of its own, dropped at the end."""
    name = f"parlour_bench_{secrets.token_hex(6)}"
    plain = make_url(server).set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        connection = psycopg.connect(plain, autocommit=True, connect_timeout=5)
    except psycopg.OperationalError:
        raise BenchError("No PostgreSQL there. Start one, or name it with --postgres.") from None
    with closing(connection):
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield make_url(server).set(database=name).render_as_string(hide_password=False)
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
