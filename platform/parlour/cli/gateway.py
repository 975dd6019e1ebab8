"""`parlour gateway`: messengers, web chat, HTTP."""

import typer

from parlour import logs
from parlour.bootstrap import platform
from parlour.cli.errors import Refused
from parlour.processes.gateway import Gateway
from parlour.processes.messengers import build_channels, make_app
from parlour.processes.running import run_until_signalled
from parlour.settings import load

app = typer.Typer(help="Run the gateway: messengers, web chat, HTTP.")


@app.command(epilog="Example: PARLOUR_BROKER__URL=redis://127.0.0.1:6379/0 parlour gateway")
def gateway() -> None:
    """Run the gateway: takes messages in, posts answers, serves the web chat. Any number of them may run."""
    settings = load()
    if settings.is_embedded:
        raise Refused("PARLOUR_BROKER__URL is empty. Set it to redis://… or amqp://…, or run everything by: parlour up")
    logs.set_up(level=settings.log.level, style=settings.log.format)
    with platform(settings) as parts:
        channels = build_channels(parts)
        running = Gateway(parts, channels, make_app(parts, channels, {}))
        run_until_signalled(running, on_ready=lambda url: typer.echo(f"Gateway is ready: {url}"))
