"""`parlour receipt`: proofs that someone was erased."""

from pathlib import Path
from typing import Annotated, Final

import typer

from parlour.cli.errors import Refused
from parlour.cli.output import JsonFlag, show_json, show_rows
from parlour.cli.storage import open_storage
from parlour.privacy.receipts import find_receipt, list_receipts, verify_receipt

app = typer.Typer(no_args_is_help=True, help="Receipts of erasures: print, list, verify.")

# A receipt is a few hundred bytes, and more for somebody who was linked from several messengers.
_LARGEST_BYTES: Final = 1_000_000


@app.command(epilog="Example: parlour receipt verify receipt.json --key BASE64")
def verify(
    file: Annotated[Path, typer.Argument(help="The receipt as it was handed out.")],
    *,
    key: Annotated[
        str | None, typer.Option(help="The installation's public key, as `parlour receipt key` shows it there.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Say whether a receipt is whole, and with --key whether that installation signed it. Needs no database."""
    try:
        with file.open("rb") as opened:
            content = opened.read(_LARGEST_BYTES + 1)
    except OSError as error:
        raise Refused(f"{file} cannot be read ({error.strerror}).") from None
    if len(content) > _LARGEST_BYTES:
        raise Refused(f"{file} is larger than a receipt can be ({_LARGEST_BYTES:,} bytes). Name the receipt's file.")
    facts = verify_receipt(content, public_key=key)
    if as_json:
        show_json(facts)
        return
    typer.echo(f"Genuine: {', '.join(facts['subjects'])} erased, finished {facts['finished_at']}.")
    if key is None:
        typer.echo(f"Signed by {facts['signed_by']}. Compare it with what that installation says: parlour receipt key")


@app.command("print", epilog="Example: parlour receipt print 0197… > receipt.json")
def print_(
    which: Annotated[str, typer.Argument(metavar="ID", help="The receipt's number, or the person's id.")],
) -> None:
    """Print a receipt, to be handed out."""
    with open_storage() as storage:
        typer.echo(find_receipt(storage.database, which), nl=False)


@app.command("list", epilog="Example: parlour receipt list --json")
def list_(
    *,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 100,
    as_json: JsonFlag = False,
) -> None:
    """List erasures, newest first."""
    with open_storage() as storage:
        found = list_receipts(storage.database, limit=limit)
    rows = [
        {
            "receipt": one.receipt_id,
            "person": one.subject_id,
            "by": one.actor,
            "asked": one.requested_at,
            "finished": one.finished_at,
        }
        for one in found
    ]
    show_rows(rows, as_json=as_json, empty="Nobody was erased yet.")


@app.command(epilog="Example: parlour receipt key")
def key() -> None:
    """Print the public key that this installation's receipts are checked with."""
    with open_storage() as storage:
        typer.echo(storage.privacy.signer.public_key)
