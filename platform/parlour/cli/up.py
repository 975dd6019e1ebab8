"""`parlour up`: everything on one machine in one command."""

import secrets
from contextlib import ExitStack

import typer

from parlour import logs
from parlour.processes.everything import House, data_folder, house
from parlour.processes.gateway import Gateway
from parlour.processes.messengers import build_channels, build_terminal, make_app
from parlour.processes.note import announced
from parlour.processes.running import run_until_signalled
from parlour.settings import Settings, load

app = typer.Typer(help="Run everything on this machine: gateway, worker, scheduler.")


@app.command(epilog="Example: PARLOUR_ENGINE__KIND=echo parlour up")
def up() -> None:
    """Run everything on this machine: gateway, worker, scheduler.

    Makes its data folder, database and keys on the first start and fetches the model where it is not there yet.
    Ctrl-C stops it; what waits is answered after the next start.
    """
    settings = load()
    logs.set_up(level=settings.log.level, style=settings.log.format)
    with data_folder(settings):
        fetch_model(settings)
        with house(settings) as parts:
            _serve(settings, parts)


def fetch_model(settings: Settings) -> None:
    """Get the catalogue model that the embedded engine needs, with progress, unless it is there."""
    if settings.engine.kind != "llamacpp":
        return
    # Loaded here alone: other engines have no use for it.
    from parlour.cli.model import ensure_model  # noqa: PLC0415

    ensure_model(settings)


def _serve(settings: Settings, parts: House) -> None:
    # The word that `parlour chat` reads from the data folder and shows to the terminals' own HTTP interface.
    token = secrets.token_urlsafe(32)
    channels = [*build_channels(parts.platform), build_terminal(parts.platform, token)]
    gateway = Gateway(parts.platform, channels, make_app(parts.platform, channels, {"engine": parts.room.host.check}))
    with ExitStack() as stack:

        def say_where(url: str) -> None:
            stack.enter_context(announced(settings, url, token))
            names = ", ".join(channel.name for channel in channels)
            typer.echo(f"Parlour is ready: {url}  (engine {parts.room.host.name}; channels {names})")
            typer.echo("Open it in a browser, or talk in another terminal: parlour chat. Ctrl-C stops it.")

        run_until_signalled(gateway, on_ready=say_where)
