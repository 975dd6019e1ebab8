"""`parlour worker`: answers turns."""

import sys
from typing import Annotated

import typer

from parlour.cli.errors import Refused
from parlour.from_settings import worker_threads
from parlour.settings import load
from parlour.turns.tasks import JOB_THREADS, JOBS, QUEUE

app = typer.Typer(help="Run a worker: answers turns.")


@app.command(epilog="Example: PARLOUR_ENGINE__KIND=vllm parlour worker")
def worker(
    *,
    queues: Annotated[str, typer.Option(help="Queues to take from, separated by commas.")] = f"{QUEUE},{JOBS}",
    name: Annotated[str | None, typer.Option(help="The worker's node name, for several on one machine.")] = None,
) -> None:
    """Run a worker: loads the engine and answers turns, as many at once as the engine takes.

    The same as: celery -A parlour.worker worker -P threads
    """
    settings = load()
    if settings.is_embedded:
        raise Refused("PARLOUR_BROKER__URL is empty. Set it to redis://… or amqp://…, or run everything by: parlour up")
    # Imported here: it is Celery's application, and only a worker is one.
    from celery.signals import worker_shutdown  # noqa: PLC0415

    from parlour.worker import app as celery  # noqa: PLC0415

    node = ["--hostname", f"{name}@%h"] if name else []
    threads = worker_threads(settings) + JOB_THREADS
    arguments = ["worker", "--pool", "threads", "--concurrency", str(threads), "--queues", queues]
    quiet = ["--without-gossip", "--without-mingle", "--loglevel", settings.log.level]
    # Celery's own command knows how its worker ended, and `worker_main` tells nobody.
    codes: list[int | None] = []
    worker_shutdown.connect(lambda sender, **_: codes.append(sender.exitcode), weak=False)
    celery.worker_main([*arguments, *quiet, *node])
    sys.exit(codes[-1] if codes else 1)
