"""`parlour operator`: who may sign in to the admin pages."""

from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from parlour.admin.signin.links import Link, first_link
from parlour.admin.signin.logins import Logins
from parlour.admin.signin.operators import Operators
from parlour.cli.errors import Refused
from parlour.cli.output import JsonFlag, show_rows
from parlour.cli.storage import Storage, open_storage
from parlour.people.accounts import AccountBook, find_workspace
from parlour.people.states import Role

app = typer.Typer(no_args_is_help=True, help="See, invite, help and remove those who sign in to the admin pages.")

WorkspaceName = Annotated[str | None, typer.Option("--workspace", help="Of this workspace; else that of the settings.")]
Url = Annotated[str, typer.Option(help="Where people reach the gateway; else as it listens.")]
Name = Annotated[str, typer.Argument(help="The name that they sign in by, from: parlour operator list")]


@app.command("list", epilog="Example: parlour operator list --json")
def list_(*, workspace: WorkspaceName = None, as_json: JsonFlag = False) -> None:
    """List operators, those included who have set no password yet."""
    with open_storage() as storage:
        found = Logins(storage.database, storage.privacy).list(_operators(storage, workspace).workspace_id)
    rows: list[dict[str, Any]] = [
        {
            "name": one.name,
            "role": one.role,
            "password": one.has_password,
            "codes": one.has_totp,
            "identity provider": one.has_identity,
            "person": one.user_id,
            "since": one.created_at,
        }
        for one in found
    ]
    show_rows(rows, as_json=as_json, empty="No operator yet. Make a link for one: parlour operator invite --first")


@app.command(epilog="Example: parlour operator invite --first --url https://chat.example.com")
def invite(
    name: Annotated[str | None, typer.Argument(help="The name that they will sign in by.")] = None,
    *,
    first: Annotated[bool, typer.Option("--first", help="The first owner, who chooses name and password.")] = False,
    role: Annotated[Role, typer.Option(help="What they may do: auditor looks, admin changes, owner does all.")] = (
        Role.ADMIN
    ),
    email: Annotated[str, typer.Option(help="Their address at the identity provider, where one is set up.")] = "",
    url: Url = "",
    workspace: WorkspaceName = None,
) -> None:
    """Print a link, once, by which a new operator sets a password: it works once and for 24 hours.

    The first owner's replaces earlier ones, and is made only while nobody can sign in.
    """
    if first == (name is not None):
        raise typer.BadParameter("give a name, or --first")
    _refuse_no_address(url)
    with open_storage() as storage:
        if name is None:
            link = _first_link(storage, workspace)
        else:
            own = _operators(storage, workspace)
            logins = Logins(storage.database, storage.privacy)
            link = logins.invite(own.workspace_id, name, role, opens_content=False, actor=own.actor, email=email)
        _tell(link, url, storage)


@app.command(epilog="Example: parlour operator role ann auditor")
def role(
    name: Name,
    role: Annotated[Role, typer.Argument(help="Their new role.")],
    *,
    opens_content: Annotated[
        bool, typer.Option("--opens-content", help="An admin may open what people wrote, each time with a reason.")
    ] = False,
    workspace: WorkspaceName = None,
) -> None:
    """Give another role, from their next request on. The last owner keeps theirs."""
    with open_storage() as storage:
        own = _operators(storage, workspace)
        own.set_role(own.find(name), role, opens_content=opens_content)
    typer.echo(f"Operator {name} is {role.value} now.")


