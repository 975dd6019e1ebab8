"""What breaks when: drawn from a seed, so that a run that went wrong can be played again."""

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from parlour.turns.states import Mode
from tests.chaos import mischief
from tests.chaos.crowd import Crowd
from tests.chaos.house import LEASE_S, House, Services
from tests.fakes.slack import FakeSlack
from tests.fakes.telegram import FakeTelegram


@dataclass(frozen=True, slots=True)
class Scene:
    """What a fault can reach."""

    house: House
    telegram: FakeTelegram
    services: Services | None
    """None in the embedded layout."""
    dice: random.Random
    crowd: Crowd
    slack: FakeSlack | None = None
    erased: set[int] = field(default_factory=set)
    """People of Telegram whom a fault has erased."""

    @property
    def chats(self) -> range:
        """Those of Telegram in which people talk."""
        return self.crowd.on_telegram


# So many seeds one after another share an installation, and with it what a message does that arrives during an answer.
TOGETHER: Final = 10
_MODES: Final[Mapping[Mode, int]] = MappingProxyType({Mode.QUEUE: 4, Mode.MERGE: 1, Mode.INTERRUPT: 1})
# Seconds that a 429 asks for, and how often of 21. A schedule that has it once lasts five seconds longer on average.
_WAITS_S: Final[Mapping[int, int]] = MappingProxyType({1: 10, 2: 4, 3: 4, 10: 1, 30: 1, 60: 1})
_LONG_WAIT_S: Final = 10

# What a fault leaves to be undone, and after how many seconds.
Undo = tuple[float, Callable[[], None]] | None


def _kill(scene: Scene) -> Undo:
    name = scene.dice.choice(sorted(scene.house.processes))
    scene.house.kill(name)
    return scene.dice.uniform(0.0, 1.0), scene.house.mend


def _end(scene: Scene) -> Undo:
    scene.house.end(scene.dice.choice(sorted(scene.house.processes)))
    return scene.dice.uniform(0.5, 2.0), scene.house.mend


def _freeze(scene: Scene) -> Undo:
    name = scene.dice.choice(sorted(scene.house.processes))
    scene.house.freeze(name)
    return LEASE_S + scene.dice.uniform(0.5, 1.5), lambda: scene.house.wake(name)


def _empty_redis(scene: Scene) -> Undo:
    assert scene.services
    scene.services.redis.stop()
    return scene.dice.uniform(0.2, 1.5), lambda: _start(scene, "redis")


def _slow_redis(scene: Scene) -> Undo:
    assert scene.services
    scene.services.redis.pause()
    return scene.dice.uniform(0.5, 1.5), scene.services.redis.resume


def _restart_postgres(scene: Scene) -> Undo:
    assert scene.services
    scene.services.postgres.stop()
    return scene.dice.uniform(0.2, 1.0), lambda: _start(scene, "postgres")


def _cut_postgres(scene: Scene) -> Undo:
    assert scene.services
    scene.services.cut_connections()
    return None


def _start(scene: Scene, name: str) -> None:
    """Where it was stopped twice, the first to start it again was enough."""
    server = getattr(scene.services, name)
    if not server.is_started:
        server.start()


def _throttle_chat(scene: Scene) -> Undo:
    chat = str(scene.dice.choice(scene.chats))
    scene.telegram.fault("throttle", chat=chat, **_throttling(scene.dice, most_times=3))
    return None


def _throttle_all(scene: Scene) -> Undo:
    scene.telegram.fault("throttle", method="sendMessage", **_throttling(scene.dice, most_times=6))
    return None


def _throttling(dice: random.Random, *, most_times: int) -> dict[str, int]:
    """How long a 429 asks to wait, and how often it is said. What asks for long is said once."""
    (wait_s,) = dice.choices(tuple(_WAITS_S), tuple(_WAITS_S.values()))
    return {"retry_after": wait_s, "times": dice.randint(1, most_times) if wait_s < _LONG_WAIT_S else 1}


def _messenger(kind: str, **more: object) -> Callable[[Scene], Undo]:
    def fault(scene: Scene) -> Undo:
        method = scene.dice.choice(["sendMessage", "sendMessage", "editMessageText", "getUpdates", None])
        scene.telegram.do("fault", kind=kind, method=method, times=scene.dice.randint(1, 4), **more)
        return None

    return fault


def _redeliver(scene: Scene) -> Undo:
    count = scene.dice.randint(1, 10)
    for _ in range(scene.dice.randint(1, 5)):
        scene.telegram.do("redeliver", count=count)
    return None


def _reorder(scene: Scene) -> Undo:
    scene.telegram.fault("reorder", method="getUpdates", times=scene.dice.randint(1, 5))
    return None


def _jump(scene: Scene) -> Undo:
    scene.house.jump(scene.dice.choice(sorted(scene.house.processes)), is_forward=scene.dice.random() < 0.5)
    return None


def _erase(scene: Scene) -> Undo:
    person = scene.dice.choice(scene.chats)
    scene.erased.add(person)
    scene.house.operate("user", "erase", f"telegram:{person}", "--yes")
    return None


def _fill_disk(scene: Scene) -> Undo:
    scene.house.fill_disk("up")
    return scene.dice.uniform(0.5, 3.0), lambda: scene.house.make_room("up")


