"""How each part of a turn's life is played so that a process reaches a step of it for certain, and dies there."""

import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from tests.chaos.crowd import Crowd
from tests.chaos.house import House
from tests.chaos.steps import STEPS
from tests.fakes.telegram import FakeTelegram
from tests.processes import Process, until

# People of whom nothing is judged but that they get one answer to each message.
_PATIENT = 800
_LONGER_THAN_DRAINING = 400
_MORE_THAN_ONE_MESSAGE = 1_000
_WORTH_A_DRAFT = 150


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


def part_of(step: str) -> str:
    """What stands before the dot."""
    return step.partition(".")[0]


def die_at(at: At, step: str) -> None:
    """Let a process die at the step, and all be whole again. Raises `AssertionError` where the step is not reached."""
    dying = WAYS[part_of(step)](at, step)
    try:
        assert dying.wait(timeout_s=60) == -signal.SIGKILL, f"it went without reaching {step}\n{dying.output}"
    except subprocess.TimeoutExpired:
        raise AssertionError(f"{step} was never reached\n{dying.output}") from None
    at.telegram.heal()
    at.house.make_whole()
