"""How often a turn makes the gateway and its database wake each other."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from parlour.turns.shipments import Outcome
from parlour.turns.states import DeliveryState
from tests import services
from tests.fakes.turns import FakeMessenger
from tests.support.counted import Line, line_to
from tests.support.stage import Stage, copy_of, open_stage

PEOPLE = ("ann", "ben", "eve")


@pytest.fixture
def line(migrated: tuple[Path, str], postgres_databases: services.PostgresDatabases) -> Iterator[Line]:
    with line_to(postgres_databases.create(template=migrated[1])) as line:
        yield line


@pytest.fixture
def stage(migrated: tuple[Path, str], line: Line, tmp_path: Path) -> Iterator[Stage]:
    """A stage where everybody was answered before."""
    with open_stage(copy_of(migrated[0], tmp_path / "data"), url=line.url) as stage:
        for name in PEOPLE:
            stage.answered("hello", sender=name)
        yield stage


@pytest.fixture
def trips(line: Line) -> Callable[[], int]:
    """How many round trips there were since it was asked before."""
    before = 0

    def since() -> int:
        nonlocal before
        before, made = line.round_trips, line.round_trips - before
        return made

    return since


@pytest.mark.parametrize("people", [PEOPLE[:1], PEOPLE])
def test_plain_events_are_taken_in_by_three_round_trips_however_many_came_together(
    stage: Stage, trips: Callable[[], int], people: tuple[str, ...]
) -> None:
    events = [stage.incoming("hello again", sender=name) for name in people]
    trips()

    stage.platform.intake.receive_all(events)

    # The beginning and who wrote; the places in the conversations; the rows and the commit.
    assert trips() == 3


def test_answers_are_taken_to_be_sent_by_three_round_trips_and_recorded_by_one(
    stage: Stage, trips: Callable[[], int]
) -> None:
    messenger, ledger = FakeMessenger(stage.account_id), stage.ledger()
    assert ledger.hold(stage.account_id)
    trips()

    shipments, _ = ledger.take_due(messenger, limit=50)

    # Whether anything is due; the beginning, the lease and what is due; the marks and the commit.
    assert (len(shipments), trips()) == (len(PEOPLE), 3)

    ledger.record([Outcome(one, DeliveryState.SENT, external_key=f"m{one.turn_id}") for one in shipments])

    assert trips() == 1
    assert ledger.take_due(messenger, limit=50, is_told=True) == ([], None)
    # Told that something is due, it does not look first.
    assert trips() == 2
    assert {row.state for row in stage.deliveries()} == {"sent"}
