"""llama.cpp in this process, through `xllamacpp`: the embedded default."""

import asyncio
import contextlib
import functools
import os
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from parlour.engines.admission import Admission
from parlour.engines.errors import (
    EngineDied,
    EngineError,
    EngineUnavailable,
    ModelFileError,
    NotSupported,
    PromptTooLong,
)
from parlour.engines.files import find_gguf, label
from parlour.engines.gguf import check_model
from parlour.engines.options import EngineOptions
from parlour.engines.protocol import Message, Piece, Request
from parlour.engines.wire import as_chat, clean

try:
    import xllamacpp
except ImportError as error:
    raise EngineUnavailable(
        "The llamacpp engine is not installed. Install it with: pip install 'parlour[llamacpp]'"
    ) from error

DEFAULT_CONTEXT_TOKENS = 8192
DEFAULT_MAX_CONCURRENCY = 4
# Prompts are read in steps of so many tokens; a stop is seen between two. Larger is hardly faster on a CPU.
PROMPT_STEP_TOKENS = 128
_SILENT = -1
_CALL_TIMEOUT_S = 60.0


class LlamaCppEngine:
    """Answers with a GGUF model. `max_concurrency` answers are decoded together; more wait their turn."""

    def __init__(self, options: EngineOptions) -> None:
        """Nothing is loaded before `start`."""
        self._options = options
        self._max_concurrency = options.max_concurrency or DEFAULT_MAX_CONCURRENCY
        self._context_tokens = options.context_tokens or DEFAULT_CONTEXT_TOKENS
        self._loras = list(options.loras)
        self._admission = Admission(places=self._max_concurrency, max_queued=options.max_queued)
        self._server: Any = None
        self._client: httpx.AsyncClient | None = None
        self._threads: ThreadPoolExecutor | None = None

    @property
    def name(self) -> str:
        """Kind and model, for people."""
        return f"llamacpp {label(self._options.model)}"

    @property
    def context_tokens(self) -> int:
        """The window of one answer. Known after `start`."""
        return self._context_tokens

    @property
    def max_concurrency(self) -> int:
        """How many answers are decoded together."""
        return self._max_concurrency

    @property
    def calls_tools(self) -> bool:
        """Not by itself: small models do it more surely by structured output."""
        return False

    async def start(self) -> None:
        """Load the model. Raises `ModelFileError` with a remedy."""
        if self._server is not None:
            return
        path = find_gguf(self._options.model, self._options.models_dir)
        header = await asyncio.to_thread(check_model, path)
        trained_for = header.context_tokens or DEFAULT_CONTEXT_TOKENS
        self._context_tokens = self._options.context_tokens or min(trained_for, DEFAULT_CONTEXT_TOKENS)
        key = secrets.token_urlsafe(32)
        params = _params(
            path, self._options, context_tokens=self._context_tokens, places=self._max_concurrency, key=key
        )
        try:
            self._server = await asyncio.to_thread(xllamacpp.Server, params)
        except RuntimeError:
            raise ModelFileError(
                f"llama.cpp cannot load {path} (architecture '{header.architecture}'). The file may be damaged or too "
                "new, or memory too small. Fetch it again with parlour model pull, or choose a smaller model."
            ) from None
        self._client = httpx.AsyncClient(
            base_url=self._server.listening_address,
            headers={"Authorization": f"Bearer {key}"},
            timeout=_CALL_TIMEOUT_S,
            trust_env=False,
        )
        self._threads = ThreadPoolExecutor(self._max_concurrency, thread_name_prefix="llamacpp")

    async def close(self) -> None:
        """Break off running answers and free the model."""
        server, self._server = self._server, None
        if self._client is not None:
            await self._client.aclose()
        if self._threads is not None:
            await asyncio.to_thread(self._threads.shutdown)
        self._client, self._threads = None, None
        del server

    async def stream(self, request: Request) -> AsyncIterator[Piece]:
        """The answer, token by token."""
        await self.check()
        body = self._body(request)
        await self._admission.enter(request.priority)
        answer = _Answer(self, asyncio.get_running_loop())
        try:
            await self.check()  # it may have been closed meanwhile
            running = asyncio.get_running_loop().run_in_executor(self._threads, answer.generate, self._server, body)
        except BaseException:
            self._admission.leave()
            raise
        running.add_done_callback(lambda _: self._admission.leave())
        try:
            async for piece in answer.pieces():
                yield piece
            await running
        finally:
            answer.is_wanted = False
            with contextlib.suppress(Exception):
                await asyncio.shield(running)

    async def count_tokens(self, messages: Sequence[Message]) -> int:
        """Tokens of the prompt that the model's template makes of `messages`."""
        reply = await self._post("/v1/chat/completions/input_tokens", {"messages": as_chat(messages), **_NO_THINKING})
        return int(reply["input_tokens"])

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """A chat model gives no useful vectors."""
        raise NotSupported("The llamacpp engine serves a chat model, which has no embeddings.")

    async def check(self) -> None:
        """Return when the model is loaded."""
        if self._server is None:
            raise EngineUnavailable(f"{self.name} is not running. Start it first.")

    @property
    def is_open(self) -> bool:
        """Whether answers may go on."""
        return self._server is not None

    async def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Ask the model's own server, which listens on the loopback with a key of its own."""
        await self.check()
        if self._client is None:
            raise EngineUnavailable(f"{self.name} is not running. Start it first.")
        try:
            reply = await self._client.post(path, json=body)
        except httpx.HTTPError as error:
            raise EngineUnavailable(
                f"{self.name} does not answer ({type(error).__name__}). Restart the worker."
            ) from None
        if reply.is_error:
            raise EngineUnavailable(f"{self.name} refused to count tokens (HTTP {reply.status_code}).")
        return dict(reply.json())

    def _body(self, request: Request) -> dict[str, Any]:
        """What llama.cpp takes. Its own cuts (top-k, min-p) are off, so that settings mean the same everywhere."""
        sampling = request.sampling
        body: dict[str, Any] = {
            "messages": as_chat(request.messages),
            "stream": True,
            "stream_options": {"include_usage": True},
            "return_progress": True,
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "top_k": 0,
            "min_p": 0.0,
            "repeat_penalty": sampling.repetition_penalty,
            "repeat_last_n": self._context_tokens,
            "stop": [clean(stop) for stop in sampling.stop if stop],
            "lora": self._adapters(request.lora),
            **_NO_THINKING,
        }
        if sampling.seed is not None:
            body["seed"] = sampling.seed
        if request.json_schema is not None:
            schema = {"name": "answer", "schema": dict(request.json_schema)}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        return body

    def _adapters(self, wanted: str | None) -> list[dict[str, float]]:
        """Every configured adapter with its strength: the wanted one full, the others none."""
        if wanted is not None and wanted not in self._loras:
            raise NotSupported(f"No LoRA adapter named '{wanted}'. Configured: {', '.join(self._loras) or 'none'}.")
        return [{"id": number, "scale": float(name == wanted)} for number, name in enumerate(self._loras)]


