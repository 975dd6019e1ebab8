"""`parlour audit`: who did what, with whom, when and why."""

from dataclasses import asdict
from typing import Annotated

import typer

from parlour.cli.errors import Refused
from parlour.cli.output import JsonFlag, show_json, show_rows
from parlour.cli.reason import NeededReason
from parlour.cli.storage import open_storage
from parlour.people.accounts import find_workspace
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
    """Look through the whole chain; end with 1 and the numbers of what was altered, moved, taken out or put in."""
    with open_storage() as storage:
        verdict = audit.verify(storage.database, storage.privacy)
        if not verdict.findings:
            audit.anchor(storage.database, storage.privacy)
    if as_json:
        show_json(asdict(verdict))
    if verdict.findings:
        named = ", ".join(_said(one) for one in verdict.findings[:20])
        remedy = "Compare it with a backup; after a restore of older content: parlour audit accept"
        raise Refused(f"The audit log is not as it was written: {named}. {remedy}")
    if not as_json:
        typer.echo(f"All {verdict.entries} entries are there, in order and as they were written.")


@app.command(epilog='Example: parlour audit accept --reason "Content of Monday restored, case 17"')
def accept(*, reason: NeededReason) -> None:
    """Go on from the log as it stands, after a restore of older content: the entries since that backup are gone.

    Who accepted that, when, and which entry was the last one known, is written into the log.
    """
    with open_storage() as storage:
        cut = audit.cut_at(storage.database, storage.privacy)
        if cut is None:
            raise Refused("The log goes as far as it should: there is nothing to accept.")
        workspace_id = find_workspace(storage.database, storage.settings.workspace)
        deed = audit.Deed(storage.actor(), "audit.accept", f"entry {cut}", workspace_id, reason)
        audit.accept(storage.database, storage.privacy, deed)
    typer.echo(f"Accepted: what was written up to entry {cut} and is not there any more is not asked for again.")


def _said(found: audit.Finding) -> str:
    if found.seq == found.upto:
        return f"entry {found.seq} is {found.problem}"
    return f"entries {found.seq} to {found.upto} are {found.problem}"
