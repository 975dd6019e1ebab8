"""`parlour hold`: legal holds."""

from typing import Annotated

import typer
from sqlalchemy import select

from parlour.cli.errors import Refused
from parlour.cli.output import JsonFlag, show_rows
from parlour.cli.reason import NeededReason
from parlour.cli.storage import Storage, open_storage
from parlour.people.finding import find_user
from parlour.privacy.holds import add_hold, list_holds, release_hold
from parlour.privacy.persons import as_uuid
from parlour.store.ids import WorkspaceId
from parlour.store.models import Conversation, User, Workspace

app = typer.Typer(no_args_is_help=True, help="Legal holds: what must not be deleted.")


@app.command(epilog='Example: parlour hold add --user telegram:12345 --reason "Case 17"')
def add(
    *,
    reason: NeededReason,
    user: Annotated[str | None, typer.Option(help="A person: id or telegram:12345.")] = None,
    conversation: Annotated[str | None, typer.Option(metavar="ID", help="A conversation.")] = None,
    workspace: Annotated[str | None, typer.Option(help="Everything of a workspace, by name.")] = None,
) -> None:
    """Keep everything of a person, a conversation or a workspace: no rule, request or erasure deletes it."""
    if sum(given is not None for given in (user, conversation, workspace)) != 1:
        raise typer.BadParameter("give one of --user, --conversation, --workspace")
    with open_storage() as storage:
        user_id = None if user is None else find_user(storage.database, storage.privacy, user)
        conversation_id = None if conversation is None else as_uuid(conversation)
        if conversation is not None and conversation_id is None:
            raise typer.BadParameter(f"{conversation!r} is no conversation's id. Take it from: parlour turn show TURN")
        hold_id = add_hold(
            storage.database,
            storage.privacy,
            workspace_id=_workspace(storage, user_id, conversation_id, workspace),
            user_id=user_id,
            conversation_id=conversation_id,
            reason=reason,
            actor=storage.actor(),
        )
    typer.echo(f"Hold {hold_id} stands. End it with: parlour hold release {hold_id} --reason …")


@app.command("list", epilog="Example: parlour hold list --all --json")
def list_(
    *,
    all_of_them: Annotated[bool, typer.Option("--all", help="Released ones too.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """List the holds that stand."""
    with open_storage() as storage:
        found = list_holds(storage.database, storage.privacy, all_of_them=all_of_them)
    rows = [
        {
            "id": one.id,
            "user": one.user_id,
            "conversation": one.conversation_id,
            "workspace": one.workspace_id,
            "reason": one.reason,
            "by": one.placed_by,
            "since": one.created_at,
            "released": one.released_at,
        }
        for one in found
    ]
    show_rows(rows, as_json=as_json, empty="No hold stands.")


@app.command(epilog='Example: parlour hold release 0197… --reason "Case 17 is closed"')
def release(hold: Annotated[str, typer.Argument(metavar="ID", help="The hold's id.")], *, reason: NeededReason) -> None:
    """End a hold. What is past its time goes with the next purge."""
    with open_storage() as storage:
        release_hold(storage.database, storage.privacy, hold, reason=reason, actor=storage.actor())
    typer.echo(f"Hold {hold} is released.")


def _workspace(storage: Storage, user_id: object, conversation_id: object, name: str | None) -> WorkspaceId:
    if user_id is not None:
        wanted = select(User.workspace_id).where(User.id == user_id)
    elif conversation_id is not None:
        wanted = select(Conversation.workspace_id).where(Conversation.id == conversation_id)
    else:
        wanted = select(Workspace.id).where(Workspace.name == name)
    with storage.database.read() as session:
        found = session.scalars(wanted).one_or_none()
    if found is None and conversation_id is not None:
        raise Refused(f"No conversation {conversation_id}. Take its id from: parlour turn show TURN")
    if found is None:
        raise Refused(f"No workspace named {name!r}. The first start makes that of the settings: parlour up")
    return WorkspaceId(found)
