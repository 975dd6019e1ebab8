"""A server that speaks OpenAI's chat API on the wire and misbehaves on demand."""

import asyncio
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

MODEL = "fake-model"
WINDOW = 2048


@dataclass(slots=True)
class Script:
    """How the server answers; change it at any time.

    `dies_after` pieces the connection is cut; `stalls_after` pieces nothing more comes; with `says_how_it_ended` false
    the stream ends properly but tells no reason; a `status` other than 200 is answered at once, with `error` as body.
    """

    pieces: Sequence[str] = ("Once ", "upon ", "a ", "time.")
    dies_after: int | None = None
    stalls_after: int | None = None
    says_how_it_ended: bool = True
    garbage_after: int | None = None
    status: int = 200
    error: dict[str, Any] = field(default_factory=dict)
    owner: str = "someone"
    models: Sequence[str] = (MODEL,)


class FakeOpenAI:
    """`script` says how it answers; `requests` are the bodies it got; `broken_off` counts clients that went away."""

    def __init__(self) -> None:
        self.script = Script()
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.broken_off = 0
        self.base_url = ""

    def app(self) -> web.Application:
        """The server's routes."""
        app = web.Application()
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_post("/tokenize", self._tokenize)
        app.router.add_post("/v1/embeddings", self._embeddings)
        return app

    async def _models(self, request: web.Request) -> web.Response:
        if self.script.status in {401, 403}:
            return self._refusal()
        data = [
            {"id": name, "object": "model", "created": 0, "owned_by": self.script.owner, "max_model_len": WINDOW}
            for name in self.script.models
        ]
        return web.json_response({"object": "list", "data": data})

    async def _tokenize(self, request: web.Request) -> web.Response:
        body = await request.json()
        return web.json_response({"count": sum(len(message["content"].split()) + 4 for message in body["messages"])})

    async def _embeddings(self, request: web.Request) -> web.Response:
        body = await request.json()
        data = [{"object": "embedding", "index": n, "embedding": [float(n), 1.0]} for n in range(len(body["input"]))]
        return web.json_response({"object": "list", "data": data, "model": body["model"], "usage": {}})

    def _refusal(self) -> web.Response:
        return web.json_response({"error": self.script.error}, status=self.script.status)

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(await request.json())
        self.keys.append(request.headers.get("Authorization", ""))
        if self.script.status != web.HTTPOk.status_code:
            return self._refusal()
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        try:
            await self._stream(request, response)
        except (asyncio.CancelledError, ConnectionError):
            self.broken_off += 1
            raise
        return response

    async def _stream(self, request: web.Request, response: web.StreamResponse) -> None:
        script = self.script
        for number, piece in enumerate(script.pieces):
            if number == script.dies_after and request.transport is not None:
                request.transport.abort()
            if number == script.stalls_after:
                await asyncio.Event().wait()
            if number == script.garbage_after:
                await response.write(b"data: {not json\n\n")
            await response.write(_event(_chunk({"content": piece})))
            await asyncio.sleep(0)
        if script.says_how_it_ended:
            await response.write(_event(_chunk({}, finish="stop")))
        tokens = len(script.pieces)
        usage = {"prompt_tokens": 7, "completion_tokens": tokens, "total_tokens": 7 + tokens}
        await response.write(_event({**_chunk({}), "choices": [], "usage": usage}))
        await response.write(b"data: [DONE]\n\n")


@contextmanager
def fake_openai() -> Iterator[FakeOpenAI]:
    """The server, listening on a free port of 127.0.0.1 in a thread of its own."""
    fake = FakeOpenAI()
    loop = asyncio.new_event_loop()
    ready = threading.Event()
    thread = threading.Thread(target=_serve, args=(fake, loop, ready), name="fake-openai", daemon=True)
    thread.start()
    ready.wait()
    try:
        yield fake
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def _serve(fake: FakeOpenAI, loop: asyncio.AbstractEventLoop, ready: threading.Event) -> None:
    # A client that goes away must cancel the handler: that is how a server notices.
    runner = web.AppRunner(fake.app(), handler_cancellation=True, shutdown_timeout=0.1)
    loop.run_until_complete(runner.setup())
    site = web.TCPSite(runner, "127.0.0.1", 0)
    loop.run_until_complete(site.start())
    fake.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    ready.set()
    loop.run_forever()
    loop.run_until_complete(runner.cleanup())
    loop.close()


def _chunk(delta: dict[str, str], finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "fake", "object": "chat.completion.chunk", "created": 0, "model": MODEL, "choices": [choice]}


def _event(chunk: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(chunk)}\n\n".encode()
