"""How much one person may send."""

from uuid import uuid4

from parlour.turns.gate import RateGate
from tests.fakes.clock import FakeClock


def test_a_person_is_let_through_so_often_a_minute() -> None:
    clock, who = FakeClock(), uuid4()
    gate = RateGate(3, monotonic=clock.elapsed)

    assert [gate.admits(who) for _ in range(5)] == [True, True, True, False, False]


def test_time_lets_a_person_through_again() -> None:
    clock, who = FakeClock(), uuid4()
    gate = RateGate(3, monotonic=clock.elapsed)
    for _ in range(3):
        gate.admits(who)

    clock.advance(20)

    assert [gate.admits(who), gate.admits(who)] == [True, False]


def test_a_long_silence_saves_up_no_more_than_a_minutes_worth() -> None:
    clock, who = FakeClock(), uuid4()
    gate = RateGate(2, monotonic=clock.elapsed)
    gate.admits(who)

    clock.advance(86_400)

    assert [gate.admits(who) for _ in range(3)] == [True, True, False]


def test_people_do_not_share() -> None:
    gate = RateGate(1, monotonic=FakeClock().elapsed)
    assert gate.admits(uuid4())
    assert gate.admits(uuid4())
