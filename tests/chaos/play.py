"""One schedule played from beginning to end: people talk, things break, everything is mended, the judge looks."""

import heapq
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Literal

from parlour.turns.states import Mode
from tests.chaos import mischief
from tests.chaos.crowd import Crowd
from tests.chaos.heard import Entry
from tests.chaos.house import House, Services, embedded, production
from tests.chaos.judge import Special, Verdict
from tests.chaos.nursery import Nursery
from tests.chaos.schedule import Planned, Scene, draw
from tests.fakes.slack import FakeSlack
from tests.fakes.telegram import FakeTelegram
from tests.services import PostgresDatabases

LayoutName = Literal["production", "embedded"]
# Only what is lost waits so long. A busy machine has been seen to stand still for half a minute.
_PATIENCE_S = 180.0
PEOPLE = 12
MESSAGES = 48
CROWD = 240
_FIRST_PERSON = 1_000
_SLACK_AGAIN_S = [0.2, 1.0, 3.0, 5.0, 10.0, 20.0, 40.0]


@dataclass(frozen=True, slots=True)
class Play:
    """How much of everything. The same seed draws the same talk and the same faults.

    `planned`: these faults instead of drawn ones, as when a play of an older catalogue of faults is played again.
    """

    seed: int
    people: int = PEOPLE
    messages: int = MESSAGES
    faults: int = 5
    over_s: float = 6.0
    planned: tuple[Planned, ...] | None = None


@dataclass(frozen=True, slots=True)
class Played:
    """What came of it. `turns` are those of this play.

    `took_s`: seconds of each of its parts; it is settled from the last mending on. `journal`: all that the messengers
    saw, of a play that was not clean.
    """

    seed: int
    faults: tuple[str, ...]
    people: int
    turns: int
    mode: Mode
    verdict: Verdict
    took_s: Mapping[str, float]
    output: str
    journal: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Stage:
    """What plays share, because starting it takes longer than a play. No services in the embedded layout."""

    services: Services | None
    nursery: Nursery


@contextmanager
def stage(layout: LayoutName) -> Iterator[Stage]:
    """One, set up."""
    with ExitStack() as stack:
        nursery = stack.enter_context(Nursery())
        yield Stage(stack.enter_context(Services()) if layout == "production" else None, nursery)


@dataclass(slots=True)
class Place:
    """An installation on which plays follow one another, each with people of its own."""

    house: House
    telegram: FakeTelegram
    services: Services | None
    slack: FakeSlack
    mode: Mode
    special: Special
    next_person: int = _FIRST_PERSON
    is_harmed: bool = False
    """Whether the skill that does harm is installed."""

    def perform(self, play: Play) -> Played:
        """Play it. The verdict covers the earlier plays too: what comes twice, late, is seen in the next one's."""
        dice = random.Random(play.seed)
        first_person = self.next_person
        self.next_person += play.people
        crowd = Crowd(
            self.telegram,
            people=play.people,
            dice=dice,
            first_person=first_person,
            slack=self.slack,
            special=self.special,
            has_group=True,
        )
        drawn = draw(dice, faults=play.faults, over_s=play.over_s, has_services=self.services is not None)
        planned = drawn if play.planned is None else list(play.planned)
        if not self.is_harmed and any(fault.needs_harm for fault in planned):
            mischief.install(self.house, self.house.folder)
            self.is_harmed = True
        before = crowd.verdict().accepted
        scene = Scene(self.house, self.telegram, self.services, dice, crowd, self.slack)
        began = time.monotonic()
        _act(play, planned, scene, crowd)
        healed = time.monotonic()
        self.telegram.heal()
        self.slack.heal()
        self.house.make_whole()
        for person in scene.erased:
            crowd.forget(person)
            # Whoever comes back after an erasure is somebody new, and is answered.
            crowd.say(person)
        mended = time.monotonic()
        verdict = crowd.settled(patience_s=_PATIENCE_S)
        took_s = {"talk": healed - began, "mending": mended - healed, "settled": time.monotonic() - mended}
        return Played(
            play.seed,
            faults=tuple(map(str, planned)),
            people=play.people,
            turns=verdict.accepted - before,
            mode=self.mode,
            verdict=verdict,
            took_s=took_s,
            output=self.house.output,
            journal=() if verdict.is_clean else (*self.telegram.journal(), *self.slack.journal()),
        )


@contextmanager
def settle_in(on: Stage, folder: Path, *, mode: Mode = Mode.QUEUE) -> Iterator[Place]:
    """A fresh installation, running. `mode`: what a message does that arrives during an answer."""
    with ExitStack() as stack:
        telegram = stack.enter_context(FakeTelegram())
        slack = stack.enter_context(FakeSlack())
        # As patient as Slack is, which tries for minutes: a message that Slack gave up is no message.
        slack.do("timing", retry_delays_s=_SLACK_AGAIN_S)
        house = stack.enter_context(_house(on, folder, telegram, slack, stack, mode))
        special = Special(mode=mode)
        yield Place(house, telegram, on.services, slack, mode, special)


def _house(on: Stage, folder: Path, telegram: FakeTelegram, slack: FakeSlack, stack: ExitStack, mode: Mode) -> House:
    if on.services is None:
        return embedded(folder, telegram, slack=slack, nursery=on.nursery, PARLOUR_TURNS__MODE=mode.value)
    databases = PostgresDatabases(on.services.postgres.url)
    stack.callback(databases.close)
    return production(
        folder,
        databases,
        f"{on.services.redis.url}/0",
        telegram,
        slack=slack,
        gateways=2,
        nursery=on.nursery,
        PARLOUR_TURNS__MODE=mode.value,
    )


def _act(play: Play, planned: list[Planned], scene: Scene, crowd: Crowd) -> None:
    """Say and break everything at its time, and undo what has to be undone."""
    numbers = count()
    agenda: list[tuple[float, int, Callable[[], object]]] = [
        (scene.dice.uniform(0.0, play.over_s), next(numbers), crowd.say) for _ in range(play.messages)
    ]

    def strike(fault: Planned) -> None:
        undo = fault.strike(scene)
        if undo is not None:
            after_s, remedy = undo
            heapq.heappush(agenda, (time.monotonic() - began + after_s, next(numbers), remedy))

    agenda += [(one.at_s, next(numbers), lambda one=one: strike(one)) for one in planned]  # type: ignore[misc]
    heapq.heapify(agenda)
    began = time.monotonic()
    while agenda:
        at_s, _, deed = heapq.heappop(agenda)
        time.sleep(max(0.0, began + at_s - time.monotonic()))
        deed()