@app.command(epilog="Example: parlour operator identity ann --email ann@example.com")
def identity(
    name: Name,
    *,
    email: Annotated[str, typer.Option(help="The address by which the identity provider brings them in.")] = "",
    subject: Annotated[str, typer.Option(help="Or the provider's own id of them (`sub`).")] = "",
    workspace: WorkspaceName = None,
) -> None:
    """Say who they are at the identity provider, in place of whoever it was; without options nobody any more."""
    if email and subject:
        raise typer.BadParameter("give one of --email, --subject")
    with open_storage() as storage:
        own, issuer = _operators(storage, workspace), storage.settings.oidc.issuer
        if subject and not issuer:
            raise Refused("PARLOUR_OIDC__ISSUER is empty: a subject is one of a provider. Set it first.")
        login_id = own.find(name)
        if subject:
            own.set_subject(login_id, issuer, subject)
        else:
            own.set_email(login_id, email)
    typer.echo(f"Operator {name} {'comes in by the identity provider' if email or subject else 'has no identity'} now.")


@app.command(epilog="Example: parlour operator link ann --url https://chat.example.com")
def link(name: Name, *, url: Url = "", workspace: WorkspaceName = None) -> None:
    """Print a link, once, by which they set a new password: it works once and for 24 hours, in place of earlier ones.

    The old password is good until then; `operator sign-out` takes it. Codes of an app are asked for as before.
    """
    _refuse_no_address(url)
    with open_storage() as storage:
        own = _operators(storage, workspace)
        _tell(own.new_link(own.find(name)), url, storage)


@app.command(epilog="Example: parlour operator sign-out ann --takes-password")
def sign_out(
    name: Name,
    *,
    takes_password: Annotated[
        bool, typer.Option("--takes-password", help="And their password opens nothing any more, until a new link.")
    ] = False,
    workspace: WorkspaceName = None,
) -> None:
    """End all their sessions in the admin pages. The last owner keeps the password."""
    with open_storage() as storage:
        own = _operators(storage, workspace)
        own.end_sessions(own.find(name), takes_password=takes_password)
    without = (
        f" and has no password. Make a link for a new one: parlour operator link {name}" if takes_password else "."
    )
    typer.echo(f"Operator {name} is signed out everywhere{without}")


@app.command(epilog="Example: parlour operator codes-off ann")
def codes_off(name: Name, *, workspace: WorkspaceName = None) -> None:
    """Ask them for no codes of an app any more, where they lost it: the password alone signs them in."""
    with open_storage() as storage:
        own = _operators(storage, workspace)
        own.stop_totp(own.find(name))
    typer.echo(f"Operator {name} is asked for no codes any more.")


@app.command(epilog="Example: parlour operator remove ann")
def remove(name: Name, *, workspace: WorkspaceName = None) -> None:
    """Take their login away and end their sessions and tokens. The last owner stays."""
    with open_storage() as storage:
        own = _operators(storage, workspace)
        Logins(storage.database, storage.privacy).remove(own.workspace_id, own.find(name), actor=own.actor)
    typer.echo(f"Operator {name} is removed.")


def _first_link(storage: Storage, name: str | None) -> Link:
    """Raises `Refused`. It may be the first thing that anybody does here: the workspace is made where it is missing."""
    book = AccountBook(
        database=storage.database,
        privacy=storage.privacy,
        clock=storage.database.clock,
        workspace=name or storage.settings.workspace,
        keep_messages=timedelta(days=storage.settings.turns.keep_messages_days),
    )
    link = first_link(storage.database, storage.privacy, book.ensure_workspace())
    if link is None:
        raise Refused("Somebody can sign in already. Ask an owner, or: parlour operator invite NAME --role owner")
    return link


def _operators(storage: Storage, name: str | None) -> Operators:
    workspace_id = find_workspace(storage.database, name or storage.settings.workspace)
    return Operators(storage.database, storage.privacy, workspace_id, storage.actor())


def _tell(link: Link, url: str, storage: Storage) -> None:
    web = storage.settings.web
    typer.echo(f"{url.rstrip('/') or f'http://{web.host}:{web.port}'}{link.path}")
    typer.echo(f"Hand it over by a safe way. It works once, before {link.until:%Y-%m-%d %H:%M} UTC.", err=True)


def _refuse_no_address(url: str) -> None:
    if url and not _is_web_address(url):
        raise typer.BadParameter(f"--url {url} is no address of a gateway. Give one as https://chat.example.com")


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)
