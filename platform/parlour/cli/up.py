"""`parlour up`: everything on one machine in one command."""

import secrets
import shutil
import signal
import socket
import sys
from contextlib import ExitStack, closing
from typing import Annotated

import typer

from parlour import logs
from parlour.admin.signin.links import first_link
from parlour.bootstrap import Platform
from parlour.cli.output import printable
from parlour.processes.everything import House, data_folder, house
from parlour.processes.gateway import Gateway, listen
from parlour.processes.messengers import build_channels, build_terminal, make_app
from parlour.processes.note import announced
from parlour.processes.running import run_until_signalled
from parlour.processes.sample import check_sample, put_in
from parlour.settings import Settings, load

app = typer.Typer(help="Run everything on this machine: gateway, worker, scheduler.")


@app.command(epilog="Example: PARLOUR_ENGINE__KIND=echo parlour up")
def up(
    *,
    demo: Annotated[
        bool, typer.Option("--demo", help="Put in a small shop's documents and the skills that come along first.")
    ] = False,
) -> None:
    """Run everything on this machine: gateway, worker, scheduler.

    Makes its data folder, database and keys on the first start and fetches the model where it is not there yet.
    Ctrl-C stops it; what waits is answered after the next start.
    """
    settings = load()
    sample = check_sample() if demo else None
    logs.set_up(level=settings.log.level, style=settings.log.format)
    # The port is taken before the model is loaded: that it is not free must not take half a minute to be told.
    with data_folder(settings), closing(listen(settings.web.host, settings.web.port)) as sock:
        fetch_model(settings)
        with house(settings) as parts:
            if sample is not None:
                for line in put_in(parts.platform, sample):
                    typer.echo(printable(line))
            _serve(settings, parts, sock)
            _say_what_ends(settings, parts)


def fetch_model(settings: Settings) -> None:
    """Get the catalogue model that an engine in this process needs, with progress, unless it is there."""
    if settings.engine.kind not in ("llamacpp", "vllm"):
        return
    # Loaded here alone: other engines have no use for it.
    from parlour.cli.model import ensure_model  # noqa: PLC0415

    ensure_model(settings)


def _serve(settings: Settings, parts: House, sock: socket.socket) -> None:
    # The word that `parlour chat` reads from the data folder and shows to the terminals' own HTTP interface.
    token = secrets.token_urlsafe(32)
    channels = [*build_channels(parts.platform), build_terminal(parts.platform, token)]
    app_of = make_app(parts.platform, channels, {"engine": parts.room.host.check})
    gateway = Gateway(parts.platform, channels, app_of, sock=sock)
    with ExitStack() as stack:

        def say_where(url: str) -> None:
            stack.enter_context(announced(settings, url, token))
            names = ", ".join(channel.name for channel in channels)
            typer.echo(f"Parlour is ready: {url}  (engine {parts.room.host.name}; channels {names})")
            _say_first_link(parts.platform, url)
            typer.echo(f"Open it in a browser, or talk in another terminal: {_command()} chat. Ctrl-C stops it.")

        run_until_signalled(gateway, on_ready=say_where)


def _say_first_link(platform: Platform, url: str) -> None:
    """Where the first owner sets a password, as long as nobody can sign in to the admin pages."""
    link = first_link(platform.database, platform.privacy, platform.accounts.ensure_workspace())
    if link is not None:
        typer.echo(
            f"Set the first owner's password at {url}{link.path}  (once, before {link.until:%Y-%m-%d %H:%M} UTC)"
        )


def _say_what_ends(settings: Settings, parts: House) -> None:
    """Tell what the stop waits for; a second Ctrl-C puts what is being answered back into the queue at once."""
    running = parts.platform.running
    if len(running):
        signal.signal(signal.SIGINT, lambda *_: running.hand_back_all())
        longest = f"{settings.turns.drain_s:g}"
        typer.echo(f"Finishing {len(running)} answers, up to {longest} s. Ctrl-C again leaves them for the next start.")


def _command() -> str:
    """How to call this command here: by its name where that is found, else by its path."""
    return "parlour" if shutil.which("parlour") else sys.argv[0]
