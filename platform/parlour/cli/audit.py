"""`parlour audit`: who did what, with whom, when and why."""

from dataclasses import asdict
from typing import Annotated

import typer

from parlour.cli.errors import Refused
from parlour.cli.output import JsonFlag, show_json, show_rows
from parlour.cli.storage import open_storage
from parlour.privacy import audit

app = typer.Typer(no_args_is_help=True, help="Who did what: read it, prove it whole.")


@app.command(epilog="Example: parlour audit tail --limit 20")
def tail(
    *,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 50,
    before: Annotated[int | None, typer.Option(metavar="NUMBER", help="Only entries below this number.")] = None,
    subject: Annotated[str | None, typer.Option(metavar="ID", help="Only about this one.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show the newest entries, newest first."""
    with open_storage() as storage:
        found = audit.tail(storage.database, storage.privacy, limit=limit, before=before, subject=subject)
    is_all = before is None and subject is None
    empty = "Nothing was done yet." if is_all else "No such entry. See all with: parlour audit tail"
    show_rows([asdict(one) for one in found], as_json=as_json, empty=empty)


@app.command(epilog="Example: parlour audit verify")
def verify(*, as_json: JsonFlag = False) -> None:
    """Look through the whole chain; end with 1 and the entries' numbers where one was altered, moved or taken out."""
    with open_storage() as storage:
        verdict = audit.verify(storage.database, storage.privacy)
        if not verdict.findings:
            audit.anchor(storage.database, storage.privacy)
    if as_json:
        show_json(asdict(verdict))
    if verdict.findings:
        named = ", ".join(f"entry {one.seq} is {one.problem}" for one in verdict.findings[:20])
        raise Refused(f"The audit log is not as it was written: {named}. Compare it with a backup.")
    if not as_json:
        typer.echo(f"All {verdict.entries} entries are there, in order and as they were written.")
