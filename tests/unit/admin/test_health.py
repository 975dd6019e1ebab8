"""What an orchestrator is told."""

from threading import Event

import pytest
from prometheus_client import CollectorRegistry, Counter
from starlette.applications import Starlette
from starlette.testclient import TestClient

from parlour.admin.health import Health, health_routes


def _broken() -> None:
    raise ConnectionError("postgresql://user:secret@db/parlour is away")


def _client(health: Health, registry: CollectorRegistry | None = None) -> TestClient:
    return TestClient(Starlette(routes=health_routes(health, registry or CollectorRegistry())))


def test_a_process_whose_parts_all_work_is_ready() -> None:
    response = _client(Health({"database": lambda: None, "broker": lambda: "ok"})).get("/readyz")

    assert (response.status_code, response.json()) == (200, {"database": "ok", "broker": "ok"})


def test_one_broken_part_makes_it_unready_and_its_reason_stays_in_the_log() -> None:
    response = _client(Health({"database": _broken, "keys": lambda: None})).get("/readyz")

    assert (response.status_code, response.json()) == (503, {"database": "down", "keys": "ok"})
    assert "secret" not in response.text


def test_a_part_that_is_not_there_yet_has_its_own_word() -> None:
    response = _client(Health({"engine": lambda: "starting"})).get("/readyz")

    assert (response.status_code, response.json()) == (503, {"engine": "starting"})


def test_a_part_that_hangs_is_slow_and_is_asked_only_once() -> None:
    release, asked = Event(), []

    def hang() -> None:
        asked.append(1)
        release.wait(30)

    health = Health({"database": hang, "keys": lambda: None}, timeout_s=1.0)

    first, second = health.ask(), health.ask()
    release.set()
    health.close()

    assert first == second == {"database": "slow", "keys": "ok"}
    assert len(asked) == 1


def test_a_part_that_hung_is_asked_again_when_it_came_back() -> None:
    release = Event()
    health = Health({"database": lambda: None if release.wait(30) else "hangs"}, timeout_s=0.05)
    assert health.ask() == {"database": "slow"}

    release.set()
    while (words := health.ask()) != {"database": "ok"}:
        assert words == {"database": "slow"}
    health.close()


@pytest.mark.parametrize("broken", [{}, {"database": _broken}])
def test_alive_is_said_whatever_else_is_broken(broken: dict[str, object]) -> None:
    response = _client(Health(broken)).get("/healthz")  # type: ignore[arg-type]

    assert (response.status_code, response.text) == (200, "ok\n")


def test_metrics_are_shown_as_prometheus_reads_them() -> None:
    registry = CollectorRegistry()
    Counter("parlour_things", "Things.", registry=registry).inc(3)

    response = _client(Health({}), registry).get("/metrics")

    assert response.headers["content-type"].startswith("text/plain")
    assert "parlour_things_total 3.0" in response.text
