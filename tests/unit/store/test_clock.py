"""The clock that all processes share."""

from datetime import datetime, timedelta

from parlour.store.clock import DatabaseClock
from tests.fakes.clock import START, FakeClock


def test_the_first_call_asks_the_database() -> None:
    world = FakeClock()

    clock = DatabaseClock(world.now, elapsed=world.elapsed)

    assert clock.now() == START


def test_time_goes_on_by_the_monotonic_clock() -> None:
    world = FakeClock()
    clock = DatabaseClock(world.now, elapsed=world.elapsed)
    clock.now()

    world.advance(7)

    assert clock.now() == START + timedelta(seconds=7)


def test_a_wall_clock_jump_moves_nothing() -> None:
    world = FakeClock()
    clock = DatabaseClock(world.now, elapsed=world.elapsed)
    clock.now()

    world.jump(3600)

    assert clock.now() == START


def test_it_is_stale_after_the_refresh_time_and_can_be_set_again() -> None:
    world = FakeClock()
    clock = DatabaseClock(world.now, refresh_s=10, elapsed=world.elapsed)
    clock.now()
    world.jump(3600)

    world.advance(9)
    was_stale = clock.is_stale
    world.advance(1)

    assert not was_stale
    assert clock.is_stale
    clock.set(world.now)
    assert clock.now() == START + timedelta(seconds=3610)


def test_the_answer_is_taken_to_be_from_the_middle_of_the_wait() -> None:
    world = FakeClock()

    def ask_slowly() -> datetime:
        world.advance(1)
        told = world.now()
        world.advance(1)
        return told

    clock = DatabaseClock(ask_slowly, elapsed=world.elapsed)

    assert clock.now() == world.now()