def _slack(kind: str, **more: object) -> Callable[[Scene], Undo]:
    """A fault of Slack's Web API."""

    def fault(scene: Scene) -> Undo:
        assert scene.slack
        method = scene.dice.choice(["chat.postMessage", "chat.postMessage", "conversations.history", None])
        scene.slack.do("fault", kind=kind, method=method, times=scene.dice.randint(1, 4), **more)
        return None

    return fault


def _slack_events(kind: str) -> Callable[[Scene], Undo]:
    """A fault in how Slack tells of events."""

    def fault(scene: Scene) -> Undo:
        assert scene.slack
        scene.slack.do("fault", kind=kind, method="event", times=scene.dice.randint(1, 6))
        return None

    return fault


def _slack_again(scene: Scene) -> Undo:
    assert scene.slack
    count = scene.dice.randint(1, 10)
    for _ in range(scene.dice.randint(1, 5)):
        scene.slack.do("redeliver", count=count)
    return None


def _slack_sockets(deed: str) -> Callable[[Scene], Undo]:
    def fault(scene: Scene) -> Undo:
        assert scene.slack
        scene.slack.do(deed)
        return None

    return fault


def _harm(kind: str) -> Callable[[Scene], Undo]:
    """Strangers talk to the skill that does harm."""

    def fault(scene: Scene) -> Undo:
        for _ in range(scene.dice.randint(1, 3)):
            scene.crowd.meet_trouble(mischief.COMMANDS[kind], is_endless=kind == "hangs")
        return None

    return fault


def _operate(*command: str) -> Callable[[Scene], Undo]:
    def fault(scene: Scene) -> Undo:
        scene.house.operate(*command)
        return None

    return fault


ANYWHERE: Final[Mapping[str, Callable[[Scene], Undo]]] = MappingProxyType(
    {
        "kill a process": _kill,
        "end a process": _end,
        "freeze a process past its lease": _freeze,
        "429 in a chat": _throttle_chat,
        "429 everywhere": _throttle_all,
        "502, nothing done": _messenger("error_before"),
        "502, work done": _messenger("error_after"),
        "answer lost, work done": _messenger("lose"),
        "answer late, work done": _messenger("hang", seconds=2.0),
        "connection reset": _messenger("reset"),
        "slow": _messenger("slow", seconds=0.5),
        "events again": _redeliver,
        "new key": _operate("keys", "rotate"),
        "keys wrapped anew": _operate("keys", "rewrap"),
        "retention run": _operate("retention", "run"),
        "events in another order": _reorder,
        "clock jumps in a process": _jump,
        "a person is erased": _erase,
        "Slack: 429": _slack("throttle", retry_after=1),
        "Slack: 502, nothing done": _slack("error_before"),
        "Slack: 502, work done": _slack("error_after"),
        "Slack: answer lost, work done": _slack("lose"),
        "Slack: connection reset": _slack("reset"),
        "Slack: events twice at once": _slack_events("duplicate"),
        "Slack: events in another order": _slack_events("reorder"),
        "Slack: events again": _slack_again,
        "Slack: sockets torn": _slack_sockets("cut"),
        "Slack: sockets replaced": _slack_sockets("disconnect"),
    }
)
# These need the skill that does harm, and so do its jobs, which break by themselves once it is there.
HARMFUL: Final[Mapping[str, Callable[[Scene], Undo]]] = MappingProxyType(
    {f"a skill {kind}": _harm(kind) for kind in mischief.COMMANDS}
)
EMBEDDED: Final[Mapping[str, Callable[[Scene], Undo]]] = MappingProxyType({"disk full": _fill_disk})
WITH_SERVICES: Final[Mapping[str, Callable[[Scene], Undo]]] = MappingProxyType(
    {
        "Redis restarted empty": _empty_redis,
        "Redis slow": _slow_redis,
        "PostgreSQL restarted": _restart_postgres,
        "PostgreSQL's connections cut": _cut_postgres,
    }
)


@dataclass(frozen=True, slots=True)
class Planned:
    """One fault of a schedule: when, in seconds from the beginning, and which."""

    at_s: float
    name: str

    def strike(self, scene: Scene) -> Undo:
        """Let it happen."""
        return {**ANYWHERE, **HARMFUL, **WITH_SERVICES, **EMBEDDED}[self.name](scene)

    @property
    def needs_harm(self) -> bool:
        """Whether the skill that does harm has to be installed for it."""
        return self.name in HARMFUL

    def __str__(self) -> str:
        """As it stands in a log of schedules, to be read by `planned`."""
        return f"{self.at_s:.1f} s {self.name}"


def mode_of(seed: int) -> Mode:
    """What a message does that arrives during an answer, on the installation on which this seed is played."""
    dice = random.Random(f"mode {(seed - 1) // TOGETHER}")
    return dice.choices(tuple(_MODES), tuple(_MODES.values()))[0]


def draw(dice: random.Random, *, faults: int, over_s: float, has_services: bool) -> list[Planned]:
    """So many faults over that time, in order."""
    names = sorted({**ANYWHERE, **HARMFUL, **(WITH_SERVICES if has_services else EMBEDDED)})
    return sorted(
        (Planned(dice.uniform(0.2, over_s), dice.choice(names)) for _ in range(faults)), key=lambda one: one.at_s
    )


def planned(told: Iterable[str]) -> tuple[Planned, ...]:
    """The faults of a schedule as they were logged, such as `3.3 s freeze a process past its lease`."""
    parted = [one.split(" s ", maxsplit=1) for one in told]
    return tuple(Planned(float(at_s), name) for at_s, name in parted)
