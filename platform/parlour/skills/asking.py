"""One skill asks another, in the name of the person whose turn it is: whom, how deep, how often, how long."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from parlour.sdk.errors import CapabilityError, Invalid, NotAvailable, TooMuch
from parlour.sdk.manifest import Entry
from parlour.sdk.schema import problems
from parlour.skills.errors import SkillError, SkillTimedOut
from parlour.skills.process import Run
from parlour.skills.routing import ASKED_BY, ToolUse
from parlour.skills.views import SkillView

log = structlog.get_logger(__name__)

DEEPEST: Final = 3
MOST_IN_A_TURN: Final = 20
ANSWER_TIMEOUT_S: Final = 30.0


@dataclass
class Questions:
    """What the skills of one turn ask each other, all of them together. `uses` is kept with the turn."""

    uses: list[ToolUse]
    _count: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self) -> None:
        """One more. Raises `TooMuch`."""
        with self._lock:
            self._count += 1
            if self._count > MOST_IN_A_TURN:
                raise TooMuch(f"Skills asked each other more than {MOST_IN_A_TURN} times in this turn.")


@dataclass(frozen=True, slots=True)
class Chain:
    """The skills that led to a run, the turn's own first, and what all of them ask."""

    questions: Questions
    skills: tuple[str, ...] = ()

    def to(self, skill: str) -> "Chain":
        """The chain with one skill more."""
        return Chain(self.questions, (*self.skills, skill))


# Calls the offer of another skill within so many seconds, in the name of the turn's person, behind a chain of others.
Begin = Callable[[SkillView, Entry, Mapping[str, Any], float, Chain], Run]


class Asking:
    """What one run of a skill may ask. Made by the host: whose turn it is, and who asks, is nothing a call can say."""

    def __init__(
        self,
        chain: Chain,
        *,
        others: Callable[[], list[SkillView]],
        begin: Begin,
        until: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """The one that asks stands at the end of the chain; `others` are those enabled where the turn is.

        The run itself is over at `until`, and with it whatever it asks.
        """
        self._chain = chain
        self._others = others
        self._begin = begin
        self._until = until
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._open: set[Run] = set()
        self._is_over = False

    def ask(self, skill: str, what: str, arguments: Mapping[str, Any]) -> object:
        """What the other returns. Raises `CapabilityError`s; that the skill may ask it was checked before."""
        before = self._chain.skills
        if skill in before:
            log.warning("skills_ask_in_a_circle", skills=[*before, skill])
            raise Invalid(f"Skills ask each other in a circle: {', '.join([*before, skill])}.")
        if len(before) >= DEEPEST:
            raise TooMuch(f"Skills ask each other at most {DEEPEST} deep: {', '.join([*before, skill])}.")
        other, entry = self._offer(skill, what)
        for problem in problems(entry.arguments, dict(arguments)):
            raise Invalid(f"{skill} {what}: {problem}.")
        self._chain.questions.count()
        began, outcome = self._monotonic(), "done"
        seconds = min(ANSWER_TIMEOUT_S, max(0.0, self._until - began))
        try:
            run = self._begin(other, entry, arguments, seconds, self._chain)
            return self._value(run)
        except SkillTimedOut:
            outcome = "timed out"
            raise NotAvailable(f"The skill {skill} did not answer in time.") from None
        except SkillError as error:
            outcome = type(error).__name__
            log.warning("asked_skill_failed", skill=skill, asked=what, by=before[-1], reason=outcome)
            raise CapabilityError(f"The skill {skill} failed.") from None
        finally:
            took_ms = round((self._monotonic() - began) * 1_000)
            self._chain.questions.uses.append(ToolUse(skill, f"{what}{ASKED_BY}{before[-1]}", outcome, took_ms))

    def close(self) -> None:
        """End what is still being asked."""
        with self._lock:
            self._is_over = True
            runs = list(self._open)
        for run in runs:
            run.cancel()

    def _offer(self, skill: str, what: str) -> tuple[SkillView, Entry]:
        for other in self._others():
            if other.name == skill:
                offers = {entry.name: entry for entry in other.manifest.of_kind("offer")}
                if what not in offers:
                    there = ", ".join(offers) or "nothing"
                    raise Invalid(f"The skill {skill} offers no {what[:100]!r}. It offers: {there}.")
                return other, offers[what]
        raise NotAvailable(f"The skill {skill} is not installed and enabled here.")

    def _value(self, run: Run) -> object:
        with run:
            with self._lock:
                is_over = self._is_over
                self._open.add(run)
            try:
                if not is_over:
                    for _ in run:
                        """An offer has no replies; what it returned is the run's value."""
            finally:
                with self._lock:
                    self._open.discard(run)
            return run.value
