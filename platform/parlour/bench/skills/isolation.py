"""What it costs that each skill runs in a process of its own: time added to a turn, memory when idle, starting many."""

import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from parlour.bench.errors import BenchError
from parlour.bench.figures import milliseconds, spread
from parlour.bench.report import Row
from parlour.bench.skills.data import Data
from parlour.bench.usage import memory
from parlour.sdk import calling
from parlour.sdk.capabilities import Turn
from parlour.sdk.errors import NotGranted
from parlour.sdk.handlers import read
from parlour.skills.authoring import check, new_skill
from parlour.skills.process import Launch, SkillProcess, Work
from parlour.skills.runtime import runtime

_TURNS: Final = 500
_WARM_UP: Final = 50
_SKILLS: Final = 20
_TURN: Final = Turn(id="turn", text="Hello", user="ann", conversation="chat")
_SOURCE: Final = '''
"""A skill that does nothing."""

from parlour.sdk import Skill, Turn

skill = Skill("idle", "Does nothing")


@skill.answers("Hello")
async def answer(turn: Turn) -> str:
    """The same again."""
    return turn.text
'''


class _NoDesk:
    """Grants nothing."""

    def call(self, capability: str, method: str, arguments: Mapping[str, Any]) -> object:
        """Nothing."""
        raise NotGranted(f"{capability}.{method}")

    def close(self) -> None:
        """Nothing of it is open."""


def run(data: Data, seed: int) -> Mapping[str, Sequence[Row]]:
    """The figures, each beside the same thing without isolation. Needs no data; nothing is drawn by chance."""
    del data, seed
    with tempfile.TemporaryDirectory(prefix="parlour-bench-") as folder:
        launch = _launch(Path(folder))
        with _started(launch, 1) as ([process], _):
            apart = milliseconds([_isolated(process) for _ in range(_TURNS + _WARM_UP)][_WARM_UP:])
        within = milliseconds(asyncio.run(_inline()))
        with _started(launch, _SKILLS) as (processes, seconds):
            idle = [memory([one.pid]) for one in processes]
    one, other = spread(apart), spread(within)
    if one is None or other is None or not all(used.pss_mb for used in idle):
        raise BenchError("The memory of a confined process can be read by root alone. Run this as root.")
    turns: list[Row] = [
        {"handler": "in a process of its own", "turns": one.count, "p50_ms": one.p50, "p99_ms": one.p99},
        {
            "handler": "reference: called in this process",
            "turns": other.count,
            "p50_ms": other.p50,
            "p99_ms": other.p99,
        },
        {"handler": "added", "turns": one.count, "p50_ms": one.p50 - other.p50, "p99_ms": one.p99 - other.p99},
    ]
    many: Row = {
        "skills": _SKILLS,
        "started_one_after_another_s": seconds,
        "pss_mb_each": sum(used.pss_mb for used in idle) / _SKILLS,
        "rss_mb_each": sum(used.rss_mb for used in idle) / _SKILLS,
    }
    return {"Isolation: a turn that does nothing": turns, "Isolation: idle processes": [many]}


def _launch(folder: Path) -> Launch:
    new_skill(folder, "idle")
    source = folder / "idle" / "src"
    (source / "parlour_idle" / "__init__.py").write_text(_SOURCE.lstrip(), encoding="utf-8")
    found = check(folder / "idle", is_freezing=True)
    if found.manifest is None:
        raise BenchError("; ".join(found.problems))
    place = runtime(folder / "runtime")
    return Launch(manifest=found.manifest, python=Path(sys.executable), runtime=place, paths=(source,))


@contextmanager
def _started(launch: Launch, number: int) -> Iterator[tuple[list[SkillProcess], float]]:
    """So many processes, and the seconds it took to start them."""
    with ExitStack() as stack:
        began = time.perf_counter()
        processes = []
        for _ in range(number):
            process = SkillProcess(launch)
            stack.callback(process.end, "the benchmark is over")
            processes.append(process)
        yield processes, time.perf_counter() - began


def _isolated(process: SkillProcess) -> float:
    """The seconds that one turn takes, from the call to its last reply."""
    turn = {name: getattr(_TURN, name) for name in Turn.__slots__}
    began = time.perf_counter()
    with process.begin(Work("answers:answer", turn), _NoDesk(), timeout_s=30) as run:
        for _ in run:
            pass
    return time.perf_counter() - began


async def _inline() -> list[float]:
    """The seconds of the same handler without a process of its own."""

    async def answer(turn: Turn) -> str:
        return turn.text

    handler = read("answers", "answer", answer, None, examples=("Hello",))
    took = []
    for _ in range(_TURNS):
        began = time.perf_counter()
        async for _ in calling.replies(handler, lambda _: _TURN):
            pass
        took.append(time.perf_counter() - began)
    return took
