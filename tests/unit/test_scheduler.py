"""What takes long holds up neither the sweeping nor the end."""

import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from parlour.processes import scheduler as module
from parlour.processes.scheduler import Scheduler
from tests.services import wait_until


class Long:
    """Work that ends when it is let."""

    def __init__(self) -> None:
        self.is_begun, self.may_end = threading.Event(), threading.Event()

    def __call__(self) -> int:
        self.is_begun.set()
        self.may_end.wait()
        return 0


@pytest.fixture
def long() -> Iterator[Long]:
    work = Long()
    yield work
    work.may_end.set()


@pytest.fixture(params=["carry_out", "resume"])
def busy(request: pytest.FixtureRequest, long: Long, monkeypatch: pytest.MonkeyPatch) -> tuple[Scheduler, list[str]]:
    """A scheduler whose long work hangs, and what it swept."""
    monkeypatch.setattr(module, "SWEEP_EVERY_S", 0.001)
    monkeypatch.setattr(module, "_STOPS_WITHIN_S", 0.01)
    swept: list[str] = []
    work: dict[str, Callable[[], int]] = {"carry_out": int, "resume": int, request.param: long}
    platform = SimpleNamespace(
        database=None,
        sweep=lambda: swept.append("turns"),
        sweep_jobs=lambda: swept.append("jobs"),
        privacy_requests=SimpleNamespace(carry_out=work["carry_out"]),
        eraser=SimpleNamespace(resume=work["resume"]),
    )
    return Scheduler(cast("Any", platform)), swept


def test_while_something_takes_long_turns_and_jobs_are_swept(busy: tuple[Scheduler, list[str]], long: Long) -> None:
    scheduler, swept = busy
    scheduler.start()
    long.is_begun.wait()
    swept.clear()

    wait_until(lambda: {"turns", "jobs"} <= set(swept), what="a sweep beside it", deadline_s=20)

    scheduler.ask_to_stop()


def test_what_takes_long_does_not_keep_the_scheduler_from_ending(busy: tuple[Scheduler, list[str]], long: Long) -> None:
    scheduler, _ = busy
    running = threading.Thread(target=scheduler.run, daemon=True)
    running.start()
    long.is_begun.wait()

    scheduler.ask_to_stop()

    running.join(timeout=20)
    assert not running.is_alive()
