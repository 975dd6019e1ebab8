"""What commands print: tables for people, JSON for programs."""

import json
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

# The `--json` flag that every listing command has: `def list_turns(*, as_json: JsonFlag = False)`.
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def show_rows(rows: Sequence[Mapping[str, Any]], *, as_json: bool, empty: str = "Nothing to show.") -> None:
    """Print rows of the same keys as a table whose heads are the keys, or as a JSON list."""
    if as_json:
        show_json(list(rows))
    elif not rows:
        typer.echo(empty)
    else:
        _console().print(_table(rows))


def show_json(value: Any) -> None:  # noqa: ANN401 (whatever JSON takes, and what `str` makes readable)
    """Print a value as JSON; times in ISO 8601, ids as text. ASCII only, so that no terminal or pipe trips over it."""
    typer.echo(json.dumps(value, default=_plain, indent=2))


def warn(message: str) -> None:
    """Print one line on stderr."""
    typer.echo(printable(message), err=True)


def printable(text: str) -> str:
    """`text` without what could move a terminal's cursor, change its colours or turn its writing direction."""
    return "".join(_seen(character) for character in text)


def _seen(character: str) -> str:
    if character in "\n\t":
        return character
    category = unicodedata.category(character)
    return f"\\u{ord(character):04x}" if category in {"Cc", "Cf", "Cs"} else character


def _table(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in rows[0]:
        table.add_column(head)
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    return table


def _cell(value: Any) -> Text:  # noqa: ANN401 (any value of a row)
    return Text("" if value is None else printable(str(_plain(value))))


def _plain(value: Any) -> Any:  # noqa: ANN401 (any value of a row)
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, bool | int | float):
        return value
    return str(value)


def _console() -> Console:
    """A console on stdout; into a pipe it writes lines of any length, so that nothing is cut."""
    return Console(soft_wrap=not sys.stdout.isatty(), highlight=False, width=None if sys.stdout.isatty() else 10_000)
