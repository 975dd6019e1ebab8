"""`kill -9` at every named step of a turn's life: whatever was done and not yet said, nothing is lost or doubled."""

import pytest

from parlour.turns import answer, deliver, intake, ledger, order, sweeper
from parlour.turns.ports import Taken, Verdict
from tests.chaos.crowd import Crowd
from tests.chaos.house import House
from tests.chaos.steps import STEPS, Call
from tests.fakes.telegram import FakeTelegram
from tests.processes import until


def test_every_step_is_a_place_in_the_code() -> None:
    modules = {module.__name__ for module in (answer, deliver, intake, ledger, order, sweeper)}

    assert {step.place.partition(":")[0] for step in STEPS.values()} == modules


@pytest.mark.parametrize(
    ("step", "idle", "busy"),
    [
        ("intake.published", Call({}, [Taken(Verdict.IGNORED)]), Call({}, [Taken(Verdict.ACCEPTED)])),
        ("answer.claimed", Call({}, None), Call({}, object())),
        ("answer.committed", Call({"following": None}), Call({"following": object()})),
        ("answer.told", Call({"following": None}), Call({"following": object()})),
        ("sweep.found", Call({"due": []}), Call({"due": [object()]})),
        ("sweep.published", Call({}, []), Call({}, [object()])),
    ],
)
def test_a_call_that_does_nothing_is_no_step(step: str, idle: Call, busy: Call) -> None:
    assert STEPS[step].is_reached(busy)
    assert not STEPS[step].is_reached(idle)


# It starts some thirty processes, a few seconds each.
@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("process", ["gateway", "worker", "scheduler"])
def test_a_death_at_any_step_loses_nothing_and_doubles_nothing(
    house: House, crowd: Crowd, telegram: FakeTelegram, process: str
) -> None:
    """One house lives through all of them: at each step the process dies for good, and is started again."""
    for step in (name for name, one in STEPS.items() if one.process == process):
        _die_at(step, house, crowd, telegram)

        verdict = crowd.settled(patience_s=30.0, linger_s=0.3)
        assert verdict.is_clean, f"after a death at {step}: {verdict}\n{house.output[-6000:]}"


def _die_at(step: str, house: House, crowd: Crowd, telegram: FakeTelegram) -> None:
    name = STEPS[step].process
    house.kill(name)
    if name == "worker":
        # The other one would take the turn before it gets there.
        house.kill("second worker")
        # Two turns wait in each conversation, so that whoever has answered the first has the second to tell of.
        _say_something(crowd)
        _say_something(crowd)
        until(lambda: not telegram.state()["pending"], told=lambda: house.output)
    if name == "scheduler":
        _lose_a_publication(house, crowd)
    dying = house.bring_up(name, crash_at=step)
    _say_something(crowd)
    until(lambda: house.is_dead(name), timeout_s=60, told=lambda: f"{step} was never reached\n{dying.output}")
    house.make_whole()


def _lose_a_publication(house: House, crowd: Crowd) -> None:
    """A worker dies with a turn in its hands: only the scheduler brings it back."""
    # Killed and not frozen: Redis hands a publication to whoever waits for one, frozen or not.
    house.kill("second worker")
    house.kill("worker")
    house.bring_up("worker", crash_at="answer.claimed")
    crowd.say(crowd.people[0])
    until(lambda: house.is_dead("worker"), timeout_s=60)


def _say_something(crowd: Crowd) -> None:
    for person in crowd.people:
        crowd.say(person)
