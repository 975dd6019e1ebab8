"""What takes long holds up neither the sweeping nor the end."""

import threading
from collections.abc import Callable, Iterator
from functools import partial
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


# What people asked for, and the first of the rounds.
LONG = ("requests", "rounds")


@pytest.fixture(params=LONG)
def busy(request: pytest.FixtureRequest, long: Long, monkeypatch: pytest.MonkeyPatch) -> tuple[Scheduler, list[str]]:
    """A scheduler whose long work hangs, and what else it did."""
    monkeypatch.setattr(module, "SWEEP_EVERY_S", 0.001)
    monkeypatch.setattr(module, "_STOPS_WITHIN_S", 0.01)
    monkeypatch.setattr(module, "_ROUNDS_EVERY_S", 0.001)
    done: list[str] = []
    work: dict[str, Callable[[], object]] = {what: partial(done.append, what) for what in LONG} | {request.param: long}
    platform = SimpleNamespace(
        database=None,
        sweep=lambda: done.append("turns"),
        sweep_jobs=lambda: done.append("jobs"),
        privacy_requests=SimpleNamespace(carry_out=work["requests"]),
        eraser=SimpleNamespace(resume=work["rounds"]),
    )
    return Scheduler(cast("Any", platform)), done


def test_while_something_takes_long_all_else_is_done(busy: tuple[Scheduler, list[str]], long: Long) -> None:
    scheduler, done = busy
    scheduler.start()
    long.is_begun.wait()
    done.clear()

    # Turns and jobs are swept, and whichever of requests and rounds does not hang goes on.
    wait_until(lambda: len(set(done)) == 3, what="all else beside it")

    scheduler.ask_to_stop()


def test_what_takes_long_does_not_keep_the_scheduler_from_ending(busy: tuple[Scheduler, list[str]], long: Long) -> None:
    scheduler, _ = busy
    running = threading.Thread(target=scheduler.run, daemon=True)
    running.start()
    long.is_begun.wait()

    scheduler.ask_to_stop()

    running.join(timeout=60)
    assert not running.is_alive()
