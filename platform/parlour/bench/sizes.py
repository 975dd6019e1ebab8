"""How long a turn takes in a small installation and in a large one, on PostgreSQL: it should be the same."""

import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import sql

from parlour.bench.figures import spread
from parlour.bench.pipeline import Progress
from parlour.bench.privacy_house import database_on, plain
from parlour.bench.report import Report
from parlour.bench.turns import SETTINGS, Turns, started
from parlour.bootstrap import platform
from parlour.settings import load

TABLE: Final = "Turns by what is stored"
_WARM_UP: Final = 60
# The sizes are measured by turns of so many, so that a machine which others use too treats them alike.
_BLOCK: Final = 40
_PART: Final = 250_000

# What stands in a copied row instead of the original's: ids that count on, as UUIDv7 do, and what has to be unique.
_IDS: Final = {"users": "1", "identities": "2", "conversations": "3", "turns": "4", "messages": "5"}
_REFERS: Final = {"user_id": "users", "conversation_id": "conversations", "turn_id": "turns"}


@dataclass(frozen=True, slots=True)
class SizesOptions:
    """How many users to have, and how many messages each of them has said."""

    users: Sequence[int]
    messages_each: int
    turns: int
    postgres: str


@dataclass(slots=True)
class _Place:
    """One size, filled and ready."""

    users: int
    messages: int
    filled_s: float
    turns: Turns
    taken: list[float] = field(default_factory=list)


def run_sizes(options: SizesOptions, report: Report, progress: Progress) -> None:
    """Fill every size, then measure all of them by turns. Raises `BenchError`."""
    with ExitStack() as stack:
        places = [_furnish(users, options, stack, progress) for users in options.users]
        progress.begin("turns", options.turns * len(places))
        while len(places[-1].taken) < options.turns:
            for place in places:
                place.taken += place.turns.until(lambda done: done < _BLOCK)
                for _ in range(_BLOCK):
                    progress.step()
    rows = [_row(place) for place in places]
    for row in rows:
        report.add(TABLE, {**row, "p50_to_first": round(row["p50_ms"] / rows[0]["p50_ms"], 2)})


def _furnish(users: int, options: SizesOptions, stack: ExitStack, progress: Progress) -> _Place:
    """A database in which so many people have said so much, copies of one who really did."""
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="parlour-bench-"))
    url = stack.enter_context(database_on(options.postgres))
    settings = load({}, data_dir=Path(folder), database={"url": url}, **SETTINGS)
    parts = stack.enter_context(platform(settings, is_migrating=True))
    turns = Turns(parts, stack.enter_context(started(parts)))
    turns.until(lambda done: done < 1)
    began, messages = time.monotonic(), users * options.messages_each
    progress.begin(f"filling {users:,} users", 4 * users + messages)
    with closing(psycopg.connect(plain(url), autocommit=True)) as connection:
        # No look at who is referred to, row by row: it takes longer, and all are there.
        connection.execute("SET session_replication_role = replica")
        for table in ("users", "identities", "conversations", "turns"):
            _copies(connection, table, users, users, progress)
        _copies(connection, "messages", messages, users, progress)
        connection.execute("VACUUM (ANALYZE)")
        connection.execute("CHECKPOINT")
    filled_s = time.monotonic() - began
    turns.until(lambda done: done < _WARM_UP)
    return _Place(users, messages, filled_s, turns)


def _copies(connection: psycopg.Connection, table: str, count: int, users: int, progress: Progress) -> None:
    """So many copies of the table's first row, spread over so many users."""
    columns = [
        row[0]
        for row in connection.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_name = %s AND table_schema = 'public'",
            (table,),
        )
    ]
    values = sql.SQL(", ").join(_value(table, column) for column in columns)
    statement = sql.SQL(
        "INSERT INTO {table} ({columns}) SELECT {values} FROM "
        "(SELECT * FROM {table} ORDER BY id LIMIT 1) AS one, "
        "(SELECT n, n % {users} AS whose FROM generate_series({first}::bigint, {last}::bigint) AS n) AS number"
    )
    first_copy = 1 << 20  # above whatever a short prefix could mean, and all of one length
    for first in range(0, count, _PART):
        last = min(first + _PART, count)
        connection.execute(
            statement.format(
                table=sql.Identifier(table),
                columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
                values=values,
                users=sql.Literal(users),
                first=sql.Literal(first_copy * users + first),
                last=sql.Literal(first_copy * users + last - 1),
            )
        )
        for _ in range(last - first):
            progress.step()


def _value(table: str, column: str) -> sql.Composable:
    """What a copy has in this column: a number of its own where one has to be, else what the first row has."""
    if column == "id":
        own = "n" if table == "messages" else "whose"
        return _id(_IDS[table], own)
    if column in _REFERS and not (table == "users" and column == "user_id"):
        return _id(_IDS[_REFERS[column]], "whose")
    if column == "lookup_hash":
        return sql.SQL("sha256(convert_to(whose::text, 'UTF8'))")
    if column == "event_id":
        return sql.SQL("'copy ' || whose")
    return sql.SQL("one.{}").format(sql.Identifier(column))


def _id(kind: str, number: str) -> sql.Composable:
    return sql.SQL("({kind} || lpad(to_hex({number}), 31, '0'))::uuid").format(
        kind=sql.Literal(kind), number=sql.SQL("number.{}").format(sql.Identifier(number))
    )


def _row(place: _Place) -> dict[str, Any]:
    found = spread(place.taken)
    assert found is not None  # noqa: S101 (there is a block of turns at least)
    return {
        "users": place.users,
        "messages": place.messages,
        "filled_s": round(place.filled_s),
        "turns": found.count,
        "p50_ms": round(found.p50, 2),
        "p99_ms": round(found.p99, 2),
    }
