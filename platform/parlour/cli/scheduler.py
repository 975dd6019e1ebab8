"""`parlour scheduler`: finds what is due and was lost."""

import signal

import typer
from prometheus_client import start_http_server

from parlour import logs
from parlour.bootstrap import platform
from parlour.cli.errors import Refused
from parlour.processes.scheduler import Scheduler
from parlour.settings import load

app = typer.Typer(help="Run the scheduler: finds what is due and was lost.")


@app.command(epilog="Example: PARLOUR_METRICS__PORT=9102 parlour scheduler")
def scheduler() -> None:
    """Run the scheduler: publishes turns that the broker lost or whose worker died. Several may run side by side."""
    settings = load()
    if settings.is_embedded:
        raise Refused("PARLOUR_BROKER__URL is empty. Set it to redis://… or amqp://…, or run everything by: parlour up")
    logs.set_up(level=settings.log.level, style=settings.log.format)
    with platform(settings) as parts:
        running = Scheduler(parts)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: running.ask_to_stop())
        if settings.metrics.port:
            parts.metrics.registry.register(parts.backlog_collector())
            start_http_server(settings.metrics.port, registry=parts.metrics.registry)
        typer.echo("Scheduler is ready.")
        running.run()
