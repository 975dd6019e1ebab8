"""`parlour retention`: how long data is kept."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any

import typer
from sqlalchemy import select

from parlour.cli.errors import Refused
from parlour.cli.output import JsonFlag, show_rows
from parlour.cli.progress import rows_bar
from parlour.cli.reason import Reason
from parlour.cli.storage import Storage, open_storage
from parlour.privacy.classes import DataClass
from parlour.privacy.erasure import Eraser
from parlour.privacy.persons import as_uuid
from parlour.privacy.preview import Due
from parlour.privacy.preview import preview as preview_of
from parlour.privacy.purging import purge_now
from parlour.privacy.retention import clear_rule, read_policy, redate, set_rule
from parlour.privacy.rules import FOREVER, Rule, RuleRefused, Scope, checked_days
from parlour.store.ids import WorkspaceId
from parlour.store.models import Workspace

app = typer.Typer(no_args_is_help=True, help="How long data is kept: see, set, try out, run.")


def _are_days(word: str | None) -> str | None:
    """The number of days as it was typed. Raises `typer.BadParameter`."""
    try:
        if word is not None:
            checked_days(word)
    except RuleRefused as error:
        raise typer.BadParameter(str(error)) from None
    return word


Class = Annotated[DataClass, typer.Argument(metavar="CLASS", help=f"One of {', '.join(DataClass)}.")]
Days = Annotated[str, typer.Argument(metavar="DAYS", callback=_are_days, help="Number of days, or `forever`.")]
Channel = Annotated[str | None, typer.Option(help="Only for this messenger, such as telegram.")]
Conversation = Annotated[str | None, typer.Option(metavar="ID", help="Only for this conversation.")]
WorkspaceName = Annotated[str | None, typer.Option("--workspace", help="Of this workspace; else that of the settings.")]


@app.command(epilog="Example: parlour retention show --json")
def show(*, as_json: JsonFlag = False) -> None:
    """Show the rules, and what holds where there is none."""
    with open_storage() as storage, storage.database.read() as session:
        policy = read_policy(session, storage.retention.defaults)
        names = {row.id: row.name for row in session.execute(select(Workspace.id, Workspace.name))}
    rows: list[dict[str, Any]] = [
        {
            "workspace": names.get(rule.workspace_id),
            "scope": rule.scope.word,
            "class": rule.data_class.value,
            "days": _days(rule.keep),
        }
        for rule in policy.rules
    ]
    default = [
        {"workspace": "(default)", "scope": "all", "class": data_class.value, "days": _days(keep)}
        for data_class, keep in policy.defaults.items()
    ]
    show_rows([*rows, *default], as_json=as_json)


@app.command("set", epilog="Example: parlour retention set message 30 --channel telegram")
def set_(
    data_class: Class,
    days: Days,
    *,
    channel: Channel = None,
    conversation: Conversation = None,
    workspace: WorkspaceName = None,
    reason: Reason = None,
) -> None:
    """Set how long data of a class is kept; what is there already gets its new date at once."""
    with open_storage() as storage:
        rule = _rule(storage, data_class, days, channel, conversation, workspace)
        set_rule(storage.database, storage.privacy, rule, actor=storage.actor(), reason=reason)
        dated = _redate(storage)
    kept_for = FOREVER if rule.keep is None else f"{rule.keep.days} days"
    typer.echo(f"{rule.data_class} in {rule.scope.word}: kept {kept_for}. {dated} rows have a new date.")


@app.command(epilog="Example: parlour retention clear message --channel telegram")
def clear(
    data_class: Class,
    *,
    channel: Channel = None,
    conversation: Conversation = None,
    workspace: WorkspaceName = None,
    reason: Reason = None,
) -> None:
    """Take a rule away; the next wider one counts again."""
    with open_storage() as storage:
        scope = _scope(channel, conversation)
        workspace_id = _workspace(storage, workspace)
        actor = storage.actor()
        is_gone = clear_rule(
            storage.database, storage.privacy, workspace_id, scope, data_class, actor=actor, reason=reason
        )
        if not is_gone:
            raise Refused(f"No rule for {data_class} in {scope.word}. See those there are with: parlour retention show")
        dated = _redate(storage)
    typer.echo(f"{data_class} in {scope.word}: no rule any more. {dated} rows have a new date.")


@app.command(epilog="Example: parlour retention preview message 30 --channel telegram")
def preview(
    data_class: Annotated[DataClass | None, typer.Argument(metavar="CLASS", help="Of the rule to try out.")] = None,
    days: Annotated[
        str | None, typer.Argument(metavar="DAYS", callback=_are_days, help="Of the rule to try out.")
    ] = None,
    *,
    channel: Channel = None,
    conversation: Conversation = None,
    workspace: WorkspaceName = None,
    as_json: JsonFlag = False,
) -> None:
    """Show what the next purge would delete; with CLASS and DAYS, what such a rule would. Deletes nothing."""
    if (data_class is None) != (days is None):
        raise typer.BadParameter("give CLASS and DAYS, or neither")
    with open_storage() as storage:
        rule = None
        if data_class is not None and days is not None:
            rule = _rule(storage, data_class, days, channel, conversation, workspace)
        found = preview_of(storage.database, storage.retention, now=storage.database.clock.now(), rule=rule)
    show_rows(_rows(found), as_json=as_json, empty="Nothing would go.")


@app.command(epilog="Example: parlour retention run")
def run(*, workspace: WorkspaceName = None, reason: Reason = None, as_json: JsonFlag = False) -> None:
    """Delete what is past its time, now, and show what that was. The scheduler does the same every ten minutes.

    What is past its time in other workspaces goes too; the audit log of the one named tells who asked for it.
    """
    with open_storage() as storage:
        gone = purge_now(
            storage.database,
            storage.privacy,
            storage.retention,
            Eraser(database=storage.database, privacy=storage.privacy),
            workspace_id=_workspace(storage, workspace),
            actor=storage.actor(),
            reason=reason,
        )
    show_rows(_rows(gone), as_json=as_json, empty="Nothing to do.")


def _rows(due: Sequence[Due]) -> list[dict[str, Any]]:
    return [{"class": one.data_class.value, "table": one.table, "age": one.age, "rows": one.rows} for one in due]


def _rule(
    storage: Storage,
    data_class: DataClass,
    days: str,
    channel: str | None,
    conversation: str | None,
    workspace: str | None,
) -> Rule:
    number, scope = checked_days(days), _scope(channel, conversation)
    keep = None if number is None else timedelta(days=number)
    return Rule(_workspace(storage, workspace), scope, data_class, keep)


def _scope(channel: str | None, conversation: str | None) -> Scope:
    if channel is not None and conversation is not None:
        raise typer.BadParameter("give --channel or --conversation, not both")
    if conversation is None:
        return Scope(channel=channel)
    found = as_uuid(conversation)
    if found is None:
        raise typer.BadParameter(f"{conversation!r} is no conversation's id. Take it from: parlour turn show TURN")
    return Scope(conversation_id=found)


def _workspace(storage: Storage, name: str | None) -> WorkspaceId:
    wanted = name or storage.settings.workspace
    with storage.database.read() as session:
        found = session.scalars(select(Workspace.id).where(Workspace.name == wanted)).one_or_none()
    if found is None:
        raise Refused(f"No workspace named {wanted!r}. The first start makes that of the settings: parlour up")
    return WorkspaceId(found)


def _redate(storage: Storage) -> int:
    with rows_bar("dating rows") as step:
        return redate(storage.database, storage.retention, step=step)


def _days(keep: timedelta | None) -> str:
    return FOREVER if keep is None else str(keep.days)
