"""The references of the serving benchmark: an engine alone, and an OpenAI-compatible server over HTTP."""

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from uuid import uuid4

import aiohttp

from parlour.bench.crowd import Answered
from parlour.bench.errors import BenchError
from parlour.engines.protocol import Engine, Message, Request
from parlour.engines.vllm import VllmEngine

Requests = Mapping[tuple[int, int], Request]


class Bare(Protocol):
    """Answers the recorded questions with nothing around the engine."""

    name: str

    async def prepare(self) -> None:
        """Make everything equal to the other runs; not measured."""
        ...

    async def ask(self, person: int, number: int) -> Answered:
        """One answer."""
        ...


class BareEngine:
    """`Engine.stream` in the engine's own loop: no Celery, no SQL, no sealing."""

    def __init__(self, engine: Engine, requests: Requests) -> None:
        self.name = "bare engine"
        self._engine = engine
        self._requests = requests

    async def prepare(self) -> None:
        """Nothing: this engine has no cache to empty."""

    async def ask(self, person: int, number: int) -> Answered:
        """One answer."""
        asked, first, completion_tokens = time.monotonic(), None, 0
        async for piece in self._engine.stream(_anew(self._requests[person, number])):
            if first is None and piece.text:
                first = time.monotonic()
            completion_tokens = piece.completion_tokens or completion_tokens
        return Answered(completion_tokens, (first or time.monotonic()) - asked)


class BareVllm:
    """vLLM's `AsyncLLM` itself, given prompts that are tokens already."""

    def __init__(self, engine: VllmEngine, requests: Requests) -> None:
        self.name = "bare AsyncLLM"
        self._llm: Any = engine.llm
        self._requests = requests
        self._prompts: dict[tuple[int, int], list[int]] = {}

    async def prepare(self) -> None:
        """Render the prompts once, and empty the prefix cache."""
        if not self._prompts:
            found = self._llm.get_tokenizer()
            tokenizer: Any = await found if hasattr(found, "__await__") else found
            self._prompts = {place: _tokens(tokenizer, request.messages) for place, request in self._requests.items()}
        await self._llm.reset_prefix_cache()

    async def ask(self, person: int, number: int) -> Answered:
        """One answer."""
        # Not at the top: vLLM is loaded only where it is measured.
        from vllm import SamplingParams  # noqa: PLC0415
        from vllm.sampling_params import RequestOutputKind  # noqa: PLC0415

        sampling = self._requests[person, number].sampling
        params = SamplingParams(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            seed=sampling.seed,
            repetition_penalty=sampling.repetition_penalty,
            stop=list(sampling.stop),
            max_tokens=sampling.max_tokens,
            output_kind=RequestOutputKind.DELTA,
        )
        asked, first, tokens = time.monotonic(), None, 0
        prompt = {"type": "token", "prompt_token_ids": self._prompts[person, number]}
        async for output in self._llm.generate(prompt, params, uuid4().hex):
            if first is None and output.outputs[0].text:
                first = time.monotonic()
            tokens += len(output.outputs[0].token_ids)
        return Answered(tokens, (first or time.monotonic()) - asked)


class HttpServer:
    """An OpenAI-compatible server, such as `vllm serve`, asked for streams."""

    def __init__(self, url: str, model: str, requests: Requests) -> None:
        self.name = "server over HTTP"
        self._url = url.rstrip("/")
        self._model = model
        self._requests = requests
        self._session: aiohttp.ClientSession | None = None

    async def prepare(self) -> None:
        """Open the connections."""
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))

    async def close(self) -> None:
        """Close them."""
        if self._session is not None:
            await self._session.close()

    async def ask(self, person: int, number: int) -> Answered:
        """One answer. Raises `BenchError` where the server refuses."""
        if self._session is None:
            raise RuntimeError("prepare() comes first")
        asked, first, tokens = time.monotonic(), None, 0
        body = _chat(self._model, self._requests[person, number])
        async with self._session.post(f"{self._url}/chat/completions", json=body) as answer:
            if answer.status != 200:  # noqa: PLR2004 (OK)
                raise BenchError(f"the server at {self._url} answered {answer.status}. Check --server and its model.")
            async for line in answer.content:
                told = _event(line)
                if told is None:
                    continue
                if first is None and any(choice["delta"].get("content") for choice in told["choices"]):
                    first = time.monotonic()
                tokens = (told.get("usage") or {}).get("completion_tokens", tokens)
        return Answered(tokens, (first or time.monotonic()) - asked)


def bare(engine: Engine, requests: Requests) -> Bare:
    """The lowest level that this engine can be asked at."""
    return BareVllm(engine, requests) if isinstance(engine, VllmEngine) else BareEngine(engine, requests)


def _tokens(tokenizer: Any, messages: Sequence[Message]) -> list[int]:  # noqa: ANN401 (transformers' own)
    chat = [{"role": message.role, "content": message.content} for message in messages]
    # As the engine does it, so that both ways send the same tokens.
    options = {"add_generation_prompt": True, "tokenize": True, "return_dict": False, "enable_thinking": False}
    return list(tokenizer.apply_chat_template(chat, **options))


def _anew(request: Request) -> Request:
    """The same request under an id that was not used before."""
    return Request(id=uuid4().hex, messages=request.messages, sampling=request.sampling, cache_salt=request.cache_salt)


def _chat(model: str, request: Request) -> dict[str, Any]:
    sampling = request.sampling
    return {
        "model": model,
        "messages": [{"role": message.role, "content": message.content} for message in request.messages],
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "repetition_penalty": sampling.repetition_penalty,
        "max_tokens": sampling.max_tokens,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def _event(line: bytes) -> dict[str, Any] | None:
    """The JSON of one line of an event stream, None for lines without any."""
    text = line.strip().removeprefix(b"data:").strip()
    if not text or text == b"[DONE]":
        return None
    told: dict[str, Any] = json.loads(text)
    return told
