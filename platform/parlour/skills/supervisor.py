"""Keeps skills' processes: started when they are needed, started again after a break, with growing pauses."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol

import structlog

from parlour.skills.environment import Environments
from parlour.skills.errors import SkillBroke, SkillUnavailable
from parlour.skills.process import Desk, Run, SkillProcess, Work
from parlour.skills.views import SkillView
from parlour.store.ids import SkillId

log = structlog.get_logger(__name__)

_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 300.0
# One that ran so long before it broke is not broken for good.
_FORGIVEN_AFTER_S = 600.0

_LOOKED_AFTER_EVERY_S = 5.0
# A first break may be an accident; a new version that breaks again before it ever answered is taken back.
_TRIED = 2

Start = Callable[[SkillView], SkillProcess]


class Standing(Protocol):
    """Whether skills are still installed, and how new versions do (`standing.SkillStanding`)."""

    def is_there(self, skill_id: SkillId) -> bool:
        """Whether it is still installed."""
        ...

    def passed(self, skill_id: SkillId, folder: str) -> None:
        """That version has answered."""
        ...

    def failed(self, skill_id: SkillId, folder: str) -> bool:
        """That version broke before it answered."""
        ...


@dataclass
class _Place:
    """One skill's process and how often it broke."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    process: SkillProcess | None = None
    folder: str = ""
    started_at: float = 0.0
    breaks: int = 0
    not_before: float = 0.0
    is_proven: bool = False


class Supervisor:
    """All skills' processes of one worker. Safe to use from many threads; one slow skill holds up no other."""

    def __init__(
        self,
        start: Start,
        *,
        standing: Standing | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        look_every_s: float = _LOOKED_AFTER_EVERY_S,
    ) -> None:
        self._start = start
        self._standing = standing
        self._look_every_s = look_every_s
        self._watch: threading.Thread | None = None
        self._is_closed = threading.Event()
        self._monotonic = monotonic
        self._places: dict[SkillId, _Place] = {}
        # How often processes beside those broke, by the folder of their version.
        self._breaks_apart: dict[str, int] = {}
        self._lock = threading.Lock()

    def begin(self, skill: SkillView, work: Work, desk: Desk, *, timeout_s: float) -> Run:
        """Call a handler of the skill. Raises `SkillUnavailable` while it waits to be started again, `SkillBroke`."""
        while True:
            process = self._process(skill)
            try:
                return process.begin(work, desk, timeout_s=timeout_s)
            except SkillBroke:
                # It was retired between the two lines: another is at its place.
                if not process.is_retired:
                    raise

    @contextmanager
    def apart(self, skill: SkillView) -> Iterator[SkillProcess]:
        """A process of the skill beside the one that answers people, ended at the end of the block. `SkillBroke`.

        How it did counts for a new version as an answer to a person does: some skills only do things by themselves.
        """
        try:
            process = self._start(skill)
        except SkillBroke:
            self._judge(skill, has_answered=False)
            raise
        try:
            yield process
        finally:
            # One that was told to stop before it came to its end has neither answered nor broken.
            is_judged = process.has_answered or not process.is_alive
            process.end("its job is over")
            if is_judged:
                self._judge(skill, has_answered=process.has_answered)

    def renew(self) -> None:
        """Let every process end once it is idle: whatever it remembers is forgotten. The next call starts another."""
        with self._lock:
            places = list(self._places.values())
        for place in places:
            with place.lock:
                process, place.process = place.process, None
            if process is not None:
                process.retire()

    def close(self) -> None:
        """End all of them."""
        self._is_closed.set()
        with self._lock:
            places, self._places = list(self._places.values()), {}
        for place in places:
            if place.process is not None:
                place.process.end("Parlour is shutting down")

    def end_removed(self) -> None:
        """End the processes of skills that are not installed any more, whether anybody calls them or not."""
        with self._lock:
            places = list(self._places.items())
        for skill_id, place in places:
            with place.lock:
                if place.process is not None and self._standing and not self._standing.is_there(skill_id):
                    place.process.end("it was removed")
                    place.process = None

    def _look(self) -> None:
        while not self._is_closed.wait(self._look_every_s):
            try:
                self.end_removed()
            except Exception:  # the database may be away for a moment; whoever looks next time finds it back
                log.exception("skills_not_looked_after")

    def _begin_looking(self) -> None:
        with self._lock:
            if self._watch is None and self._standing is not None:
                self._watch = threading.Thread(target=self._look, name="skills-watch", daemon=True)
                self._watch.start()

    def _process(self, skill: SkillView) -> SkillProcess:
        self._begin_looking()
        with self._lock:
            place = self._places.setdefault(skill.id, _Place())
        with place.lock:
            if place.folder != skill.folder:
                # Another version was installed; what still runs in the old one is told so.
                if place.process is not None:
                    place.process.end("another version was installed")
                place.process, place.breaks, place.not_before, place.is_proven = None, 0, 0.0, False
                place.folder = skill.folder
            if place.process is not None and not place.process.is_alive:
                self._count_break(place, skill)
            if place.process is None:
                self._start_at(place, skill)
            self._prove(place, skill)
            assert place.process is not None  # noqa: S101 (for the type checker)
            return place.process

    def _judge(self, skill: SkillView, *, has_answered: bool) -> None:
        """Tell how a process beside the others did, where its version is on trial: once it answered, or broke again."""
        if not skill.is_on_trial or self._standing is None:
            return
        with self._lock:
            breaks = 0 if has_answered else self._breaks_apart.get(skill.folder, 0) + 1
            self._breaks_apart[skill.folder] = breaks
        if has_answered:
            self._standing.passed(skill.id, skill.folder)
        elif breaks >= _TRIED:
            self._standing.failed(skill.id, skill.folder)

    def _prove(self, place: _Place, skill: SkillView) -> None:
        """Tell once that a new version has answered."""
        if skill.is_on_trial and not place.is_proven and place.process is not None and place.process.has_answered:
            place.is_proven = True
            if self._standing is not None:
                self._standing.passed(skill.id, skill.folder)

    def _start_at(self, place: _Place, skill: SkillView) -> None:
        wait_s = place.not_before - self._monotonic()
        if wait_s > 0:
            raise SkillUnavailable(f"The skill {skill.name!r} broke and is started again in {wait_s:.0f} s.")
        try:
            place.process = self._start(skill)
        except SkillBroke:
            self._count_break(place, skill)
            raise
        place.started_at = self._monotonic()

    def _count_break(self, place: _Place, skill: SkillView) -> None:
        now = self._monotonic()
        ran_s = now - place.started_at if place.process is not None else 0.0
        self._prove(place, skill)
        place.process = None
        place.breaks = 1 if ran_s > _FORGIVEN_AFTER_S else place.breaks + 1
        # The first break may be an accident: it is started again at once.
        pause_s = 0.0 if place.breaks == 1 else min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** (place.breaks - 2))
        place.not_before = now + pause_s
        if skill.is_on_trial and not place.is_proven and place.breaks >= _TRIED and self._standing is not None:
            self._standing.failed(skill.id, skill.folder)
        log.warning("skill_broke", skill=skill.name, breaks=place.breaks, pause_s=pause_s)


def starter(environments: Environments, *, is_inline: bool = False) -> Start:
    """Starts skills from their folders; inside this process where it `is_inline`, which is for development."""
    return lambda skill: SkillProcess(replace(environments.launch(skill.manifest, skill.folder), is_inline=is_inline))
