"""The gateway: messengers in, messengers out, and the HTTP server."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator, Sequence

import structlog
import uvicorn
from starlette.applications import Starlette

from parlour.bootstrap import Platform
from parlour.channels.protocol import Channel
from parlour.processes.posting import PostOffice
from parlour.sections import WebSettings
from parlour.settings import SettingsError
from parlour.turns.ports import CredentialsRejected, NotSent

log = structlog.get_logger(__name__)

_OPEN_AGAIN_FIRST_S = 1.0
_OPEN_AGAIN_LONGEST_S = 30.0


class Gateway:
    """Runs channels and their posting in the current event loop, until `stop` is set."""

    def __init__(
        self,
        platform: Platform,
        channels: Sequence[Channel],
        make_app: Callable[["Gateway"], Starlette],
        *,
        sock: socket.socket | None = None,
    ) -> None:
        self._platform = platform
        self._channels = channels
        self._make_app = make_app
        self._sock = sock
        self.open_channels: set[str] = set()
        self.url = ""

    async def run(self, stop: asyncio.Event, *, on_ready: Callable[[str], None]) -> None:
        """Open the channels, serve, and wind up in the reverse order when `stop` is set.

        A messenger that does not accept its token stops the start: `CredentialsRejected` names the setting. One that
        cannot be reached does not: its channel is opened when it can be.
        """
        web = self._platform.settings.web
        sock = self._sock or listen(web.host, web.port)
        host, port = sock.getsockname()[:2]
        self.url = f"http://{host}:{port}"
        channels: list[asyncio.Task[None]] = []
        server = _Server(http_config(self._make_app(self), web))
        serving = asyncio.create_task(server.serve(sockets=[sock]), name="http")
        try:
            waiting = [channel for channel in self._channels if not await self._open(channel)]
            channels = [
                asyncio.create_task(self._run(channel), name=channel.name)
                for channel in self._channels
                if channel not in waiting
            ]
            channels += [asyncio.create_task(self._run_later(channel), name=channel.name) for channel in waiting]
            on_ready(self.url)
            await self._until(stop, [serving, *channels])
        finally:
            for task in channels:
                task.cancel()
            await asyncio.gather(*channels, return_exceptions=True)
            for channel in self._channels:
                await channel.close()
            server.should_exit = True
            await asyncio.gather(serving, return_exceptions=True)

    async def _until(self, stop: asyncio.Event, tasks: Sequence[asyncio.Task[None]]) -> None:
        """Wait for `stop`; a part that ends by itself ends the gateway with what it raised."""
        stopping = asyncio.create_task(stop.wait())
        done, _ = await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        for task in done - {stopping}:
            task.result()

    async def _open(self, channel: Channel) -> bool:
        try:
            await channel.open(self._platform.intake, self._platform.accounts)
        except NotSent as error:
            log.warning("messenger_unreachable", channel=channel.name, reason=str(error))
            return False
        self.open_channels.add(channel.name)
        log.info("channel_open", channel=channel.name)
        return True

    async def _run(self, channel: Channel) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(channel.receive(), name=f"receive-{channel.name}")
            group.create_task(PostOffice(self._platform, channel).run(), name=f"post-{channel.name}")

    async def _run_later(self, channel: Channel) -> None:
        """Open the channel as soon as its messenger can be reached, then run it."""
        delay_s = _OPEN_AGAIN_FIRST_S
        while True:
            await asyncio.sleep(delay_s)
            try:
                if await self._open(channel):
                    break
            except CredentialsRejected as error:
                # The others go on: a revoked token discovered after the start must not take down the web chat.
                log.error(  # noqa: TRY400 (the reason says it all)
                    "credentials_rejected", channel=channel.name, reason=str(error)
                )
            delay_s = min(_OPEN_AGAIN_LONGEST_S, delay_s * 2)
        await self._run(channel)


class _Server(uvicorn.Server):
    """Uvicorn without its signal handlers: the process has its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing is captured."""
        yield


def http_config(app: Starlette, web: WebSettings) -> uvicorn.Config:
    """How `app` is served: requests come from who sent them, as far as a trusted proxy says so."""
    return uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="off", forwarded_allow_ips=list(web.trusted_proxies)
    )


def listen(host: str, port: int) -> socket.socket:
    """A listening socket, or `SettingsError` with the remedy. Taken early: a port in use must be known at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        problem = f"PARLOUR_WEB__PORT: cannot listen on {host}:{port} ({error.strerror})."
        raise SettingsError(f"{problem} Choose another port, or 0 for a free one.") from None
    sock.set_inheritable(True)
    return sock
