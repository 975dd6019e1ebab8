"""The `parlour` command: finds sub-commands by name, loads only the one asked for, ends with one clear line."""

import contextlib
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from parlour import __version__
from parlour.cli.errors import FAILED, WRONG_USAGE, is_reader_gone, one_line


@dataclass(frozen=True, slots=True)
class Entry:
    """A sub-command: the module that has its `app`, and its line in `parlour --help`."""

    module: str
    help: str


# The order is the order of the help page: first contact, production, operating, people, keys.
ENTRIES: dict[str, Entry] = {
    "up": Entry("parlour.cli.up", "Run everything on this machine: gateway, worker, scheduler."),
    "chat": Entry("parlour.cli.chat", "Talk to the assistant in this terminal."),
    "doctor": Entry("parlour.cli.doctor", "Check settings, database, broker, keys, model and messengers."),
    "gateway": Entry("parlour.cli.gateway", "Run the gateway: messengers, web chat, HTTP."),
    "worker": Entry("parlour.cli.worker", "Run a worker: answers turns."),
    "scheduler": Entry("parlour.cli.scheduler", "Run the scheduler: finds what is due and was lost."),
    "db": Entry("parlour.cli.db", "Bring the database's schema up or down."),
    "model": Entry("parlour.cli.model", "List, fetch, convert and try models."),
    "kb": Entry("parlour.cli.kb", "Put documents in, search them, take them out."),
    "skill": Entry("parlour.cli.skill", "Write, check, install, set and remove skills."),
    "turn": Entry("parlour.cli.turn", "Look at turns, try one again, drop one."),
    "backup": Entry("parlour.cli.backup", "Back up databases, verify backups, restore them."),
    "user": Entry("parlour.cli.user", "See people, admit, block, link, give roles."),
    "retention": Entry("parlour.cli.retention", "How long data is kept: see, set, try out, run."),
    "hold": Entry("parlour.cli.hold", "Legal holds: what must not be deleted."),
    "keys": Entry("parlour.cli.keys", "See the keys' state, replace the key that wraps them."),
    "audit": Entry("parlour.cli.audit", "Who did what: read it, prove it whole."),
    "receipt": Entry("parlour.cli.receipt", "Receipts of erasures: print, list, verify."),
    "operator": Entry("parlour.cli.operator", "Invite and remove those who sign in to the admin pages."),
    "token": Entry("parlour.cli.token", "Make, list and revoke what programs show to use the API."),
    "bench": Entry("parlour.cli.bench", "Measure Parlour beside its references."),
}


class LazyGroup(TyperGroup):
    """Commands that are imported when they are asked for, not before: `--help` and `chat` stay quick."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override] # typer's own narrower context
        """The commands that this installation has, in the order of the help page."""
        del ctx
        return [name for name, entry in ENTRIES.items() if find_spec(entry.module)]

    def get_command(self, ctx: typer.Context, cmd_name: str) -> TyperCommand | TyperGroup | None:  # type: ignore[override]
        """The command, its module imported now."""
        if cmd_name not in self.list_commands(ctx):
            return None
        sub = import_module(ENTRIES[cmd_name].module).app
        # Completion is for the whole command; typer offers no public switch after the fact.
        sub._add_completion = False  # noqa: SLF001
        command = typer.main.get_command(sub)
        command.name = cmd_name
        return command  # type: ignore[return-value] # one of these two by construction

    def format_help(self, ctx: typer.Context, formatter: object) -> None:  # type: ignore[override]
        """The help page, made from the table above alone."""
        stubs: dict[str, Any] = {name: TyperCommand(name, help=ENTRIES[name].help) for name in self.list_commands(ctx)}
        listed = TyperGroup(name=self.name, commands=stubs, params=self.params, help=self.help, epilog=self.epilog)
        listed.format_help(ctx, formatter)  # type: ignore[arg-type]


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: parlour up --help",
)


def _version(*, is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"parlour {__version__}")
        raise typer.Exit


@app.callback()
def parlour(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=lambda value: _version(is_wanted=value), is_eager=True, help="Show it."),
    ] = False,
) -> None:
    """Your organisation's own assistant, where people already talk: Slack, Telegram, the web, a terminal."""
    del version


def run(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and end the process: 0 done, 1 refused or failed with one line on stderr, 2 wrong usage."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        _refuse_no_text(given)
        app(args=given, prog_name="parlour")
    except Exception as error:  # noqa: BLE001 (the outermost place: nothing may reach the person as a traceback)
        code = FAILED if is_reader_gone(error) else _explain(error)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else FAILED
    else:
        code = 0
    _flush()
    sys.exit(code)


def _refuse_no_text(given: Sequence[str]) -> None:
    """End with 2 where an argument is not in the terminal's encoding: nothing could store or show it."""
    for one in given:
        if not one.isascii() and any("\ud800" <= letter <= "\udfff" for letter in one):
            shown = one.encode("utf-8", "backslashreplace").decode()[:80]
            encoding = sys.getfilesystemencoding().upper()
            print(f"'{shown}' is not {encoding}. Give it in that encoding.", file=sys.stderr)  # noqa: T201 (as below)
            raise SystemExit(WRONG_USAGE)


def _explain(error: Exception) -> int:
    """Print one line about it, and the traceback where an operator asked for debug output."""
    if _is_debugging():
        traceback.print_exc()
    print(one_line(error), file=sys.stderr)  # noqa: T201 (typer may be what failed)
    return FAILED


def _is_debugging() -> bool:
    from parlour.settings import SettingsError, load  # noqa: PLC0415 (half of the start-up time of `parlour --help`)

    try:
        return load().log.level == "debug"
    except SettingsError:
        return False
    except Exception:  # noqa: BLE001 (what `load` may itself have failed with, and is being explained)
        return False


def _flush() -> None:
    """Write what is left; a reader that went away (`parlour turn list | head`) is no reason to complain."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
