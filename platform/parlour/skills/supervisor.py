"""Keeps skills' processes: started when they are needed, started again after a break, with growing pauses."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from parlour.skills.environment import Environments
from parlour.skills.errors import SkillBroke, SkillUnavailable
from parlour.skills.process import Desk, Run, SkillProcess, Work
from parlour.skills.views import SkillView

log = structlog.get_logger(__name__)

_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 300.0
# One that ran so long before it broke is not broken for good.
_FORGIVEN_AFTER_S = 600.0

Start = Callable[[SkillView], SkillProcess]


@dataclass
class _Place:
    """One skill's process and how often it broke."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    process: SkillProcess | None = None
    folder: str = ""
    started_at: float = 0.0
    breaks: int = 0
    not_before: float = 0.0


class Supervisor:
    """All skills' processes of one worker. Safe to use from many threads; one slow skill holds up no other."""

    def __init__(self, start: Start, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._start = start
        self._monotonic = monotonic
        self._places: dict[str, _Place] = {}
        self._lock = threading.Lock()

    def begin(self, skill: SkillView, work: Work, desk: Desk, *, timeout_s: float) -> Run:
        """Call a handler of the skill. Raises `SkillUnavailable` while it waits to be started again, `SkillBroke`."""
        return self._process(skill).begin(work, desk, timeout_s=timeout_s)

    def start_apart(self, skill: SkillView) -> SkillProcess:
        """A process of the skill beside the one that answers people; whoever asked for it ends it. `SkillBroke`."""
        return self._start(skill)

    def close(self) -> None:
        """End all of them."""
        with self._lock:
            places, self._places = list(self._places.values()), {}
        for place in places:
            if place.process is not None:
                place.process.end("Parlour is shutting down")

    def _process(self, skill: SkillView) -> SkillProcess:
        with self._lock:
            place = self._places.setdefault(str(skill.id), _Place())
        with place.lock:
            if place.process is not None and place.folder != skill.folder:
                # Another version was installed; what still runs in the old one is told so.
                place.process.end("another version was installed")
                place.process, place.breaks, place.not_before = None, 0, 0.0
            if place.process is not None and not place.process.is_alive:
                self._count_break(place, skill)
            if place.process is None:
                self._start_at(place, skill)
            assert place.process is not None  # noqa: S101 (for the type checker)
            return place.process

    def _start_at(self, place: _Place, skill: SkillView) -> None:
        wait_s = place.not_before - self._monotonic()
        if wait_s > 0:
            raise SkillUnavailable(f"The skill {skill.name!r} broke and is started again in {wait_s:.0f} s.")
        try:
            place.process = self._start(skill)
        except SkillBroke:
            self._count_break(place, skill)
            raise
        place.folder, place.started_at = skill.folder, self._monotonic()

    def _count_break(self, place: _Place, skill: SkillView) -> None:
        now = self._monotonic()
        ran_s = now - place.started_at if place.process is not None else 0.0
        place.process = None
        place.breaks = 1 if ran_s > _FORGIVEN_AFTER_S else place.breaks + 1
        # The first break may be an accident: it is started again at once.
        pause_s = 0.0 if place.breaks == 1 else min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** (place.breaks - 2))
        place.not_before = now + pause_s
        log.warning("skill_broke", skill=skill.name, breaks=place.breaks, pause_s=pause_s)


def starter(environments: Environments) -> Start:
    """Starts skills from their folders."""
    return lambda skill: SkillProcess(environments.launch(skill.manifest, skill.folder))
