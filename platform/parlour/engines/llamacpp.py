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
from parlour.engines.calls import described
from parlour.engines.errors import EngineUnavailable, ModelFileError, NotSupported
from parlour.engines.files import find_gguf, label, read_template
from parlour.engines.gguf import check_model
from parlour.engines.llamacpp_answer import Answer
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
        self._calls_tools = False

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
        """Whether the model's chat template knows tools, so that llama.cpp reads its calls. Known after `start`."""
        return self._calls_tools

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
        self._calls_tools = self._options.tool_calls == "auto" and await self._knows_tools()

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
        answer = Answer(self.name, lambda: self._server is not None, asyncio.get_running_loop())
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
        body = {"messages": as_chat(messages), **_NO_THINKING}
        reply = await self._from_server("POST", "/v1/chat/completions/input_tokens", body)
        return int(reply["input_tokens"])

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """A chat model gives no useful vectors."""
        raise NotSupported("The llamacpp engine serves a chat model, which has no embeddings.")

    async def check(self) -> None:
        """Return when the model is loaded."""
        if self._server is None:
            raise EngineUnavailable(f"{self.name} is not running. Start it first.")

    async def _knows_tools(self) -> bool:
        """Whether the chat template shows the model both tools and the calls it made before, as llama.cpp found out."""
        caps = (await self._from_server("GET", "/props")).get("chat_template_caps", {})
        return bool(caps.get("supports_tools") and caps.get("supports_tool_calls"))

    async def _from_server(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Ask the model's own server, which listens on the loopback with a key of its own."""
        await self.check()
        if self._client is None:
            raise EngineUnavailable(f"{self.name} is not running. Start it first.")
        try:
            reply = await self._client.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise EngineUnavailable(
                f"{self.name} does not answer ({type(error).__name__}). Restart the worker."
            ) from None
        if reply.is_error:
            raise EngineUnavailable(f"{self.name} refused {path} (HTTP {reply.status_code}).")
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
        if request.tools:
            body |= {"tools": [described(tool) for tool in request.tools], "parallel_tool_calls": True}
        return body

    def _adapters(self, wanted: str | None) -> list[dict[str, float]]:
        """Every configured adapter with its strength: the wanted one full, the others none."""
        if wanted is not None and wanted not in self._loras:
            raise NotSupported(f"No LoRA adapter named '{wanted}'. Configured: {', '.join(self._loras) or 'none'}.")
        return [{"id": number, "scale": float(name == wanted)} for number, name in enumerate(self._loras)]


# Models that can think aloud are asked not to: a chat shows the answer, and thinking on a CPU takes minutes.
_NO_THINKING = {"chat_template_kwargs": {"enable_thinking": False}}


def _params(path: Path, options: EngineOptions, *, context_tokens: int, places: int, key: str) -> Any:  # noqa: ANN401 (xllamacpp has no types)
    """How llama.cpp is to run. Its HTTP server cannot be left out: it gets the loopback, a secret key and no pages."""
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    if options.chat_template is not None:
        params.chat_template = read_template(options.chat_template)
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
