"""Processes are started when needed, and again after a break, with growing pauses."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

import pytest

from parlour.sdk.manifest import Manifest
from parlour.skills.errors import SkillBroke, SkillUnavailable
from parlour.skills.process import SkillProcess, Work
from parlour.skills.supervisor import Supervisor
from parlour.skills.views import SkillView
from parlour.store.ids import SkillId
from tests.support.skills import FakeDesk

WORK = Work("answers:answer")


@dataclass
class FakeProcess:
    is_alive: bool = True
    has_answered: bool = False
    ended: list[str] = field(default_factory=list)

    def begin(self, *_: Any, **__: Any) -> "FakeProcess":
        return self

    def end(self, reason: str) -> None:
        self.is_alive = False
        self.ended.append(reason)


@dataclass
class Machine:
    """Starts fakes, and holds the time."""

    now: float = 0.0
    started: list[FakeProcess] = field(default_factory=list)
    does_start: bool = True

    def start(self, _: SkillView) -> SkillProcess:
        if not self.does_start:
            raise SkillBroke("does not start")
        self.started.append(FakeProcess())
        return cast("SkillProcess", self.started[-1])

    def supervisor(self, standing: "FakeStanding | None" = None) -> Supervisor:
        return Supervisor(self.start, standing=standing, monotonic=lambda: self.now, look_every_s=0.01)


@dataclass
class FakeStanding:
    """What was told of new versions; `there` are the installed."""

    there: set[SkillId] = field(default_factory=lambda: {SkillId(UUID(int=1)), SkillId(UUID(int=2))})
    told: list[tuple[str, str]] = field(default_factory=list)

    def is_there(self, skill_id: SkillId) -> bool:
        return skill_id in self.there

    def passed(self, _: SkillId, folder: str) -> None:
        self.told.append(("passed", folder))

    def failed(self, _: SkillId, folder: str) -> bool:
        self.told.append(("failed", folder))
        return True


def _skill(folder: str = "one", number: int = 1, *, is_on_trial: bool = False) -> SkillView:
    manifest = Manifest("tried", "1", "", "tried:skill")
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return SkillView(
        SkillId(UUID(int=number)), "tried", "1", "enabled", manifest, folder, frozenset(), (), now,
        is_on_trial=is_on_trial,
    )  # fmt: skip


def test_one_process_serves_all_calls() -> None:
    machine = Machine()
    supervisor = machine.supervisor()

    for _ in range(3):
        supervisor.begin(_skill(), WORK, FakeDesk(), timeout_s=1)

    assert len(machine.started) == 1


def test_a_first_break_is_mended_at_once_and_later_ones_after_growing_pauses() -> None:
    machine = Machine()
    supervisor = machine.supervisor()
    pauses = []
    for _ in range(6):
        waited = 0
        while True:
            try:
                supervisor.begin(_skill(), WORK, FakeDesk(), timeout_s=1)
                break
            except SkillUnavailable:
                machine.now += 1
                waited += 1
        pauses.append(waited)
        machine.started[-1].is_alive = False

    assert pauses == [0, 0, 1, 2, 4, 8]


def test_one_that_does_not_start_is_not_tried_without_end() -> None:
    machine = Machine(does_start=False)
    supervisor = machine.supervisor()
    for _ in range(2):
        with pytest.raises(SkillBroke):
            supervisor.begin(_skill(), WORK, FakeDesk(), timeout_s=1)

    with pytest.raises(SkillUnavailable, match="in 1 s"):
        supervisor.begin(_skill(), WORK, FakeDesk(), timeout_s=1)


def test_one_that_ran_long_is_forgiven() -> None:
    machine = Machine()
    supervisor = machine.supervisor()
    for _ in range(5):
        supervisor.begin(_skill(), WORK, FakeDesk(), timeout_s=1)
        machine.now += 3600
        machine.started[-1].is_alive = False

    supervisor.begin(_skill(), WORK, FakeDesk(), timeout_s=1)


def test_a_new_version_takes_the_place_of_the_old() -> None:
    machine = Machine()
    supervisor = machine.supervisor()
    supervisor.begin(_skill("one"), WORK, FakeDesk(), timeout_s=1)

    supervisor.begin(_skill("two"), WORK, FakeDesk(), timeout_s=1)

    assert [one.ended for one in machine.started] == [["another version was installed"], []]


def test_one_skills_break_holds_up_no_other() -> None:
    machine = Machine(does_start=False)
    supervisor = machine.supervisor()
    with pytest.raises(SkillBroke):
        supervisor.begin(_skill(), WORK, FakeDesk(), timeout_s=1)
    machine.does_start = True

    supervisor.begin(_skill(number=2), WORK, FakeDesk(), timeout_s=1)

    assert len(machine.started) == 1


def test_closing_ends_them_all() -> None:
    machine = Machine()
    supervisor = machine.supervisor()
    supervisor.begin(_skill(), WORK, FakeDesk(), timeout_s=1)

    supervisor.close()

    assert not machine.started[0].is_alive


def test_a_new_version_that_answered_is_told_once() -> None:
    machine, standing = Machine(), FakeStanding()
    supervisor = machine.supervisor(standing)
    supervisor.begin(_skill(is_on_trial=True), WORK, FakeDesk(), timeout_s=1)
    assert standing.told == []
    machine.started[0].has_answered = True

    for _ in range(3):
        supervisor.begin(_skill(is_on_trial=True), WORK, FakeDesk(), timeout_s=1)

    assert standing.told == [("passed", "one")]
    supervisor.close()


def test_a_new_version_that_breaks_twice_before_it_answered_has_failed() -> None:
    machine, standing = Machine(does_start=False), FakeStanding()
    supervisor = machine.supervisor(standing)
    for expected in ([], [("failed", "two")]):
        with pytest.raises(SkillBroke):
            supervisor.begin(_skill("two", is_on_trial=True), WORK, FakeDesk(), timeout_s=1)
        assert standing.told == expected
    machine.does_start = True

    supervisor.begin(_skill("one"), WORK, FakeDesk(), timeout_s=1)

    assert len(machine.started) == 1
    supervisor.close()


def test_a_version_that_answered_and_breaks_later_is_not_taken_back() -> None:
    machine, standing = Machine(), FakeStanding()
    supervisor = machine.supervisor(standing)
    for _ in range(2):
        supervisor.begin(_skill(is_on_trial=True), WORK, FakeDesk(), timeout_s=1)
        machine.started[-1].has_answered, machine.started[-1].is_alive = True, False
    with pytest.raises(SkillUnavailable):
        supervisor.begin(_skill(is_on_trial=True), WORK, FakeDesk(), timeout_s=1)

    assert standing.told == [("passed", "one")]
    supervisor.close()


def test_the_idle_process_of_a_removed_skill_ends_by_itself() -> None:
    machine, standing = Machine(), FakeStanding()
    supervisor = machine.supervisor(standing)
    for number in (1, 2):
        supervisor.begin(_skill(number=number), WORK, FakeDesk(), timeout_s=1)
    standing.there.discard(SkillId(UUID(int=1)))

    until = time.monotonic() + 60
    while not machine.started[0].ended and time.monotonic() < until:
        time.sleep(0.01)

    assert [one.ended for one in machine.started] == [["it was removed"], []]
    supervisor.close()


# ---- new versions that nobody talks to ----


def _runs(supervisor: Supervisor, machine: Machine, how: str, *, is_on_trial: bool = True) -> None:
    """A job of the version `two` comes to its end, breaks, or is told to stop."""
    with supervisor.apart(_skill("two", is_on_trial=is_on_trial)):
        machine.started[-1].has_answered = how == "ends"
        machine.started[-1].is_alive = how != "breaks"


def test_a_job_that_comes_to_its_end_confirms_a_new_version() -> None:
    """A skill without anything for people would stay on trial for ever."""
    machine, standing = Machine(), FakeStanding()
    supervisor = machine.supervisor(standing)

    _runs(supervisor, machine, "ends")

    assert standing.told == [("passed", "two")]
    assert machine.started[0].ended == ["its job is over"]


def test_a_version_whose_jobs_break_twice_is_taken_back() -> None:
    machine, standing = Machine(), FakeStanding()
    supervisor = machine.supervisor(standing)

    _runs(supervisor, machine, "breaks")
    assert standing.told == []
    _runs(supervisor, machine, "breaks")

    assert standing.told == [("failed", "two")]


def test_a_version_that_does_not_start_for_its_jobs_is_taken_back() -> None:
    machine, standing = Machine(does_start=False), FakeStanding()
    supervisor = machine.supervisor(standing)

    for _ in range(2):
        with pytest.raises(SkillBroke), supervisor.apart(_skill("two", is_on_trial=True)):
            pytest.fail("it did not start")

    assert standing.told == [("failed", "two")]


def test_a_job_that_is_told_to_stop_says_nothing_about_its_version() -> None:
    machine, standing = Machine(), FakeStanding()
    supervisor = machine.supervisor(standing)

    for how in ("stops", "stops", "breaks"):
        _runs(supervisor, machine, how)

    assert standing.told == []


def test_a_version_that_is_not_on_trial_is_not_judged_by_its_jobs() -> None:
    machine, standing = Machine(), FakeStanding()
    supervisor = machine.supervisor(standing)

    for how in ("breaks", "breaks", "ends"):
        _runs(supervisor, machine, how, is_on_trial=False)

    assert standing.told == []
