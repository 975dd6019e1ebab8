"""What is done to a turn just while a worker takes it. On SQLite one of the two waits for the other in any case."""

from collections.abc import Callable
from threading import Thread

import pytest
from sqlalchemy.orm import Session

from parlour.store.ids import UserId
from parlour.turns import operating
from parlour.turns.order import Claim
from parlour.turns.ports import IncomingKind, Taken
from tests import services
from tests.support.stage import Stage, Worker
from tests.support.waiting import is_somebody_waiting


def stop(stage: Stage, _: Taken) -> None:
    """The button of web and terminal."""
    stage.say("", chat="group", is_private=False, kind=IncomingKind.STOP)


def drop(stage: Stage, taken: Taken) -> None:
    assert taken.turn_id is not None
    operating.drop_turn(stage.platform.database, stage.platform.outbox, taken.turn_id)


def erase(stage: Stage, taken: Taken) -> None:
    stage.platform.eraser.erase(UserId(stage.turn(taken).user_id), actor="command:test")


@pytest.mark.parametrize("meanwhile", [stop, drop, erase])
def test_who_ends_a_turn_that_is_just_being_claimed_is_heard(
    stage: Stage, meanwhile: Callable[[Stage, Taken], None]
) -> None:
    """G4, G8: in a group, whose conversation stays when its person is erased."""
    taken, worker = stage.say("hello", chat="group", is_private=False), stage.worker()

    claim = claimed(stage, worker, taken, lambda: meanwhile(stage, taken))

    assert worker.order.stop_requested([claim]) or not worker.order.renew([claim])


def claimed(stage: Stage, worker: Worker, taken: Taken, meanwhile: Callable[[], None]) -> Claim:
    """The claim, between whose look at the turn and whose commit this is done, or begun and held up."""
    other = Thread(target=meanwhile)

    def is_done_or_waits() -> bool:
        return not other.is_alive() or is_somebody_waiting(stage.platform.database)

    def ask(_: Session, __: Claim) -> None:
        other.start()
        services.wait_until(is_done_or_waits, what="the other is done or waits for the claim")

    assert taken.turn_id is not None
    found = worker.order.claim(taken.turn_id, ask)
    other.join(60)
    assert not other.is_alive()
    assert found is not None
    return found[0]
