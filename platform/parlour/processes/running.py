"""Running a gateway until a signal says to stop."""

import asyncio
import signal
from collections.abc import Callable

import uvloop

from parlour.processes.gateway import Gateway


def run_until_signalled(gateway: Gateway, *, on_ready: Callable[[str], None]) -> None:
    """Run the gateway in a fresh event loop until SIGTERM or Ctrl-C; a second one does not hurry it.

    Raises what the gateway raises, the first of a group.
    """
    try:
        uvloop.run(_run(gateway, on_ready))
    except BaseExceptionGroup as group:
        raise _first(group) from group


async def _run(gateway: Gateway, on_ready: Callable[[str], None]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await gateway.run(stop, on_ready=on_ready)


def _first(group: BaseExceptionGroup) -> BaseException:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
