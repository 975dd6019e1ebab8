"""What breaks when: drawn from a seed, so that a run that went wrong can be played again."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from tests.chaos.house import LEASE_S, House, Services
from tests.fakes.telegram import FakeTelegram


@dataclass(frozen=True, slots=True)
class Scene:
    """What a fault can reach."""

    house: House
    telegram: FakeTelegram
    services: Services | None
    """None in the embedded layout."""
    dice: random.Random
    chats: range


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
    getattr(scene.services, name).start()


def _throttle_chat(scene: Scene) -> Undo:
    chat = str(scene.dice.choice(scene.chats))
    scene.telegram.fault("throttle", chat=chat, retry_after=scene.dice.randint(1, 3), times=scene.dice.randint(1, 3))
    return None


def _throttle_all(scene: Scene) -> Undo:
    scene.telegram.fault("throttle", method="sendMessage", retry_after=1, times=scene.dice.randint(1, 6))
    return None


def _messenger(kind: str, **more: object) -> Callable[[Scene], Undo]:
    def fault(scene: Scene) -> Undo:
        method = scene.dice.choice(["sendMessage", "sendMessage", "editMessageText", "getUpdates", None])
        scene.telegram.do("fault", kind=kind, method=method, times=scene.dice.randint(1, 4), **more)
        return None

    return fault


def _redeliver(scene: Scene) -> Undo:
    scene.telegram.do("redeliver")
    return None


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
    }
)
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
        return {**ANYWHERE, **WITH_SERVICES}[self.name](scene)


def draw(dice: random.Random, *, faults: int, over_s: float, has_services: bool) -> list[Planned]:
    """So many faults over that time, in order."""
    names = sorted({**ANYWHERE, **WITH_SERVICES}) if has_services else sorted(ANYWHERE)
    return sorted(
        (Planned(dice.uniform(0.2, over_s), dice.choice(names)) for _ in range(faults)), key=lambda one: one.at_s
    )
