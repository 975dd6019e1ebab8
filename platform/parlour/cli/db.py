"""`parlour db`: the schemas of the content database and the key store."""

from typing import Annotated

import typer

from parlour.cli.errors import Refused
from parlour.cli.output import JsonFlag, show_rows
from parlour.settings import Settings, load
from parlour.store import schema
from parlour.store.connect import place_of
from parlour.store.schema import Schema

app = typer.Typer(no_args_is_help=True, help="Bring the databases' schemas up or down.")


@app.command("upgrade", epilog="Example: parlour db upgrade")
def upgrade(
    revision: Annotated[str, typer.Argument(help="How far up; needs --only unless it is `head`.")] = "head",
    *,
    only: Annotated[Schema | None, typer.Option(help="Only this database.")] = None,
) -> None:
    """Bring both databases up to what this version expects."""
    if revision != "head" and only is None:
        raise Refused("Each database has revisions of its own. Name one: --only content or --only keys.")
    settings = load()
    for which in _chosen(only):
        schema.upgrade(url_of(settings, which), which, revision)
        typer.echo(f"{which}: at {schema.current(url_of(settings, which), which)}")


@app.command("downgrade", epilog="Example: parlour db downgrade base --only content --yes")
def downgrade(
    revision: Annotated[str, typer.Argument(help="How far down; `base` drops every table and what is in it.")],
    *,
    only: Annotated[Schema, typer.Option(help="Which database.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Bring one database down, dropping what newer revisions added."""
    url = url_of(load(), only)
    if not yes:
        typer.confirm(f"Drop from {place_of(url)} what came after {revision}?", abort=True)
    schema.downgrade(url, revision, only)
    typer.echo(f"{only}: at {schema.current(url, only) or 'base'}")


@app.command("current", epilog="Example: parlour db current --json")
def current(*, as_json: JsonFlag = False) -> None:
    """Show each database's revision, and the one that this version expects."""
    settings = load()
    rows = [
        {
            "database": which,
            "revision": schema.current(url_of(settings, which), which),
            "expected": schema.head(which),
            "place": place_of(url_of(settings, which)),
        }
        for which in Schema
    ]
    show_rows(rows, as_json=as_json)


def _chosen(only: Schema | None) -> list[Schema]:
    return [only] if only else list(Schema)


def url_of(settings: Settings, which: Schema) -> str:
    """Where that database is."""
    return settings.keys_url if which is Schema.KEYS else settings.database_url
