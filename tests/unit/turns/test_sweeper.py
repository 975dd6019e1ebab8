"""Finding what is due and was not taken up (G4, G6)."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from parlour.store.ids import TurnId
from parlour.store.models import Turn
from parlour.turns.entry import PUBLISH_GRACE
from tests.support.stage import Stage


def lost(stage: Stage, **details: str) -> TurnId:
    """A turn whose task the broker lost."""
    taken = stage.say("hello", **details)
    stage.queue.take()
    assert taken.turn_id
    return taken.turn_id


def test_a_task_that_the_broker_lost_is_published_again(stage: Stage) -> None:
    turn_id = lost(stage)
    stage.clock.advance(PUBLISH_GRACE.total_seconds())

    assert stage.platform.sweep() == 1
    assert stage.queue.take() == [turn_id]
    assert stage.metric("parlour_republished_total") == 1


def test_an_emptied_broker_loses_no_turn(stage: Stage) -> None:
    """G6: all of them come back, and are answered."""
    for sender in ("ann", "ben", "cid"):
        lost(stage, sender=sender)
    stage.clock.advance(2)

    stage.platform.sweep()
    stage.work(stage.worker())

    assert stage.states() == ["answered"] * 3


def test_a_turn_just_taken_in_is_given_time(stage: Stage) -> None:
    lost(stage)

    assert stage.platform.sweep() == 0


def test_a_turn_published_again_is_given_time_again(stage: Stage) -> None:
    lost(stage)
    stage.clock.advance(2)
    stage.platform.sweep()

    assert stage.platform.sweep() == 0


def test_while_the_queue_is_full_a_turn_is_more_likely_in_it_than_lost(stage: Stage) -> None:
    lost(stage)
    stage.say("hello", sender="ben")

    stage.clock.advance(20)
    assert stage.platform.sweep() == 0
    stage.clock.advance(12)
    assert stage.platform.sweep() == 2


def test_a_turn_whose_worker_died_is_published_whatever_the_queue_holds(stage: Stage) -> None:
    """G4: it is not in the queue."""
    turn_id = lost(stage)
    stage.worker().claim(turn_id)
    stage.say("hello", sender="ben")
    stage.clock.advance(30.5)
    stage.queue.waiting[:] = stage.queue.waiting[:1]

    stage.platform.sweep()

    assert turn_id in stage.queue.take()


def test_a_turn_handed_back_is_published_whatever_the_queue_holds(stage: Stage) -> None:
    """Its task is gone too."""
    turn_id = lost(stage)
    worker = stage.worker()
    claim = worker.claim(turn_id)
    assert claim
    worker.order.hand_back(claim, delay=timedelta(seconds=5))
    stage.say("hello", sender="ben")

    stage.clock.advance(4)
    assert stage.platform.sweep() == 0
    stage.clock.advance(1)
    assert stage.platform.sweep() == 1


def test_a_turn_that_is_being_answered_is_left_alone(stage: Stage) -> None:
    turn_id = lost(stage)
    worker = stage.worker()
    claim = worker.claim(turn_id)
    assert claim
    for _ in range(10):
        stage.clock.advance(20)
        worker.order.renew([claim])
        assert stage.platform.sweep() == 0


def test_only_the_first_open_turn_of_a_conversation_is_published(stage: Stage) -> None:
    first = lost(stage)
    lost(stage)
    lost(stage)
    stage.clock.advance(60)

    assert stage.platform.sweep() == 1
    assert stage.queue.take() == [first]


def test_what_is_done_is_left_alone(stage: Stage) -> None:
    stage.answered("hello")
    stage.clock.advance(3_600)

    assert stage.platform.sweep() == 0


def test_with_the_broker_away_nothing_is_touched(stage: Stage) -> None:
    lost(stage)
    stage.clock.advance(60)
    before = stage.turns()[0].due_at
    stage.queue.is_down = True

    assert stage.platform.sweep() == 0
    assert stage.turns()[0].due_at == before
    stage.queue.is_down = False
    assert stage.platform.sweep() == 1


def test_a_broker_that_vanishes_in_the_middle_keeps_the_rest_due(stage: Stage) -> None:
    for sender in ("ann", "ben", "cid"):
        lost(stage, sender=sender)
    stage.clock.advance(60)

    def vanish(_: object) -> None:
        stage.queue.is_down = True

    stage.queue.on_publish = vanish
    assert stage.platform.sweep() == 1
    stage.queue.is_down, stage.queue.on_publish = False, lambda _: None
    stage.queue.take()

    assert stage.platform.sweep() == 2


def test_a_poisoned_turn_comes_back_until_it_is_given_up(stage: Stage) -> None:
    """Without anybody else's help."""
    lost(stage)
    worker = stage.worker()
    for _ in range(3):
        stage.clock.advance(31)
        stage.platform.sweep()
        (turn_id,) = stage.queue.take()
        worker.claim(turn_id)
    stage.clock.advance(31)
    stage.platform.sweep()
    stage.work(worker)

    assert stage.states() == ["failed"]


def test_however_many_are_due_one_round_is_bounded(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(12):
        lost(stage, sender=f"person-{number}")
    with stage.platform.database.begin() as session:
        session.execute(update(Turn).values(due_at=stage.clock.now() - timedelta(minutes=5)))
    monkeypatch.setattr("parlour.turns.sweeper._BATCH", 5)

    assert stage.platform.sweep() == 5
