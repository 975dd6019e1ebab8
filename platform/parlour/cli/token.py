"""`parlour token`: what programs show to use the HTTP API."""

from typing import Annotated, Any
from uuid import UUID

import typer

from parlour.admin.api import tokens
from parlour.admin.api.tokens import MOST_DAYS, USUAL_DAYS, Maker, TokenView
from parlour.admin.rights import Right
from parlour.cli.output import JsonFlag, show_json, show_rows
from parlour.cli.storage import Storage, open_storage
from parlour.people.accounts import find_workspace
from parlour.people.states import Role

app = typer.Typer(no_args_is_help=True, help="Make, list and revoke what programs show to use the API.")

WorkspaceName = Annotated[str | None, typer.Option("--workspace", help="Of this workspace; else that of the settings.")]


@app.command("create", epilog="Example: parlour token create dashboard --role auditor --days 30")
def create(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    *,
    role: Annotated[Role, typer.Option(help="What it may do: auditor looks, admin changes, owner does all.")],
    scope: Annotated[
        list[Right] | None, typer.Option(help="Only this right of the role; may be given several times.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=MOST_DAYS, help="How long it lasts.")] = USUAL_DAYS,
    workspace: WorkspaceName = None,
    as_json: JsonFlag = False,
) -> None:
    """Make a token and print it. It is shown this once: only a hash of it is kept."""
    with open_storage() as storage:
        view, token = tokens.create_token(
            storage.database,
            storage.privacy,
            _maker(storage, workspace),
            name=name,
            role=role,
            scopes=scope or None,
            days=days,
        )
    if as_json:
        show_json({**_row(view), "token": token})
    else:
        typer.echo(token)
        typer.echo(f"Good until {view.expires_at:%Y-%m-%d}. End it with: parlour token revoke {view.id}", err=True)


@app.command("list", epilog="Example: parlour token list --json")
def list_(
    *,
    workspace: WorkspaceName = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 100,
    as_json: JsonFlag = False,
) -> None:
    """List tokens, those revoked too. What they are shown by is told nowhere."""
    with open_storage() as storage:
        workspace_id = _maker(storage, workspace).workspace_id
        found = tokens.list_tokens(storage.database, storage.privacy, workspace_id, limit=limit)
    rows = [_row(one) for one in found]
    show_rows(rows, as_json=as_json, empty="No token yet. Make one with: parlour token create NAME --role auditor")


@app.command("revoke", epilog="Example: parlour token revoke 01a205dc-284c-76f5-b6ea-c4fcc0328c41")
def revoke(
    token: Annotated[str, typer.Argument(metavar="ID", help="The token's id, from: parlour token list")],
    *,
    workspace: WorkspaceName = None,
) -> None:
    """End a token: it opens nothing any more."""
    try:
        token_id = UUID(token)
    except ValueError:
        # What was typed may be the token itself: it is not repeated.
        raise typer.BadParameter("That is no token's id. Take it from: parlour token list") from None
    with open_storage() as storage:
        tokens.revoke_token(storage.database, storage.privacy, _maker(storage, workspace), token_id)
    typer.echo(f"Token {token_id} is revoked.")


def _maker(storage: Storage, name: str | None) -> Maker:
    workspace_id = find_workspace(storage.database, name or storage.settings.workspace)
    return Maker.at_command_line(workspace_id, storage.actor())


def _row(view: TokenView) -> dict[str, Any]:
    return {
        "id": view.id,
        "name": view.name,
        "role": view.role,
        "may": ", ".join(sorted(view.rights)),
        "made by": view.made_by,
        "until": view.expires_at,
        "revoked": view.revoked_at,
        "last used": view.last_used_at,
    }
