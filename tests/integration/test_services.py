"""The services that other tests stand on are fresh, apart from each other, and can be stopped and started."""

import psycopg
import pytest
import redis
from kombu.connection import Connection

from tests import services


def test_each_postgres_database_is_new_and_empty(postgres_databases: services.PostgresDatabases) -> None:
    first = postgres_databases.create()
    with psycopg.connect(first) as connection:
        connection.execute("CREATE TABLE marker (id int)")

    second = postgres_databases.create()

    assert _tables(second) == []
    assert _tables(postgres_databases.create(template=first)) == ["marker"]


def test_a_dropped_postgres_database_is_gone_though_somebody_is_connected(
    postgres_databases: services.PostgresDatabases,
) -> None:
    url = postgres_databases.create()

    with psycopg.connect(url):
        postgres_databases.drop(url)

    assert not services.postgres_answers(url)


@pytest.mark.parametrize("attempt", [1, 2])
def test_a_redis_database_is_empty_at_the_start_of_every_test(redis_url: str, attempt: int) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0

        client.set("marker", attempt)


def test_redis_loses_all_when_it_is_stopped_and_started(redis_server: services.RedisServer) -> None:
    with redis.Redis.from_url(redis_server.url) as client:
        client.set("marker", 1)

    redis_server.stop()
    assert not services.is_listening("127.0.0.1", redis_server.port)
    redis_server.start()

    with redis.Redis.from_url(redis_server.url) as client:
        assert client.get("marker") is None


def test_postgres_keeps_all_when_it_is_stopped_and_started(postgres_server: services.PostgresServer) -> None:
    with psycopg.connect(postgres_server.url) as connection:
        connection.execute("CREATE TABLE marker (id int)")

    postgres_server.stop()
    assert not services.postgres_answers(postgres_server.url)
    postgres_server.start()

    assert _tables(postgres_server.url) == ["marker"]


def test_a_rabbitmq_virtual_host_takes_and_gives_messages(rabbitmq_url: str) -> None:
    with Connection(rabbitmq_url) as connection:
        queue = connection.SimpleQueue("marker")
        queue.put("here")

        message = queue.get(timeout=60)

        assert message.payload == "here"
        message.ack()
        queue.close()


def test_rabbitmq_comes_back_after_a_stop(rabbitmq_server: services.RabbitServer) -> None:
    rabbitmq_server.stop()
    assert not services.is_listening("127.0.0.1", rabbitmq_server.port)

    rabbitmq_server.start()

    with Connection(rabbitmq_server.url) as connection:
        connection.ensure_connection(max_retries=3)


def _tables(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        return [name for (name,) in rows]
