"""Processes are started when needed, and again after a break, with growing pauses."""

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

    def supervisor(self) -> Supervisor:
        return Supervisor(self.start, monotonic=lambda: self.now)


def _skill(folder: str = "one", number: int = 1) -> SkillView:
    manifest = Manifest("tried", "1", "", "tried:skill")
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return SkillView(SkillId(UUID(int=number)), "tried", "1", "enabled", manifest, folder, frozenset(), (), now)


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
