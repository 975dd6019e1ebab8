"""`parlour keys`: the state of the keys, and a new key to wrap them."""

from dataclasses import asdict
from typing import Annotated

import typer

from parlour.cli.output import JsonFlag, show_json, show_rows
from parlour.cli.progress import rows_bar
from parlour.cli.reason import Reason
from parlour.cli.storage import Storage, open_storage
from parlour.people.accounts import find_workspace
from parlour.privacy.key_changes import Order, retire_keys, rotate_keys, wrap_anew
from parlour.privacy.rotation import waiting
from parlour.privacy.status import keys_status
from parlour.store.connect import place_of

app = typer.Typer(no_args_is_help=True, help="See the keys' state, replace the key that wraps them.")


@app.callback()
def keys() -> None:
    """See the keys' state, replace the key that wraps them."""


@app.command("status", epilog="Example: parlour keys status --json")
def status(*, as_json: JsonFlag = False) -> None:
    """Show where the keys are, how many there are, and that they open."""
    with open_storage() as storage:
        found = keys_status(storage.privacy)
        behind = waiting(storage.privacy.key_store, storage.privacy.provider)
    facts = {
        "provider": storage.settings.keys.provider,
        "key file": str(storage.settings.key_file) if storage.settings.keys.provider == "file" else "none",
        "key store": place_of(storage.settings.keys_url),
        "wraps with": found.current_kek,
        "data keys": found.data_keys,
        "wrapped by an older key": behind,
        "shredded": found.shredded,
        "tombstones": found.tombstones,
    }
    if as_json:
        show_json(
            {**{name.replace(" ", "_"): value for name, value in facts.items()}, "by_kek": asdict(found)["by_kek"]}
        )
    else:
        show_rows([{"": name, "value": value} for name, value in facts.items()], as_json=False)


@app.command("rotate", epilog="Example: parlour keys rotate && parlour keys rewrap --retire")
def rotate(*, reason: Reason = None) -> None:
    """Make a new key-encryption key. It wraps from now on; `rewrap` brings the keys there are under it."""
    with open_storage() as storage:
        kek_id = rotate_keys(storage.database, storage.privacy, _order(storage, reason))
        behind = waiting(storage.privacy.key_store, storage.privacy.provider)
    typer.echo(f"{kek_id} wraps from now on. {behind} keys are under older ones. Go on with: parlour keys rewrap")


@app.command("rewrap", epilog="Example: parlour keys rewrap --retire")
def rewrap_(
    *,
    retire: Annotated[
        bool, typer.Option("--retire", help="Then destroy the older keys, once nothing is under them.")
    ] = False,
    reason: Reason = None,
) -> None:
    """Wrap under the newest key what older ones wrap, while everything runs. Broken off, it goes on when run again."""
    with open_storage() as storage:
        store, provider = storage.privacy.key_store, storage.privacy.provider
        with rows_bar("wrapping keys anew", total=waiting(store, provider)) as step:
            done = wrap_anew(storage.database, storage.privacy, _order(storage, reason), step=step)
        typer.echo(f"{done} keys are wrapped anew.")
        if retire:
            gone = retire_keys(storage.database, storage.privacy, _order(storage, reason))
            typer.echo(f"Destroyed: {', '.join(gone) or 'none'}.")


def _order(storage: Storage, reason: str | None) -> Order:
    its = find_workspace(storage.database, storage.settings.workspace) if reason else None
    return Order(storage.actor(), reason, its)
