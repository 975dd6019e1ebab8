"""`kill -9` at every named step of a turn's life: whatever was done and not yet said, nothing is lost or doubled."""

import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import pytest

from parlour.turns.ports import Taken, Verdict
from tests.chaos.crowd import Crowd
from tests.chaos.house import PACE_S, House
from tests.chaos.steps import STEPS, Call
from tests.fakes.telegram import FakeTelegram
from tests.processes import Process, until

# People of whom nothing is judged but that they get one answer to each message.
_PATIENT = 800
_LONGER_THAN_DRAINING = 400
_MORE_THAN_ONE_MESSAGE = 1_000
_WORTH_A_DRAFT = 150


def test_every_step_is_played() -> None:
    assert {_part(name) for name in STEPS} == WAYS.keys()


@dataclass(frozen=True, slots=True)
class At:
    """Where processes die."""

    house: House
    crowd: Crowd
    telegram: FakeTelegram

    def everybody_talks(self) -> None:
        """Each person says something."""
        for person in self.crowd.people:
            self.crowd.say(person)

    def take_in(self) -> None:
        """Wait until all that was said is stored."""
        until(lambda: not self.telegram.state()["pending"], told=lambda: self.house.output)

    def kill_workers(self) -> None:
        """Nothing is answered for now."""
        for name in ("worker", "second worker"):
            self.house.kill(name)

    def alone(self, name: str, step: str, **environment: str) -> Process:
        """Start this process, to die at the step, and none other of its kind: that would do its work."""
        if name == "worker":
            self.kill_workers()
        self.house.kill(name)
        return self.house.bring_up(name, crash_at=step, **environment)


def _die_while_all_talk(at: At, step: str) -> Process:
    dying = at.alone(STEPS[step].process, step)
    at.everybody_talks()
    return dying


def _die_over_what_has_gathered(at: At, step: str) -> Process:
    """What was said twice by everybody while nobody listened comes at once, in two rounds."""
    at.house.kill("gateway")
    at.everybody_talks()
    at.everybody_talks()
    return at.alone("gateway", step)


def _die_with_more_to_answer(at: At, step: str) -> Process:
    """Two turns wait in each conversation: whoever has answered the first has the second to tell of."""
    at.kill_workers()
    at.everybody_talks()
    at.everybody_talks()
    at.take_in()
    return at.alone("worker", step)


def _die_over_a_failure(at: At, step: str) -> Process:
    """Two turns that are too long for the model wait: the first is given up with the second to tell of."""
    at.kill_workers()
    for number in range(2):
        at.crowd.trouble(_PATIENT + list(STEPS).index(step), f"number {number} is too long" + " by a word" * 100)
    at.take_in()
    return at.alone("worker", step, PARLOUR_ENGINE__CONTEXT_TOKENS="64")


def _die_while_handing_back(at: At, step: str) -> Process:
    """A worker that is told to go has an answer that takes longer than it is given."""
    dying = at.alone("worker", step)
    dying.await_ready()
    person = at.crowd.people[0]
    at.crowd.say(person, words=_LONGER_THAN_DRAINING)
    until(lambda: at.telegram.drafts(person), told=lambda: dying.output)
    at.house.end("worker")
    return dying


def _die_with_parts_left(at: At, step: str) -> Process:
    dying = at.alone("gateway", step)
    at.crowd.say(at.crowd.people[0], words=_MORE_THAN_ONE_MESSAGE)
    return dying


def _die_over_a_file(at: At, step: str) -> Process:
    dying = at.alone("gateway", step)
    at.crowd.trouble(_PATIENT + list(STEPS).index(step), f"a file, until {step}", has_file=True)
    return dying


def _die_over_a_draft(at: At, step: str) -> Process:
    """In a group a draft is a message."""
    dying = at.alone("gateway", step)
    # The answer would be over before.
    until(lambda: "sender_lease_taken" in dying.output, told=lambda: dying.output)
    at.crowd.say(words=_WORTH_A_DRAFT, is_in_group=True)
    return dying


def _die_while_settling(at: At, step: str) -> Process:
    """The answer to a message that was posted does not arrive."""
    dying = at.alone("gateway", step)
    at.telegram.fault("lose", method="sendMessage")
    at.crowd.say(at.crowd.people[0])
    return dying


def _die_while_leaving(at: At, step: str) -> Process:
    dying = at.alone("gateway", step)
    dying.await_ready()
    at.everybody_talks()
    at.house.end("gateway")
    return dying


def _die_over_what_was_left(at: At, step: str) -> Process:
    """A worker dies with a turn in its hands: only the scheduler brings it back."""
    at.house.kill("scheduler")
    # Killed and not frozen: Redis hands a publication to whoever waits for one, frozen or not.
    at.alone("worker", "answer.claimed")
    at.crowd.say(at.crowd.people[0])
    until(lambda: at.house.is_dead("worker"), timeout_s=60)
    return _die_while_all_talk(at, step)


# How each part of a turn's life is played so that its steps are reached for certain.
WAYS: Final[Mapping[str, Callable[[At, str], Process]]] = MappingProxyType(
    {
        "intake": _die_over_what_has_gathered,
        "answer": _die_with_more_to_answer,
        "failure": _die_over_a_failure,
        "drain": _die_while_handing_back,
        "delivery": _die_while_all_talk,
        "file": _die_over_a_file,
        "part": _die_with_parts_left,
        "draft": _die_over_a_draft,
        "settle": _die_while_settling,
        "leave": _die_while_leaving,
        "sweep": _die_over_what_was_left,
    }
)


def _part(step: str) -> str:
    return step.partition(".")[0]


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
@pytest.mark.parametrize(("part", "pace"), [(part, "0" if part == "part" else PACE_S) for part in WAYS])
def test_a_death_at_any_step_loses_nothing_and_doubles_nothing(
    house: House, crowd: Crowd, telegram: FakeTelegram, part: str
) -> None:
    """One house lives through all steps of a part: at each the process dies for good, and is started again."""
    at = At(house, crowd, telegram)
    for step in (name for name in STEPS if _part(name) == part):
        _see_it_die(WAYS[part](at, step), step)
        telegram.heal()
        house.make_whole()

        verdict = crowd.settled(patience_s=30.0, linger_s=0.3)
        assert verdict.is_clean, f"after a death at {step}: {verdict}\n{house.output[-6000:]}"


def _see_it_die(dying: Process, step: str) -> None:
    try:
        assert dying.wait(timeout_s=60) == -signal.SIGKILL, f"it went without reaching {step}\n{dying.output}"
    except subprocess.TimeoutExpired:
        pytest.fail(f"{step} was never reached\n{dying.output}")
