"""`parlour user`: see people, admit them by their code, block them, link their messengers, give roles."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from parlour.cli.errors import Refused
from parlour.cli.output import JsonFlag, show_json, show_rows
from parlour.cli.progress import rows_bar
from parlour.cli.reason import Reason
from parlour.cli.storage import Storage, open_storage
from parlour.from_settings import quota_rules
from parlour.people import users
from parlour.people.doer import Doer
from parlour.people.finding import find_user, find_user_or_id
from parlour.people.states import Role, UserState
from parlour.people.users import UserView
from parlour.privacy.erasure import Eraser
from parlour.privacy.export import export_person
from parlour.store.ids import UserId

app = typer.Typer(no_args_is_help=True, help="See people, admit, block, link, give roles.")

Who = Annotated[str, typer.Argument(metavar="USER", help="A user's id, or a messenger's such as telegram:12345.")]


@app.command("list", epilog="Example: parlour user list --state pending")
def list_users(
    *,
    state: Annotated[UserState | None, typer.Option(help="Only people in this state.")] = None,
    role: Annotated[Role | None, typer.Option(help="Only people with this role.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 100,
    after: Annotated[str | None, typer.Option(metavar="ID", help="Go on behind this user id.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """List people, in order of arrival."""
    start = _user_id(after) if after else None
    with open_storage() as storage:
        found = users.list_users(storage.database, storage.privacy, state=state, role=role, after=start, limit=limit)
    rows = [_plain(view) for view in found] if as_json else [_row(view) for view in found]
    show_rows(rows, as_json=as_json, empty=_nobody(state, is_narrowed=start is not None or role is not None))


def _nobody(state: UserState | None, *, is_narrowed: bool) -> str:
    if state is UserState.ERASED:
        return "Nobody. Erasing takes a person's row too; who was erased is told by: parlour receipt list"
    is_all = state is None and not is_narrowed
    return "Nobody yet. People appear here when they first write." if is_all else "Nobody there of that kind."


@app.command("show", epilog="Example: parlour user show telegram:12345")
def show_user(who: Who, *, as_json: JsonFlag = False) -> None:
    """Show one person, where they write from, what they used of today's quotas, and each step of their consent."""
    with open_storage() as storage:
        view = users.show_user(storage.database, storage.privacy, who, quotas=quota_rules(storage.settings))
    if as_json:
        show_json(_plain(view))
    else:
        show_rows([_row(view)], as_json=False)
        _show_used(view)
        _show_consent(view)


def _show_used(view: UserView) -> None:
    if view.used_today:
        typer.echo()
        rows = [
            {"quota": f"{one.scope} {one.unit}", "used today": one.used, "of": one.limit, "begins anew": one.resets_at}
            for one in view.used_today
        ]
        show_rows(rows, as_json=False)


def _show_consent(view: UserView) -> None:
    if view.consent_steps:
        typer.echo()
        steps = view.consent_steps
        rows = [{"consent": s.decision, "words": s.version, "language": s.language, "at": s.at} for s in steps]
        show_rows(rows, as_json=False)


@app.command("role", epilog="Example: parlour user role telegram:12345 owner")
def set_role(
    who: Who,
    role: Annotated[Role, typer.Argument(help="What they may do besides talking.")],
    *,
    reason: Reason = None,
    as_json: JsonFlag = False,
) -> None:
    """Give a person a role. The last owner keeps theirs."""
    with open_storage() as storage:
        user_id = find_user(storage.database, storage.privacy, who)
        users.set_role(storage.database, user_id, role, by=_doer(storage, reason))
    _tell({"id": user_id, "role": role}, f"{user_id} is now {role}.", as_json=as_json)


@app.command("block", epilog="Example: parlour user block slack:U012ABC")
def block(who: Who, *, reason: Reason = None, as_json: JsonFlag = False) -> None:
    """Let nothing from this person through any more, from whichever messenger."""
    with open_storage() as storage:
        user_id = find_user(storage.database, storage.privacy, who)
        users.block(storage.database, user_id, by=_doer(storage, reason))
    words = f"{user_id} is blocked. Undo it with: parlour user unblock {user_id}"
    _tell({"id": user_id, "state": UserState.BLOCKED}, words, as_json=as_json)


@app.command("unblock", epilog="Example: parlour user unblock slack:U012ABC")
def unblock(who: Who, *, reason: Reason = None, as_json: JsonFlag = False) -> None:
    """Let a blocked person talk again. A stranger who was never let in waits again for that."""
    with open_storage() as storage:
        user_id = find_user(storage.database, storage.privacy, who)
        state = users.unblock(storage.database, user_id, by=_doer(storage, reason))
    waits = f"{user_id} was never let in, and waits again: they get a code when they write."
    words = waits if state is UserState.PENDING else f"{user_id} may talk again."
    _tell({"id": user_id, "state": state}, words, as_json=as_json)


