"""The search for plaintext in servers."""

from contextlib import closing

import psycopg
import pytest
import redis

from tests.support.leaks import find_bytes

MARKER = "Käse-öffne-dich-芝麻开门"


@pytest.mark.parametrize(("kind", "value"), [("text", MARKER), ("bytea", MARKER.encode()), ("json", f'["{MARKER}"]')])
def test_postgres_is_searched_in_every_type(postgres_url: str, kind: str, value: str | bytes) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA other; CREATE TABLE other.t (a {kind})".encode())
        before = find_bytes([MARKER], postgres_url)
        connection.execute("INSERT INTO other.t VALUES (%s)", [value])

    found = find_bytes([MARKER], postgres_url)

    assert before == []
    assert {leak.place.rpartition(": ")[2] for leak in found} == {"t"}


def test_redis_is_searched_in_every_type(redis_url: str) -> None:
    with closing(redis.Redis.from_url(redis_url)) as client:
        client.set("string", MARKER)
        client.rpush("list", "x", MARKER)
        client.sadd("set", MARKER)
        client.hset("hash", "field", MARKER)
        client.zadd("zset", {MARKER: 1})
        client.xadd("stream", {"field": MARKER})
        client.set(MARKER, "in a key's name")

    found = find_bytes([MARKER], redis_url)

    assert len({leak.place for leak in found}) == 7
