"""Leases renewed and stop requests seen, by one thread for all answers."""

from collections.abc import Callable
from threading import Event

import pytest
from sqlalchemy import select

from parlour.store.errors import DatabaseUnavailable
from parlour.store.models import Conversation
from parlour.turns.order import Claim
from parlour.turns.running import LONGEST_ANSWER_S, Halt
from tests.support.stage import Stage, Worker


def begun(stage: Stage, worker: Worker, sender: str = "ann") -> Claim:
    """A turn that the worker has claimed."""
    taken = stage.say("hello", sender=sender)
    assert taken.turn_id
    claim = worker.claim(taken.turn_id)
    assert claim
    return claim


def test_a_lease_is_renewed_after_a_third_of_its_time(stage: Stage) -> None:
    worker = stage.worker()
    claim = begun(stage, worker)
    with worker.running.watching(claim):
        before = _lease_until(stage)
        stage.clock.advance(9)
        worker.running.look()
        assert _lease_until(stage) == before
        stage.clock.advance(1)
        worker.running.look()

    assert _lease_until(stage) != before


def test_an_answer_goes_on_for_longer_than_a_lease(stage: Stage) -> None:
    worker = stage.worker()
    claim = begun(stage, worker)
    with worker.running.watching(claim) as watch:
        for _ in range(20):
            stage.clock.advance(10)
            worker.running.look()

        assert watch.halt is None
        assert stage.worker(owner="worker-2").claim(claim.turn_id) is None


def test_a_lost_lease_ends_the_answer(stage: Stage) -> None:
    worker = stage.worker()
    claim = begun(stage, worker)
    cancelled = Event()
    with worker.running.watching(claim) as watch:
        watch.on_halt(cancelled.set)
        stage.clock.advance(31)
        stage.worker(owner="worker-2").claim(claim.turn_id)
        worker.running.look()

    assert watch.halt is Halt.LOST
    assert cancelled.is_set()
    assert stage.metric("parlour_leases_lost_total") == 1


def test_an_answer_that_comes_to_no_end_is_ended_and_its_lease_renewed_no_more(stage: Stage) -> None:
    """One that hangs so that it cannot even be ended keeps its turn no longer than its lease."""
    worker = stage.worker()
    claim = begun(stage, worker)
    cancelled = Event()
    with worker.running.watching(claim) as watch:
        watch.on_halt(cancelled.set)
        _work_on(stage, worker, LONGEST_ANSWER_S - 10)
        assert watch.halt is None
        _work_on(stage, worker, 10)
        assert watch.halt is Halt.OVERDUE
        assert cancelled.is_set()
        _work_on(stage, worker, 40)

        assert stage.worker(owner="worker-2").claim(claim.turn_id)


def test_a_stop_request_ends_the_answer(stage: Stage) -> None:
    worker = stage.worker()
    claim = begun(stage, worker)
    cancelled = Event()
    with worker.running.watching(claim) as watch:
        watch.on_halt(cancelled.set)
        stage.command("stop")
        worker.running.look()

    assert watch.halt is Halt.STOP
    assert cancelled.is_set()


def test_only_the_answer_that_was_asked_to_stop_ends(stage: Stage) -> None:
    worker = stage.worker()
    ann, ben = begun(stage, worker), begun(stage, worker, "ben")
    with worker.running.watching(ann) as of_ann, worker.running.watching(ben) as of_ben:
        stage.command("stop")
        worker.running.look()

    assert (of_ann.halt, of_ben.halt) == (Halt.STOP, None)


def test_whoever_registers_late_is_cancelled_at_once(stage: Stage) -> None:
    """The stop may come before the engine has begun."""
    worker = stage.worker()
    cancelled = Event()
    with worker.running.watching(begun(stage, worker)) as watch:
        watch.end(Halt.STOP)
        watch.on_halt(cancelled.set)

    assert cancelled.is_set()


@pytest.mark.parametrize(
    ("first", "second", "counts"),
    [
        (Halt.STOP, Halt.HAND_BACK, Halt.STOP),
        (Halt.HAND_BACK, Halt.STOP, Halt.HAND_BACK),
        (Halt.STOP, Halt.LOST, Halt.LOST),
        (Halt.LOST, Halt.STOP, Halt.LOST),
    ],
)
def test_the_first_reason_counts_unless_the_lease_is_lost(
    stage: Stage, first: Halt, second: Halt, counts: Halt
) -> None:
    worker = stage.worker()
    with worker.running.watching(begun(stage, worker)) as watch:
        watch.end(first)
        watch.end(second)

    assert watch.halt is counts


def test_while_the_database_is_away_a_lease_stands_until_its_time(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past it nobody can say that no other worker has it."""
    worker = stage.worker()
    claim = begun(stage, worker)
    monkeypatch.setattr(worker.order, "renew", _away)
    with worker.running.watching(claim) as watch:
        stage.clock.advance(29)
        worker.running.look()
        assert watch.halt is None
        stage.clock.advance(2)
        worker.running.look()

    assert watch.halt is Halt.LOST


def test_a_shutdown_hands_back_what_still_runs(stage: Stage) -> None:
    worker = stage.worker()
    with worker.running.watching(begun(stage, worker)) as watch:
        assert not worker.running.wait_until_idle(0)
        worker.running.hand_back_all()

    assert watch.halt is Halt.HAND_BACK
    assert worker.running.wait_until_idle(0)
    assert len(worker.running) == 0


def test_the_thread_looks_by_itself_and_survives_what_it_meets(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it every lease of the worker would run out."""
    worker = stage.worker()
    looks: list[int] = []
    seen = Event()

    def look() -> None:
        looks.append(1)
        if len(looks) > 1:
            seen.set()
            return
        raise RuntimeError("something unforeseen")

    monkeypatch.setattr(worker.running, "look", look)
    monkeypatch.setattr("parlour.turns.running.LOOK_EVERY_S", 0.001)
    worker.running.start()
    with worker.running.watching(begun(stage, worker)):
        assert seen.wait(60)
    worker.running.close()


def _away(_: object) -> Callable[[], None]:
    raise DatabaseUnavailable("away")


def _work_on(stage: Stage, worker: Worker, seconds: float) -> None:
    """So much time passes, in which the worker renews what it holds."""
    for _ in range(round(seconds / 10)):
        stage.clock.advance(10)
        worker.running.look()


def _lease_until(stage: Stage) -> object:
    with stage.platform.database.read() as session:
        return session.scalars(select(Conversation.lease_until)).one()
