"""Databases of a benchmark's own, with people in them who say a great deal."""

import secrets
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

import psycopg
from psycopg import sql
from sqlalchemy import insert, make_url

from parlour.bench.errors import BenchError
from parlour.privacy.service import Privacy, open_privacy
from parlour.store import schema
from parlour.store.database import Database
from parlour.store.ids import UserId, WorkspaceId, new_id
from parlour.store.models import Account, Conversation, Message, Turn, User, Workspace
from parlour.store.schema import Schema

TEXT: Final = "What I meant to say was that it rains, and will go on raining until the week is out. " * 3
_CHUNK: Final = 5_000
# Ids grow as UUIDv7s do, so that the index on them is filled as in life: at its end.
_FILL: Final = """
INSERT INTO messages (id, conversation_id, turn_id, user_id, seq, author, body, created_at, expires_at)
SELECT (%(made)s || lpad(to_hex(number >> 20), 3, '0') || '8' || lpad(to_hex(number & 1048575), 5, '0')
        || substr(md5(number::text || %(salt)s), 1, 10))::uuid,
       (%(conversations)s::uuid[])[1 + number %% cardinality(%(users)s::uuid[])],
       (%(turns)s::uuid[])[1 + number %% cardinality(%(users)s::uuid[])],
       (%(users)s::uuid[])[1 + number %% cardinality(%(users)s::uuid[])],
       number, 'user', %(body)s, %(at)s::timestamptz,
       %(until)s::timestamptz + number * interval '1 microsecond'
FROM generate_series(0, %(count)s - 1) AS number
"""


@dataclass(frozen=True, slots=True)
class Person:
    """Whoever says something: their ids, those of their conversation and of the turn that it hangs on."""

    user_id: UserId
    conversation_id: UUID
    turn_id: UUID


@dataclass(frozen=True, slots=True)
class House:
    """Databases with one workspace, people and their conversations."""

    database: Database
    privacy: Privacy
    people: Sequence[Person]

    @property
    def user_id(self) -> UserId:
        """The first person, who has a key."""
        return self.people[0].user_id


def say(house: House, count: int, at: datetime, until: datetime) -> None:
    """So many messages of all people in turn; one sealed body serves for all, since none is opened."""
    body = house.privacy.sealer.seal(house.user_id, Message.body, new_id(), TEXT)
    if not house.database.is_sqlite:
        _fill(house, count, body, at, until)
        return
    for first in range(0, count, _CHUNK):
        rows = [
            {
                "id": new_id(),
                "conversation_id": person.conversation_id,
                "turn_id": person.turn_id,
                "user_id": person.user_id,
                "seq": number,
                "author": "user",
                "body": body,
                "created_at": at,
                "expires_at": until + timedelta(microseconds=number),
            }
            for number in range(first, min(first + _CHUNK, count))
            for person in [house.people[number % len(house.people)]]
        ]
        with house.database.begin() as session:
            session.execute(insert(Message), rows)


def _fill(house: House, count: int, body: bytes, at: datetime, until: datetime) -> None:
    """In one statement on the server, which is what makes ten million rows bearable."""
    with closing(psycopg.connect(plain(house.database.url))) as connection:
        _spare_checks(connection)
        connection.execute(
            _FILL,
            {
                "conversations": [one.conversation_id for one in house.people],
                "turns": [one.turn_id for one in house.people],
                "users": [one.user_id for one in house.people],
                "count": count,
                "body": body,
                "at": at,
                "until": until,
                # In front of every id, as of all that are made in one millisecond.
                "made": f"{new_id().hex[:12]}7",
                "salt": secrets.token_hex(8),
            },
        )
        connection.commit()


def _spare_checks(connection: psycopg.Connection) -> None:
    """No look at who is referred to, row by row, where the server's user may say so; else it takes longer."""
    try:
        with connection.transaction():
            connection.execute("SET LOCAL session_replication_role = replica")
    except psycopg.errors.InsufficientPrivilege:
        return
    connection.execute("SET LOCAL session_replication_role = replica")


def settle(house: House) -> None:
    """Have PostgreSQL do now what it would do behind the filling: statistics, dead rows, a checkpoint."""
    with closing(psycopg.connect(plain(house.database.url), autocommit=True)) as connection:
        connection.execute("VACUUM (ANALYZE) messages")
        connection.execute("CHECKPOINT")


@contextmanager
def house_in(folder: Path, url: str = "", *, people: int = 1) -> Iterator[House]:
    """Databases of their own in the folder, or with the content at `url`."""
    content, keys = url or f"sqlite:///{folder / 'content.sqlite'}", f"sqlite:///{folder / 'keys.sqlite'}"
    schema.upgrade(content)
    schema.upgrade(keys, Schema.KEYS)
    with (
        closing(Database(content)) as database,
        closing(open_privacy(content=database, keys_url=keys, key_file=folder / "master.key")) as privacy,
    ):
        yield furnished(database, privacy, people)


@contextmanager
def house_on_postgres(server: str) -> Iterator[House]:
    """The same, its content on PostgreSQL, its key store a file."""
    with (
        tempfile.TemporaryDirectory(prefix="parlour-bench-") as folder,
        database_on(server) as url,
        house_in(Path(folder), url) as house,
    ):
        yield house


def furnished(database: Database, privacy: Privacy, people: int) -> House:
    """A workspace with so many people, of whom the first has a key, each with a conversation and a turn."""
    workspace, account = new_id(), new_id()
    there = [Person(UserId(new_id()), new_id(), new_id()) for _ in range(people)]
    now = database.clock.now()
    privacy.keyring.create(WorkspaceId(workspace))
    privacy.keyring.create(there[0].user_id)
    with database.begin() as session:
        session.execute(insert(Workspace).values(id=workspace, name="bench", created_at=now))
        session.execute(
            insert(Account).values(
                id=account, workspace_id=workspace, channel="telegram", lookup_hash=b"a" * 32, name="b", created_at=now
            )
        )
        session.execute(
            insert(User), [{"id": one.user_id, "workspace_id": workspace, "created_at": now} for one in there]
        )
        session.execute(
            insert(Conversation),
            [
                {
                    "id": one.conversation_id, "workspace_id": workspace, "account_id": account,
                    "user_id": one.user_id, "lookup_hash": one.conversation_id.bytes * 2, "address": b"",
                    "is_private": True, "created_at": now,
                }
                for one in there
            ],
        )  # fmt: skip
        session.execute(
            insert(Turn),
            [
                {
                    "id": one.turn_id, "conversation_id": one.conversation_id, "account_id": account,
                    "user_id": one.user_id, "event_id": f"bench {one.turn_id}", "seq": 1, "kind": "message",
                    "state": "answered", "due_at": now, "received_at": now,
                }
                for one in there
            ],
        )  # fmt: skip
    return House(database, privacy, there)


@contextmanager
def database_on(server: str) -> Iterator[str]:
    """A database of its own, dropped at the end; its address. Raises `BenchError` where there is no server."""
    name = f"parlour_bench_{secrets.token_hex(6)}"
    try:
        connection = psycopg.connect(plain(server), autocommit=True, connect_timeout=5)
    except psycopg.OperationalError:
        raise BenchError("No PostgreSQL there. Start one, or name it with --postgres.") from None
    with closing(connection):
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield make_url(server).set(database=name).render_as_string(hide_password=False)
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def plain(url: str) -> str:
    """The address as psycopg takes it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
