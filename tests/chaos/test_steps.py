"""`kill -9` at every named step of a turn's life: whatever was done and not yet said, nothing is lost or doubled."""

import pytest

from parlour.turns.ports import Taken, Verdict
from tests.chaos.crowd import Crowd
from tests.chaos.deaths import WAYS, At, die_at, part_of
from tests.chaos.house import PACE_S, House
from tests.chaos.steps import STEPS, Call
from tests.fakes.telegram import FakeTelegram

# Those at which a process and the broker have to do with one another.
_ABOUT_THE_BROKER = (
    "intake.committed", "intake.told", "answer.claimed", "answer.committed", "answer.told",
    "sweep.found", "sweep.published",
)  # fmt: skip


def test_every_step_is_played() -> None:
    assert {part_of(name) for name in STEPS} == WAYS.keys()


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


# Each part starts some ten processes, a few seconds each.
@pytest.mark.timeout(1_200)
@pytest.mark.parametrize(("part", "pace"), [(part, "0" if part == "part" else PACE_S) for part in WAYS])
def test_a_death_at_any_step_loses_nothing_and_doubles_nothing(
    house: House, crowd: Crowd, telegram: FakeTelegram, part: str
) -> None:
    """One house lives through all steps of a part: at each the process dies for good, and is started again."""
    for step in (name for name in STEPS if part_of(name) == part):
        die_at(At(house, crowd, telegram), step)

        _see_all_answered(crowd, house, step)


@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("broker_url", ["rabbitmq_url"], indirect=True)
def test_on_rabbitmq_too_a_death_loses_nothing_and_doubles_nothing(
    house: House, crowd: Crowd, telegram: FakeTelegram
) -> None:
    for step in _ABOUT_THE_BROKER:
        die_at(At(house, crowd, telegram), step)

        _see_all_answered(crowd, house, step)


def _see_all_answered(crowd: Crowd, house: House, step: str) -> None:
    verdict = crowd.settled(patience_s=30.0, linger_s=0.3)
    assert verdict.is_clean, f"after a death at {step}: {verdict}\n{house.output[-6000:]}"
