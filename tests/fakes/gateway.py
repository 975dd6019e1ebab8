"""A gateway with the scripted assistant behind it, as a real HTTP server in a thread."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Thread

import uvicorn
from prometheus_client import CollectorRegistry

from parlour.admin.app import build_app
from parlour.admin.health import Health
from parlour.channels.protocol import Channel
from tests.fakes.talk import FakeAccounts, FakeTalk
from tests.services import free_port, wait_until


class FakeGateway:
    """Serves channels on a port of 127.0.0.1; can be stopped and started again on the same port."""

    def __init__(self, channels: Sequence[Channel], talk: FakeTalk, accounts: FakeAccounts) -> None:
        self._channels, self._talk, self._accounts = channels, talk, accounts
        self._thread: Thread | None = None
        self._server: uvicorn.Server | None = None
        self.port = free_port()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Serve; returns when connections are taken."""
        routes = [route for channel in self._channels for route in channel.routes()]
        app = build_app(routes, Health({}), registry=CollectorRegistry(), max_body_bytes=20_000_000)
        config = uvicorn.Config(app, "127.0.0.1", self.port, log_config=None, timeout_graceful_shutdown=2)
        self._server = uvicorn.Server(config)
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()
        wait_until_it_serves(self._server, self._thread)

    def stop(self) -> None:
        """Stop serving, as a gateway that is restarted."""
        if self._server and self._thread:
            self._server.should_exit = True
            self._thread.join(60)
            assert not self._thread.is_alive(), "the server did not stop"
        self._server = self._thread = None

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        assert self._server
        for channel in self._channels:
            await channel.open(self._talk, self._accounts)
        receiving = [asyncio.create_task(channel.receive()) for channel in self._channels]
        serving = asyncio.create_task(self._server.serve())
        while not self._server.should_exit:
            await asyncio.sleep(0.01)
        for task in receiving:
            task.cancel()
        await asyncio.gather(*receiving, return_exceptions=True)
        await serving
        for channel in self._channels:
            await channel.close()


def wait_until_it_serves(server: uvicorn.Server, thread: Thread) -> None:
    """Return once a server that runs in a thread takes connections."""

    def is_up() -> bool:
        assert thread.is_alive(), "the server did not start"
        return server.started

    wait_until(is_up, what="the server starts")


@contextmanager
def serving(channels: Sequence[Channel], talk: FakeTalk, accounts: FakeAccounts | None = None) -> Iterator[FakeGateway]:
    """A gateway that runs meanwhile."""
    gateway = FakeGateway(channels, talk, accounts or FakeAccounts())
    gateway.start()
    try:
        yield gateway
    finally:
        talk.close()
        gateway.stop()
