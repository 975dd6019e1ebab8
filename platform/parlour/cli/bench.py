"""`parlour bench`: measure Parlour beside its references."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, cast

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from parlour import logs
from parlour.bench import personalisation as personal
from parlour.bench import pipeline as pipelines
from parlour.bench import privacy as privacies
from parlour.bench import serving as servings
from parlour.bench import sizes as size
from parlour.bench.layouts import Services
from parlour.bench.personas import PERSONAS
from parlour.bench.report import Report
from parlour.bench.skills.data import data_in
from parlour.bench.skills.registry import PARTS
from parlour.bench.skills.suite import run_skills
from parlour.cli.errors import Refused

app = typer.Typer(no_args_is_help=True, help="Measure Parlour beside its references.")

JsonFile = Annotated[Path | None, typer.Option("--json-file", help="Write the figures there as JSON.")]
Seed = Annotated[int, typer.Option(help="Of everything that is drawn by chance.")]


@app.callback()
def bench() -> None:
    """Measure Parlour beside its references."""
    # Ended from outside, it still ends its processes and removes what it made.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


@app.command(epilog="Example: parlour bench pipeline --users 1 --users 8 --memory --json-file figures.json")
def pipeline(  # noqa: PLR0913 (the options of a command)
    *,
    layout: Annotated[
        list[str] | None, typer.Option(help="`embedded` (default) or `production`; twice for both.")
    ] = None,
    users: Annotated[
        list[int] | None, typer.Option(min=1, help="People talking at once, several times for several; 1, 8 and 32.")
    ] = None,
    turns: Annotated[int, typer.Option(min=1, help="Measured messages of each person.")] = 100,
    warm_up: Annotated[int, typer.Option(min=0, help="Messages of each person before measuring.")] = 5,
    rate: Annotated[float, typer.Option(min=0, help="Messages a second of all; 0: each waits for the answer.")] = 0.0,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes of the production layout.")] = 1,
    reference: Annotated[bool, typer.Option(help="Measure a bare python-telegram-bot echo beside it.")] = True,
    memory: Annotated[bool, typer.Option("--memory", help="Also start-up time and idle memory of parlour up.")] = False,
    postgres: Annotated[
        str, typer.Option(envvar="PARLOUR_BENCH_POSTGRES", help="Server where databases may be made.")
    ] = "postgresql://postgres@127.0.0.1:5432/postgres",
    redis: Annotated[
        str, typer.Option(envvar="PARLOUR_BENCH_REDIS", help="Server with an empty database.")
    ] = "redis://127.0.0.1:6379",
    seed: Seed = 0,
    json_file: JsonFile = None,
) -> None:
    """From a Telegram message to the answer delivered there, through the echo engine: time and turns per second.

    Real processes against a fake Telegram on this machine. `p50` and `p99` begin when the bot is handed the message,
    `said` when the person sends it. Ends with 1 when an answer is lost, comes twice or in the wrong order.
    """
    layouts = [*_layouts(layout or ["embedded"]), *(["reference"] if reference else [])]
    options = pipelines.PipelineOptions(
        layouts=cast("list[pipelines.LayoutName]", layouts),
        users=users or [1, 8, 32],
        turns=turns,
        warm_up=warm_up,
        rate=rate,
        workers=workers,
        seed=seed,
        services=Services(postgres, redis),
    )
    report = Report("pipeline", pipelines.told(options))
    with _progress() as progress:
        if memory:
            pipelines.measure_idle(report, progress)
        pipelines.run_pipeline(options, report, progress)
    _tell(report, json_file)
    faults = pipelines.faults(report)
    if faults:
        raise Refused(f"Answers went wrong ({', '.join(faults)}): these figures are worth nothing.")


@app.command(epilog="Example: parlour bench serving --engine llamacpp --people 1 --people 8 --json-file figures.json")
def serving(  # noqa: PLR0913 (the options of a command)
    *,
    engine: Annotated[str, typer.Option(help="`vllm`, `llamacpp`, `openai` or `echo`.")] = "vllm",
    model: Annotated[str, typer.Option(help="As engine.model in the settings.")] = "smollm2-135m-instruct",
    people: Annotated[
        list[int] | None, typer.Option(min=1, help="People at once, several times for several; 1, 8, 32 and 64.")
    ] = None,
    questions: Annotated[int, typer.Option(min=1, help="Questions of each person in a run.")] = 2,
    max_tokens: Annotated[int, typer.Option(min=1, help="Longest answer.")] = 64,
    rounds: Annotated[int, typer.Option(min=1, help="Measured runs of each path, by turns.")] = 3,
    random_weights: Annotated[
        bool,
        typer.Option("--random-weights", help="vLLM makes up the weights: only the model's configuration is needed."),
    ] = False,
    redis: Annotated[str, typer.Option(help="Redis to be the broker; empty: in process.")] = "",
    server: Annotated[str, typer.Option(help="Also ask an OpenAI-compatible server there (`http://…/v1`).")] = "",
    json_file: JsonFile = None,
) -> None:
    """Tokens a second and time to first token, through intake, SQL and Celery, beside the bare engine.

    Both use one engine in one process, are asked the same prompts and take turns. `ratio to bare` is the median over
    the rounds. Other engine settings come from parlour.toml and the environment as always.
    """
    options = servings.ServingOptions(
        engine=engine,
        model=model,
        people=people or [1, 8, 32, 64],
        questions=questions,
        max_tokens=max_tokens,
        rounds=rounds,
        random_weights=random_weights,
        redis=redis,
        server=server,
    )
    logs.set_up(level="warning")
    report = Report("serving", servings.told(options))
    with _progress() as progress:
        servings.run_serving(options, report, progress)
    _tell(report, json_file)


@app.command(epilog="Example: parlour bench skills --part router --data ../shared/data --json-file figures.json")
def skills(
    *,
    part: Annotated[
        list[str] | None, typer.Option(help=f"What to measure, several times for several; all: {', '.join(PARTS)}.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(envvar="PARLOUR_BENCH_DATA", help="Folder of data sets; ../shared/data beside a checkout."),
    ] = None,
    seed: Seed = 0,
    json_file: JsonFile = None,
) -> None:
    """How good skills and the choice between them are, beside reference methods measured in the same run."""
    wanted = part or list(PARTS)
    wrong = sorted(set(wanted) - set(PARTS))
    if wrong:
        raise typer.BadParameter(f"no part {', '.join(wrong)}; there are {', '.join(PARTS)}", param_hint="--part")
    found = data_in(data)
    report = Report("skills", {"parts": wanted, "seed": seed})
    with _progress() as progress:
        run_skills(wanted, found, seed=seed, report=report, progress=progress)
    _tell(report, json_file)


@app.command(epilog="Example: parlour bench personalisation --engine llamacpp --json-file figures.json")
def personalisation(
    *,
    engine: Annotated[str, typer.Option(help="`llamacpp`, `vllm` or `openai`.")] = "llamacpp",
    model: Annotated[str, typer.Option(help="As engine.model in the settings.")] = "smollm2-135m-instruct",
    max_tokens: Annotated[int, typer.Option(min=1, help="Longest answer.")] = 96,
    people: Annotated[int, typer.Option(min=1, max=len(PERSONAS), help="How many of the personas.")] = 5,
    learning: Annotated[bool, typer.Option(help="Also try to learn from what they say.")] = True,
    json_file: JsonFile = None,
) -> None:
    """Whether remembering people helps: scripted people ask the same with and without their profile.

    Every answer is scored by rules (`parlour/bench/personas.py`): language, form of address, length, format, stated
    facts recalled, stated dislikes avoided; beside the plain model, which gets the question alone. Then what is learned
    from what they say, and how often sensitive matters are held back.
    """
    options = personal.PersonalisationOptions(engine, model, max_tokens, people, learning)
    logs.set_up(level="warning")
    report = Report("personalisation", asdict(options))
    with _progress() as progress:
        personal.run_personalisation(options, report, progress)
    _tell(report, json_file)


@app.command(epilog="Example: parlour bench privacy --table 100000 --json-file figures.json")
def privacy(
    *,
    turns: Annotated[int, typer.Option(min=1, help="Turns to seal and open.")] = 2_000,
    keys: Annotated[int, typer.Option(min=1, help="Keys to wrap anew.")] = 100_000,
    messages: Annotated[int, typer.Option(min=1, help="Messages of the person who is erased.")] = 10_000,
    table: Annotated[
        list[int] | None, typer.Option(min=10, help="Rows of the table to purge some of, several times for several.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Purges of each table, after one that does not count.")] = 5,
    seconds: Annotated[
        float, typer.Option(min=1, help="About how long turns are answered beside purges, and again alone.")
    ] = 30.0,
    postgres: Annotated[
        str, typer.Option(envvar="PARLOUR_BENCH_POSTGRES", help="Server where databases may be made.")
    ] = "postgresql://postgres@127.0.0.1:5432/postgres",
    json_file: JsonFile = None,
) -> None:
    """What sealing costs a turn; how fast keys are wrapped anew, a person is erased, and expired rows go."""
    tables = tuple(table or [100_000, 1_000_000])
    options = privacies.PrivacyOptions(turns, keys, messages, tables, rounds, seconds, postgres)
    logs.set_up(level="warning")
    report = Report("privacy", privacies.told(options))
    with _progress() as progress:
        privacies.run_privacy(options, report, progress)
    _tell(report, json_file)


@app.command(epilog="Example: parlour bench sizes --users 1000 --users 1000000 --json-file figures.json")
def sizes(
    *,
    users: Annotated[
        list[int] | None, typer.Option(min=1, help="People there, several times for several; 1,000 and 1,000,000.")
    ] = None,
    messages: Annotated[int, typer.Option(min=1, help="Messages that each of them has said.")] = 10,
    turns: Annotated[int, typer.Option(min=40, help="Measured turns of each size.")] = 800,
    postgres: Annotated[
        str, typer.Option(envvar="PARLOUR_BENCH_POSTGRES", help="Server where databases may be made, as superuser.")
    ] = "postgresql://postgres@127.0.0.1:5432/postgres",
    json_file: JsonFile = None,
) -> None:
    """How long a turn takes by how much is stored: from the event that comes in to the answer that is committed.

    The rows are copies of one person's, made by the server. The sizes are filled first and measured by turns.
    """
    options = size.SizesOptions(tuple(users or [1_000, 1_000_000]), messages, turns, postgres)
    logs.set_up(level="warning")
    report = Report("sizes", {name: value for name, value in asdict(options).items() if name != "postgres"})
    with _progress() as progress:
        size.run_sizes(options, report, progress)
    _tell(report, json_file)


def _layouts(wanted: list[str]) -> list[str]:
    wrong = sorted(set(wanted) - {"embedded", "production"})
    if wrong:
        raise typer.BadParameter(f"no layout {', '.join(wrong)}", param_hint="--layout")
    return wanted


@contextmanager
def _progress() -> Iterator[pipelines.Progress]:
    """A bar on a terminal, nothing elsewhere."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("starting", total=None)
        yield pipelines.Progress(
            begin=lambda what, total: bar.reset(task, description=what, total=total),
            step=lambda: bar.advance(task),
        )


def _tell(report: Report, json_file: Path | None) -> None:
    console = Console()
    report.show(console if console.is_terminal else Console(width=200, soft_wrap=True))
    if json_file is not None:
        report.write(json_file)
        typer.echo(f"Written to {json_file}")
