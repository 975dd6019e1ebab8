"""Tokens a second and time to first token: through the whole path, beside the bare engine in the same process."""

import asyncio
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from parlour.bench.bare import HttpServer, Requests, bare
from parlour.bench.crowd import Ask, Run, let_ask
from parlour.bench.errors import BenchError
from parlour.bench.figures import milliseconds, spread
from parlour.bench.layouts import redis_number
from parlour.bench.pipeline import Progress
from parlour.bench.report import Report
from parlour.bench.through import RecordingHost, Through, worker
from parlour.engines.factory import build
from parlour.from_settings import engine_options
from parlour.settings import Settings, load

TABLE: Final = "Serving"
_RUN_S: Final = 3_600.0
_THROUGH: Final = "through Celery"


@dataclass(frozen=True, slots=True)
class ServingOptions:
    """What to run. `redis` empty: the broker is in process. `server` empty: nothing is asked over HTTP."""

    engine: str
    model: str
    people: Sequence[int]
    questions: int
    max_tokens: int
    rounds: int
    random_weights: bool
    redis: str = ""
    server: str = ""


def told(options: ServingOptions) -> dict[str, Any]:
    """The options as a report shows them: without addresses, which may hold passwords."""
    shown = asdict(options)
    return shown | {"redis": bool(options.redis), "server": bool(options.server)}


def run_serving(options: ServingOptions, report: Report, progress: Progress) -> None:
    """Run all of it, the engine loaded once. Raises `BenchError` and `EngineError` with what is missing."""
    progress.begin(f"loading {options.engine}", 1)
    with _settings(options) as settings:
        engine = build(_engine_options(options, settings))
        host = RecordingHost(engine)
        host.start()
        try:
            with worker(settings, host, threads=max(options.people)) as parts:
                through = Through(parts)
                for people in options.people:
                    _compare(_Level(options, people, host, engine, through), report, progress)
        finally:
            host.close()


@dataclass(frozen=True, slots=True)
class _Level:
    """One number of people."""

    options: ServingOptions
    people: int
    host: RecordingHost
    engine: Any
    through: Through


def _compare(level: _Level, report: Report, progress: Progress) -> None:
    """Whole path and references by turns, so that a machine that slows down or heats up slows them all."""
    questions, rounds = level.options.questions, level.options.rounds
    paths = 3 if level.options.server else 2
    progress.begin(f"{level.people} at once", level.people * questions * (1 + rounds * paths))
    # The first pass through warms everything up and records what the engine is asked; it is not measured.
    _through(level, progress.step)
    requests = _recorded(level)
    runs: dict[str, list[Run]] = {}
    reference = bare(level.engine, requests)
    for number in range(rounds):
        passes: list[tuple[str, Callable[[], Run]]] = [
            (_THROUGH, lambda: _pass_through(level, reference.prepare, progress.step)),
            (reference.name, lambda: _pass_bare(level, reference, progress.step)),
        ]
        if level.options.server:
            passes.append(("server over HTTP", lambda: _pass_server(level, requests, progress.step)))
        for name, run in passes if number % 2 == 0 else reversed(passes):
            runs.setdefault(name, []).append(run())
    for name, measured in runs.items():
        report.add(TABLE, _row(level.people, name, measured, runs[reference.name]))


def _through(level: _Level, step: Callable[[], None]) -> Run:
    async def run() -> Run:
        async with level.through.listening():
            return await let_ask(level.people, level.options.questions, level.through.ask, on_answer=step)

    return asyncio.run(run())


def _pass_through(level: _Level, prepare: Callable[[], Any], step: Callable[[], None]) -> Run:
    level.host.run(prepare(), timeout_s=_RUN_S)
    return _through(level, step)


def _pass_bare(level: _Level, reference: Any, step: Callable[[], None]) -> Run:  # noqa: ANN401 (a `Bare`)
    async def run() -> Run:
        await reference.prepare()
        ask: Ask = reference.ask
        return await let_ask(level.people, level.options.questions, ask, on_answer=step)

    return level.host.run(run(), timeout_s=_RUN_S)


def _pass_server(level: _Level, requests: Requests, step: Callable[[], None]) -> Run:
    async def run() -> Run:
        server = HttpServer(level.options.server, level.options.model, requests)
        await server.prepare()
        try:
            return await let_ask(level.people, level.options.questions, server.ask, on_answer=step)
        finally:
            await server.close()

    return asyncio.run(run())


def _recorded(level: _Level) -> Requests:
    """What the engine was asked for every question."""
    places = [(person, number) for person in range(level.people) for number in range(level.options.questions)]
    return {place: level.host.asked[level.through.turns[place]] for place in places}


def _row(people: int, name: str, runs: Sequence[Run], reference: Sequence[Run]) -> dict[str, Any]:
    first = spread(milliseconds([answer.first_token_s for run in runs for answer in run.answers]))
    if first is None:
        raise BenchError("nothing was answered")
    # Each run beside the reference's run next to it: what slows the machine down slows both.
    ratios = [run.tokens_per_s / other.tokens_per_s for run, other in zip(runs, reference, strict=True)]
    return {
        "people": people,
        "path": name,
        "runs": len(runs),
        "answers": sum(len(run.answers) for run in runs),
        "tokens": sum(run.tokens for run in runs),
        "tokens_per_s": round(statistics.median(run.tokens_per_s for run in runs), 1),
        "ratio_to_bare": round(statistics.median(ratios), 3),
        "first_token_p50_ms": round(first.p50, 1),
        "first_token_p99_ms": round(first.p99, 1),
        "each_run_tokens_per_s": [round(run.tokens_per_s, 1) for run in runs],
    }


def _engine_options(options: ServingOptions, settings: Settings) -> Any:  # noqa: ANN401 (EngineOptions)
    found = engine_options(settings)
    return replace(found, load_format="dummy") if options.random_weights else found


@contextmanager
def _settings(options: ServingOptions) -> Iterator[Settings]:
    """This person's own engine settings over fresh data: temperature 0, so that all paths say the same."""
    with tempfile.TemporaryDirectory(prefix="parlour-bench-") as folder, _broker(options.redis) as broker:
        yield load(
            data_dir=Path(folder) / "data",
            database={"url": ""},
            keys={"url": "", "file": None},
            broker={"url": broker},
            bus={"url": ""},
            access={"policy": "open", "messages_per_minute": 1_000_000},
            engine={
                "kind": options.engine,
                "model": options.model,
                "max_concurrency": max(options.people),
                "max_tokens": options.max_tokens,
                "temperature": 0.0,
            },
        )


@contextmanager
def _broker(redis: str) -> Iterator[str]:
    if not redis:
        yield ""
        return
    with redis_number(redis) as address:
        yield address