# Models that can think aloud are asked not to: a chat shows the answer, and thinking on a CPU takes minutes.
_NO_THINKING = {"chat_template_kwargs": {"enable_thinking": False}}


class _Answer:
    """One answer under way: llama.cpp's thread on one side, the engine's loop on the other."""

    def __init__(self, engine: LlamaCppEngine, loop: asyncio.AbstractEventLoop) -> None:
        self._engine = engine
        self._loop = loop
        self._arrived: asyncio.Queue[dict[str, Any] | BaseException | None] = asyncio.Queue()
        self.is_wanted = True

    def generate(self, server: Any, body: dict[str, Any]) -> None:  # noqa: ANN401 (xllamacpp has no types)
        """Generate, in llama.cpp's thread, until it ends or nobody wants it."""
        end: BaseException | None = None
        try:
            server.handle_chat_completions(body, self._take)
        except Exception as error:  # noqa: BLE001 (it belongs to the loop that waits)
            end = error
        self._put(end)

    def _take(self, chunk: dict[str, Any]) -> bool:
        """Called by llama.cpp with each chunk; True stops it."""
        self._put(chunk)
        return not (self.is_wanted and self._engine.is_open)

    def _put(self, item: dict[str, Any] | BaseException | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is gone, and with it whoever waited
            self._loop.call_soon_threadsafe(self._arrived.put_nowait, item)

    async def pieces(self) -> AsyncIterator[Piece]:
        """The pieces, the last one with finish and counts. Raises the engine's errors."""
        has_begun, finish = False, None
        while isinstance(chunk := await self._arrived.get(), dict):
            if "error" in chunk:
                raise _error(self._engine.name, chunk["error"], has_begun=has_begun)
            for choice in chunk.get("choices", ()):
                finish = choice.get("finish_reason") or finish
                if text := choice["delta"].get("content"):
                    has_begun = True
                    yield Piece(text)
            if usage := chunk.get("usage"):
                yield Piece(
                    "", "length" if finish == "length" else "stop", usage["prompt_tokens"], usage["completion_tokens"]
                )
                return
        if isinstance(chunk, ValueError):
            # Its text may quote the prompt: only the fact is told.
            raise NotSupported(f"{self._engine.name} cannot use this request's messages or JSON schema.") from None
        raise EngineDied(f"{self._engine.name} broke off in the middle of an answer.")


def _error(name: str, error: Mapping[str, Any], *, has_begun: bool) -> EngineError:
    """llama.cpp's error object as ours. Its message may quote the prompt and is left out."""
    if error.get("type") == "exceed_context_size_error":
        return PromptTooLong(f"The prompt has {error.get('n_prompt_tokens')} tokens, the window {error.get('n_ctx')}.")
    if error.get("code") == 400:  # noqa: PLR2004 (HTTP's bad request)
        return NotSupported(f"{name} cannot use this request ({error.get('type')}).")
    kind = EngineDied if has_begun else EngineUnavailable
    return kind(f"{name} failed ({error.get('type')}).")


def _params(path: Path, options: EngineOptions, *, context_tokens: int, places: int, key: str) -> Any:  # noqa: ANN401 (xllamacpp has no types)
    """How llama.cpp is to run. Its HTTP server cannot be left out: it gets the loopback, a secret key and no pages."""
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx = context_tokens * places
    params.n_parallel = places
    params.n_batch = PROMPT_STEP_TOKENS
    params.n_ubatch = PROMPT_STEP_TOKENS
    params.cpuparams.n_threads = threads()
    params.cpuparams_batch.n_threads = threads()
    params.verbosity = _SILENT
    params.warmup = False
    params.cache_ram_mib = 0
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [key]
    params.ui = False
    params.endpoint_slots = False
    params.lora_adapters = [_adapter(name, file) for name, file in options.loras.items()]
    params.lora_init_without_apply = True
    return params


def _adapter(name: str, path: Path) -> Any:  # noqa: ANN401 (xllamacpp has no types)
    if not path.is_file():
        raise ModelFileError(f"engine.loras: no file {path} for '{name}'. Give a GGUF adapter.")
    return xllamacpp.CommonAdapterLoraInfo(str(path), 0.0)


@functools.cache
def threads() -> int:
    """Cores this process may use: llama.cpp itself would count all of the machine's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
