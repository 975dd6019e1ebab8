"""From a messenger's event to the answer delivered there: how long it takes, and how many a second."""

import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

import uvloop

from parlour.bench.children import PARLOUR, Child
from parlour.bench.fake_telegram import TelegramLine, bot_is_polling, fake_telegram
from parlour.bench.figures import milliseconds, spread
from parlour.bench.layouts import Running, Services, embedded, production, reference
from parlour.bench.report import Report
from parlour.bench.talk import Plan, Talk, Talked
from parlour.bench.usage import cpu_seconds, memory

LayoutName = Literal["embedded", "production", "reference"]
TABLE: Final = "From event to delivered answer"
IDLE_TABLE: Final = "parlour up with the echo engine, idle"
_SETTLE_S: Final = 5.0
_PATIENCE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class PipelineOptions:
    """What to run: every layout with every number of users."""

    layouts: Sequence[LayoutName]
    users: Sequence[int]
    turns: int
    warm_up: int
    rate: float
    workers: int
    seed: int
    services: Services


@dataclass(frozen=True, slots=True)
class Progress:
    """Where the benchmark tells how far it is: what begins with how many answers to come, and each that came."""

    begin: Callable[[str, int], None]
    step: Callable[[], None]


def run_pipeline(options: PipelineOptions, report: Report, progress: Progress) -> None:
    """Run all of it. Raises `BenchError` with what is missing."""
    for users in options.users:
        for layout in options.layouts:
            plan = Plan(
                users=users,
                turns=options.turns,
                warm_up=options.warm_up,
                rate=options.rate,
                seed=options.seed,
                patience_s=_PATIENCE_S,
            )
            progress.begin(f"{layout}, {users} at once", users * (plan.turns + plan.warm_up))
            report.add(TABLE, _measure(layout, options, plan, progress))


def told(options: PipelineOptions) -> dict[str, Any]:
    """The options as a report shows them: without addresses, which may hold passwords."""
    return {name: value for name, value in asdict(options).items() if name != "services"}


def faults(report: Report) -> list[str]:
    """What went wrong with answers, in words: `embedded with 8: lost 2`."""
    return [
        f"{row['layout']} with {row['users']}: {name} {row[name]}"
        for row in report.tables[TABLE]
        for name in ("lost", "doubled", "misordered")
        if row[name]
    ]


def measure_idle(report: Report, progress: Progress) -> None:
    """Start-up time and idle memory of `parlour up`: on an empty data folder, then once more on what it left."""
    with tempfile.TemporaryDirectory(prefix="parlour-bench-") as name:
        folder = Path(name)
        settings = {
            "PARLOUR_DATA_DIR": str(folder / "data"),
            "PARLOUR_ENGINE__KIND": "echo",
            "PARLOUR_WEB__PORT": "0",
        }
        for start in ("first", "second"):
            progress.begin(f"idle, {start} start", 1)
            with Child("up", [*PARLOUR, "up"], folder, settings=settings, ready="is ready") as up:
                time.sleep(_SETTLE_S)
                before, used = time.monotonic(), cpu_seconds([up.pid])
                time.sleep(_SETTLE_S)
                share = (cpu_seconds([up.pid]) - used) / (time.monotonic() - before)
                held = memory([up.pid])
            row = {"start": start, "ready_after_s": up.ready_after_s, **asdict(held), "cpu_percent": share * 100}
            report.add(IDLE_TABLE, _rounded(row))
            progress.step()


def _measure(layout: LayoutName, options: PipelineOptions, plan: Plan, progress: Progress) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="parlour-bench-") as name:
        folder = Path(name)
        with fake_telegram(folder) as url, _start(layout, options, folder, url) as running:
            talked, cpu_s = uvloop.run(_talk(url, plan, running, progress))
            held = memory(running.pids)
        return _row(running, plan, options, talked, cpu_s) | {"pss_mb": round(held.pss_mb, 1)}


def _start(
    layout: LayoutName, options: PipelineOptions, folder: Path, telegram_url: str
) -> AbstractContextManager[Running]:
    match layout:
        case "embedded":
            return embedded(folder, telegram_url)
        case "production":
            return production(folder, telegram_url, options.services, workers=options.workers)
        case "reference":
            return reference(folder, telegram_url)


async def _talk(url: str, plan: Plan, running: Running, progress: Progress) -> tuple[Talked, float]:
    """The talk, and the processor time that the measured processes spent on it."""
    used_before: list[float] = []
    async with TelegramLine(url) as line:
        await bot_is_polling(line)
        talk = Talk(line, plan, on_answer=progress.step)
        talked = await talk.run(before_measuring=lambda: used_before.append(cpu_seconds(running.pids)))
    return talked, cpu_seconds(running.pids) - used_before[0]


def _row(running: Running, plan: Plan, options: PipelineOptions, talked: Talked, cpu_s: float) -> dict[str, Any]:
    received, said = spread(milliseconds(talked.from_hand_out)), spread(milliseconds(talked.from_said))
    return _rounded(
        {
            "layout": running.name,
            "workers": options.workers if running.name == "production" else 1,
            "users": plan.users,
            "turns": talked.asked,
            "rate": plan.rate or None,
            "turns_per_s": talked.turns_per_s,
            "p50_ms": received.p50 if received else None,
            "p99_ms": received.p99 if received else None,
            "said_p50_ms": said.p50 if said else None,
            "said_p99_ms": said.p99 if said else None,
            "cpu_ms_per_turn": cpu_s * 1_000 / talked.asked if talked.asked else None,
            "lost": talked.lost,
            "doubled": talked.doubled,
            "misordered": talked.misordered,
        }
    )


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    return {name: round(value, 2) if isinstance(value, float) else value for name, value in row.items()}