@app.command("approve", epilog="Example: parlour user approve ABCD-EFGH --role guest")
def approve(
    code: Annotated[str, typer.Argument(help="The pairing code that the person was told.")],
    *,
    role: Annotated[Role, typer.Option(help="member or guest; any other role is given afterwards.")] = Role.MEMBER,
    reason: Reason = None,
    as_json: JsonFlag = False,
) -> None:
    """Admit the person who was told this pairing code."""
    with open_storage() as storage:
        now = storage.database.clock.now()
        user_id = users.approve(storage.database, storage.privacy, code, now=now, role=role, by=_doer(storage, reason))
    words = f"{user_id} may talk now. Ask them to write again."
    _tell({"id": user_id, "role": role, "state": UserState.ACTIVE}, words, as_json=as_json)


@app.command("link", epilog="Example: parlour user link telegram:12345")
def link(who: Who, *, reason: Reason = None, as_json: JsonFlag = False) -> None:
    """Make a one-time code for a person to type in their other messenger, as `/link` does in the chat.

    Hand it to nobody else: whoever types it becomes that person.
    """
    with open_storage() as storage:
        user_id = find_user(storage.database, storage.privacy, who)
        now = storage.database.clock.now()
        made = users.make_link_code(storage.database, storage.privacy, user_id, now=now, by=_doer(storage, reason))
    words = f"To be typed in the other messenger before {made.until:%H:%M} UTC, once:\n/link {made.code}"
    _tell({"id": user_id, "code": made.code, "until": made.until}, words, as_json=as_json)


def _doer(storage: Storage, reason: str | None) -> Doer:
    return Doer(storage.privacy, storage.actor(), reason)


def _tell(told: dict[str, Any], words: str, *, as_json: bool) -> None:
    if as_json:
        show_json(told)
    else:
        typer.echo(words)


@app.command("export", epilog="Example: parlour user export telegram:12345 --to ann.zip")
def export(
    who: Who,
    *,
    to: Annotated[Path | None, typer.Option(help="Write the zip there; else export-ID.zip here.")] = None,
    reason: Reason = None,
    as_json: JsonFlag = False,
) -> None:
    """Write everything that is held about a person, opened, as JSON and HTML in one zip for this user alone to read."""
    with open_storage() as storage:
        user_id = find_user_or_id(storage.database, storage.privacy, who)
        made = export_person(storage.database, storage.privacy, user_id, actor=storage.actor(), reason=reason)
    path = to or Path(made.name)
    try:
        _write_own(path, made.content)
    except FileExistsError:
        raise Refused(f"{path} is there already, and no export overwrites a file. Name another with --to.") from None
    except OSError as error:
        raise Refused(f"{path} cannot be written ({error.strerror}). Name another place with --to.") from None
    words = f"{path}: {sum(made.rows.values())} rows about {user_id}. It holds what they wrote: keep it safe."
    _tell({"id": user_id, "file": str(path), "rows": made.rows}, words, as_json=as_json)


def _write_own(path: Path, content: bytes) -> None:
    """Write it for this user alone to read, never over a file that is there."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as written:
        written.write(content)


@app.command("erase", epilog="Example: parlour user erase telegram:12345 --receipt receipt.json")
def erase(
    who: Who,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask once more.")] = False,
    reason: Reason = None,
    receipt: Annotated[Path | None, typer.Option(help="Write the signed receipt there.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Erase a person for good: key first, then all that is stored. Nobody can read what backups hold of them."""
    with open_storage() as storage:
        user_id = find_user_or_id(storage.database, storage.privacy, who)
        if not yes:
            typer.confirm(f"Erase {user_id} and everything of theirs? Nothing brings it back.", abort=True)
        eraser = Eraser(database=storage.database, privacy=storage.privacy)
        with rows_bar("deleting rows") as step:
            done = eraser.erase(user_id, actor=storage.actor(), reason=reason, step=step)
    again = f"parlour receipt print {done.receipt_id}"
    if receipt is not None:
        try:
            receipt.write_text(done.receipt, encoding="utf-8")
        except OSError as error:
            problem = f"the receipt cannot be written to {receipt} ({error.strerror})"
            raise Refused(f"{user_id} is erased, but {problem}. Get it with: {again}") from None
    _tell({"id": user_id, "receipt": done.receipt_id}, f"{user_id} is erased. The receipt: {again}", as_json=as_json)


def _user_id(text: str) -> UserId:
    try:
        return UserId(UUID(text))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no user id. Take it from: parlour user list") from None


def _row(view: UserView) -> dict[str, Any]:
    seen = [f"{one.channel}:{one.external_id}" if one.external_id else one.channel for one in view.identities]
    return {
        "id": view.user_id,
        "name": next((one.name for one in view.identities if one.name), None),
        "writes from": ", ".join(seen),
        "role": view.role,
        "state": view.state,
        "language": view.language,
        "remembered": view.consent,
        "since": view.created_at,
    }


def _plain(view: UserView) -> dict[str, Any]:
    return asdict(view)
