"""A model server whose pace a test sets: OpenAI's chat API, repeating the last message word by word, as told.

It stands for a slow model where the model is not what is tested: streams that are seen while they are written, stopped,
or left behind by a worker that dies.
"""

import asyncio
import json
import threading
from types import TracebackType
from typing import Any, Self

from aiohttp import web


class PacedModel:
    """The server in a thread. Answers hold after their first word until `let_go` is called."""

    def __init__(self) -> None:
        self.port = 0
        self.asked: list[list[dict[str, str]]] = []
        self.aborted = 0
        self.finished = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="paced-model", daemon=True)
        self._may_go_on: asyncio.Event
        self._done: asyncio.Event

    @property
    def base_url(self) -> str:
        """What an OpenAI client takes as `base_url`."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def environment(self) -> dict[str, str]:
        """The settings that make this the installation's engine."""
        return {
            "PARLOUR_ENGINE__KIND": "openai",
            "PARLOUR_ENGINE__MODEL": "paced",
            "PARLOUR_ENGINE__BASE_URL": self.base_url,
        }

    def let_go(self) -> None:
        """Let all answers run to their end, those that come later too."""
        self._loop.call_soon_threadsafe(self._may_go_on.set)

    def hold(self) -> None:
        """Hold answers that begin from now on after their first word."""
        self._loop.call_soon_threadsafe(self._may_go_on.clear)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait(60)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._done.set)
        self._thread.join(60)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve_until_done())
        self._loop.close()

    async def _serve_until_done(self) -> None:
        self._may_go_on, self._done = asyncio.Event(), asyncio.Event()
        app = web.Application()
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/chat/completions", self._complete)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = runner.addresses[0][1]
        self._ready.set()
        await self._done.wait()
        await runner.cleanup()

    async def _models(self, _: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "paced", "object": "model", "owned_by": "test"}]})

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        messages = (await request.json())["messages"]
        self.asked.append(messages)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        words = messages[-1]["content"].split()
        try:
            for number, word in enumerate(words):
                await _write(response, {"content": word if number == 0 else f" {word}"})
                await self._may_go_on.wait()
            await _write(response, {}, finish="stop")
            await response.write(b"data: [DONE]\n\n")
        except (asyncio.CancelledError, ConnectionError):
            self.aborted += 1
            raise
        self.finished += 1
        return response


async def _write(response: web.StreamResponse, delta: dict[str, Any], *, finish: str | None = None) -> None:
    chunk = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "paced",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }
    await response.write(f"data: {json.dumps(chunk)}\n\n".encode())
