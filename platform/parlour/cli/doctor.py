"""`parlour doctor`: one line for each thing that must be right, with the remedy where it is not."""

from collections.abc import Iterator
from typing import Annotated

import typer

from parlour.cli import checks
from parlour.cli.checks import Finding, State
from parlour.cli.errors import FAILED
from parlour.cli.output import JsonFlag, printable, show_json
from parlour.settings import Settings, SettingsError, load

app = typer.Typer()

_MARKS = {State.OK: ("✓", "green"), State.NOTE: ("·", "yellow"), State.PROBLEM: ("✗", "red")}


@app.command(epilog="Example: parlour doctor --deep")
def doctor(
    *,
    deep: Annotated[bool, typer.Option("--deep", help="Also load the model and let it answer.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Check settings, database, broker, keys, model and messengers. Changes nothing.

    Exits 1 when something is wrong.
    """
    found = []
    for finding in examine(is_deep=deep):
        found.append(finding)
        if not as_json:
            _print(finding)
    if as_json:
        show_json([finding.as_row() for finding in found])
    if any(finding.state is State.PROBLEM for finding in found):
        raise typer.Exit(FAILED)


def examine(*, is_deep: bool = False) -> Iterator[Finding]:
    """Every finding, as soon as it is known; without valid settings there is nothing else to look at."""
    try:
        settings = load()
    except SettingsError as error:
        yield checks.problem("settings", "are not valid", str(error))
        return
    yield checks.ok("settings", _summary(settings))
    for check in (
        checks.check_data_folder,
        checks.check_database,
        checks.check_keys,
        checks.check_broker,
        checks.check_bus,
        checks.check_turns,
    ):
        yield from check(settings)
    yield from checks.check_engine(settings, is_deep=is_deep)
    yield from checks.check_telegram(settings)
    yield from checks.check_slack(settings)


def _summary(settings: Settings) -> str:
    layout = "everything in one process" if settings.is_embedded else "separate processes"
    return f"{layout}, engine {settings.engine.kind}"


def _print(finding: Finding) -> None:
    mark, colour = _MARKS[finding.state]
    typer.secho(mark, fg=colour, nl=False)
    remedy = f"  → {finding.remedy}" if finding.remedy else ""
    typer.echo(printable(f" {finding.check:12} {finding.detail}{remedy}"))
