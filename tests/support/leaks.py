"""Looking for plaintext where there must be none: files, folders, databases, brokers, in the forms that text takes."""

import base64
import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import psycopg
import redis
from psycopg import sql
from sqlalchemy import make_url

# Shorter ones are found by chance in random bytes.
_LEAST_BYTES = 8

Place = Path | str | bytes


@dataclass(frozen=True, slots=True)
class Leak:
    """A marker found: which, written how, and where."""

    marker: str
    form: str
    place: str


def find_bytes(markers: Iterable[str], *places: Place) -> list[Leak]:
    """Every marker that stands in plaintext, or in a form that is as good as plaintext, in one of the places.

    A place is a file or folder (`Path`), a database or broker (`sqlite:///…`, `postgresql://…`, `redis://…`), or bytes.
    SQLite is searched both as files, write-ahead log and free pages included, and row by row, since a value may be
    spread over pages. Raises `ValueError` for a marker that is too short, and for a place that is not there: a search
    in the wrong place must not pass.
    """
    patterns = [(marker, form, pattern) for marker in markers for form, pattern in _forms(marker)]
    found = {
        Leak(marker, form, where)
        for place in places
        for where, content in _contents(place)
        for marker, form, pattern in patterns
        if pattern in content
    }
    return sorted(found, key=lambda leak: (leak.place, leak.marker, leak.form))


def _forms(marker: str) -> Iterator[tuple[str, bytes]]:
    raw = marker.encode()
    if len(raw) < _LEAST_BYTES:
        raise ValueError(f"the marker {marker!r} is too short to mean anything")
    yield "utf-8", raw
    yield "utf-16-le", marker.encode("utf-16-le")
    yield "utf-16-be", marker.encode("utf-16-be")
    yield "hex", raw.hex().encode()
    yield "HEX", raw.hex().upper().encode()
    yield "json", json.dumps(marker)[1:-1].encode()
    yield "repr", repr(raw)[2:-1].encode()
    yield "url", quote(marker, safe="").encode()
    for shift in range(3):
        yield from _base64(raw, shift)


def _base64(raw: bytes, shift: int) -> Iterator[tuple[str, bytes]]:
    """The marker's characters in base64 when so many other bytes stand before it; the ends, which mix, are left out."""
    whole = raw[: len(raw) - (shift + len(raw)) % 3]
    encoded = base64.b64encode(b"\0" * shift + whole)[(0, 2, 3)[shift] :]
    yield f"base64+{shift}", encoded
    yield f"base64url+{shift}", encoded.replace(b"+", b"-").replace(b"/", b"_")


def _contents(place: Place) -> Iterator[tuple[str, bytes]]:
    """The place's parts by name."""
    if isinstance(place, bytes):
        yield "bytes", place
    elif isinstance(place, Path):
        yield from _files(place)
    elif place.startswith("sqlite:"):
        yield from _sqlite(Path(make_url(place).database or ""))
    elif place.startswith("postgresql"):
        yield from _postgres(place)
    elif place.startswith(("redis:", "rediss:")):
        yield from _redis(place)
    else:
        raise ValueError(f"cannot search {place!r}")


def _files(path: Path) -> Iterator[tuple[str, bytes]]:
    if not path.exists():
        raise ValueError(f"nothing to search at {path}")
    if path.is_file():
        yield str(path), path.read_bytes()
        return
    for inner in sorted(path.rglob("*")):
        # What runs may take a file away since it was listed.
        with suppress(FileNotFoundError):
            if inner.is_file():
                # A file's name can give away as much as its content.
                yield str(inner), str(inner.relative_to(path)).encode() + b"\n" + inner.read_bytes()


def _sqlite(path: Path) -> Iterator[tuple[str, bytes]]:
    yield from _files(path)
    for tail in ("-wal", "-journal", "-shm"):
        beside = path.with_name(path.name + tail)
        if beside.exists():
            yield from _files(beside)
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            for row in connection.execute(f'SELECT * FROM "{table}"'):
                yield f"{path}: {table}", b"\0".join(_bytes(value) for value in row)


def _postgres(url: str) -> Iterator[tuple[str, bytes]]:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        tables = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        for schema, table in tables:
            # Binary: text and bytea come as they are, unescaped.
            copy = sql.SQL("COPY {} TO STDOUT (FORMAT binary)").format(sql.Identifier(schema, table))
            with connection.cursor().copy(copy) as rows:
                content = b"".join(bytes(part) for part in rows)
            yield f"{urlsplit(plain).path}: {table}", content


def _redis(url: str) -> Iterator[tuple[str, bytes]]:
    with closing(redis.Redis.from_url(url)) as client:
        for key in client.scan_iter(count=1000):
            yield f"redis: {key!r}", b"\0".join(_flat([key, _redis_value(client, key)]))


def _redis_value(client: redis.Redis, key: Any) -> object:
    match client.type(key):
        # None: it was taken since it was listed.
        case b"string" | b"none":
            return client.get(key)
        case b"list":
            return client.lrange(key, 0, -1)
        case b"set":
            return client.smembers(key)
        case b"hash":
            return client.hgetall(key)
        case b"zset":
            return client.zrange(key, 0, -1)
        case b"stream":
            return client.xrange(key)
        case other:
            raise ValueError(f"cannot search a Redis value of type {other!r}")


def _flat(value: object) -> Iterator[bytes]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _flat(name)
            yield from _flat(inner)
    elif isinstance(value, list | tuple | set):
        for inner in value:
            yield from _flat(inner)
    else:
        yield _bytes(value)


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
