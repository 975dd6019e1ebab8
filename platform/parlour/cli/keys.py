"""`parlour keys`: the state of the keys."""

from dataclasses import asdict

import typer

from parlour.cli.output import JsonFlag, show_json, show_rows
from parlour.cli.storage import open_storage
from parlour.privacy.status import keys_status
from parlour.store.connect import place_of

app = typer.Typer(no_args_is_help=True, help="See the keys' state.")


@app.callback()
def keys() -> None:
    """See the keys' state."""


@app.command("status", epilog="Example: parlour keys status --json")
def status(*, as_json: JsonFlag = False) -> None:
    """Show where the keys are, how many there are, and that they open."""
    with open_storage() as storage:
        found = keys_status(storage.privacy)
    facts = {
        "provider": storage.settings.keys.provider,
        "key file": str(storage.settings.key_file),
        "key store": place_of(storage.settings.keys_url),
        "wraps with": found.current_kek,
        "data keys": found.data_keys,
        "shredded": found.shredded,
        "tombstones": found.tombstones,
    }
    if as_json:
        show_json(
            {**{name.replace(" ", "_"): value for name, value in facts.items()}, "by_kek": asdict(found)["by_kek"]}
        )
    else:
        show_rows([{"": name, "value": value} for name, value in facts.items()], as_json=False)
