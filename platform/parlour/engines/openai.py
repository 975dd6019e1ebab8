"""Any server that speaks OpenAI's chat API: a remote `vllm serve`, llama.cpp's server, a provider."""

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

from parlour.engines.admission import Admission
from parlour.engines.calls import Calls, described
from parlour.engines.errors import (
    EngineBusy,
    EngineDied,
    EngineError,
    EngineUnavailable,
    NotSupported,
    PromptTooLong,
)
from parlour.engines.options import EngineOptions
from parlour.engines.protocol import Finish, Message, Piece, Request
from parlour.engines.wire import as_chat, clean

try:
    import openai
except ImportError as missing:
    raise EngineUnavailable(
        "The openai engine is not installed. Install it with: pip install 'parlour[openai]'"
    ) from missing

DEFAULT_CONTEXT_TOKENS = 8192
DEFAULT_MAX_CONCURRENCY = 32
# Between two pieces; the first may wait long in a busy server's queue.
_TIMEOUT = openai.Timeout(300.0, connect=5.0)
_START_TIMEOUT_S = 10.0
_BUSY = {429, 503}
_NOT_ALLOWED = {401, 403}


class Server(StrEnum):
    """Whose server it is, which decides what it takes beyond OpenAI's own API."""

    VLLM = "vllm"
    LLAMACPP = "llamacpp"
    OTHER = "other"


class OpenAIEngine:
    """Answers through a server. Nothing is retried here: whether to is the turn's affair."""

    def __init__(self, options: EngineOptions) -> None:
        """Nothing is asked before `start`."""
        self._options = options
        self._max_concurrency = options.max_concurrency or DEFAULT_MAX_CONCURRENCY
        self._context_tokens = options.context_tokens or DEFAULT_CONTEXT_TOKENS
        self._admission = Admission(places=self._max_concurrency, max_queued=options.max_queued)
        self._server = Server.OTHER
        self._served: tuple[str, ...] = ()
        self._client: openai.AsyncOpenAI | None = None

    @property
    def name(self) -> str:
        """Kind and model, for people."""
        return f"openai {self._options.model}"

    @property
    def context_tokens(self) -> int:
        """The window that the server states, else the setting, else 8192. Known after `start`."""
        return self._context_tokens

    @property
    def max_concurrency(self) -> int:
        """How many answers are asked for at once."""
        return self._max_concurrency

    @property
    def calls_tools(self) -> bool:
        """The API has them; a server that refuses them raises `NotSupported`."""
        return self._options.tool_calls == "auto"

    async def start(self) -> None:
        """Reach the server and find the model. Raises `EngineUnavailable` with a remedy."""
        if self._client is not None:
            return
        client = openai.AsyncOpenAI(
            base_url=self._options.base_url,
            # The client insists on a key; servers without one ignore it.
            api_key=self._options.api_key or "none",
            max_retries=0,
            timeout=_TIMEOUT,
        )
        try:
            self._learn(await self._models(client))
        except BaseException:
            await client.close()
            raise
        self._client = client

    async def close(self) -> None:
        """Break off running answers and let go of the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def stream(self, request: Request) -> AsyncIterator[Piece]:
        """The answer, as the server sends it."""
        client = self._opened()
        if request.lora is not None and request.lora not in self._served:
            served = ", ".join(self._served[:5])
            raise NotSupported(f"{self._options.base_url} has no LoRA adapter '{request.lora}'. It serves: {served}.")
        body = self._body(request)
        await self._admission.enter(request.priority)
        try:
            async with contextlib.aclosing(self._pieces(client, body)) as pieces:
                async for piece in pieces:
                    yield piece
        finally:
            self._admission.leave()

    async def count_tokens(self, messages: Sequence[Message]) -> int:
        """As the server counts; an estimate on the safe side where it cannot be asked."""
        chat = as_chat(messages)
        client = self._opened()
        root = str(client.base_url).rstrip("/").removesuffix("/v1")
        match self._server:
            case Server.VLLM:
                reply = await self._post(f"{root}/tokenize", {"model": self._options.model, "messages": chat})
                return int(reply["count"])
            case Server.LLAMACPP:
                reply = await self._post(f"{root}/v1/chat/completions/input_tokens", {"messages": chat})
                return int(reply["input_tokens"])
            case Server.OTHER:
                return estimate_tokens(chat)

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """What the server's embeddings say. Raises `NotSupported` where it has none for this model."""
        client = self._opened()
        try:
            reply = await client.embeddings.create(model=self._options.model, input=[clean(text) for text in texts])
        except (openai.BadRequestError, openai.NotFoundError, openai.UnprocessableEntityError):
            raise NotSupported(f"{self.name} has no embeddings.") from None
        except openai.APIStatusError as error:
            if error.status_code == 501:  # noqa: PLR2004 (HTTP's not implemented: llama.cpp without embeddings)
                raise NotSupported(f"{self.name} has no embeddings.") from None
            raise self._translated(error, has_begun=False) from None
        except openai.OpenAIError as error:
            raise self._translated(error, has_begun=False) from None
        return [item.embedding for item in reply.data]

    async def check(self) -> None:
        """Return when the server answers and still has the model."""
        self._learn(await self._models(self._opened()))

    def _opened(self) -> openai.AsyncOpenAI:
        if self._client is None:
            raise EngineUnavailable(f"{self.name} is not running. Start it first.")
        return self._client

    async def _models(self, client: openai.AsyncOpenAI) -> list[dict[str, Any]]:
        try:
            page = await client.models.list(timeout=_START_TIMEOUT_S)
        except openai.OpenAIError as error:
            raise self._translated(error, has_begun=False) from None
        return [model.model_dump() for model in page.data]

    def _learn(self, models: Sequence[Mapping[str, Any]]) -> None:
        """Take the window and the kind of server from its list of models."""
        names = [str(model["id"]) for model in models]
        described = next(
            (model for model in models if self._options.model in {model["id"], *(model.get("aliases") or ())}), None
        )
        if described is None:
            raise EngineUnavailable(
                f"{self._options.base_url} has no model '{self._options.model}'. "
                f"It serves: {', '.join(names[:5]) or 'none'}. Set engine.model to one of them."
            )
        self._served = tuple(names)
        owner = described.get("owned_by")
        self._server = Server(owner) if owner in {Server.VLLM, Server.LLAMACPP} else Server.OTHER
        stated = described.get("max_model_len") or (described.get("meta") or {}).get("n_ctx")
        if stated:
            self._context_tokens = min(int(stated), self._options.context_tokens or int(stated))

    def _body(self, request: Request) -> dict[str, Any]:
        sampling = request.sampling
        body: dict[str, Any] = {
            "model": request.lora or self._options.model,
            "messages": as_chat(request.messages),
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
        }
        if stop := [clean(text) for text in sampling.stop if text]:
            body["stop"] = stop
        if sampling.seed is not None:
            body["seed"] = sampling.seed
        if request.json_schema is not None:
            schema = {"name": "answer", "schema": dict(request.json_schema)}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        if request.tools:
            body["tools"] = [described(tool) for tool in request.tools]
        if extra := self._extra(request):
            body["extra_body"] = extra
        return body

    def _extra(self, request: Request) -> dict[str, Any]:
        """What only some servers take; OpenAI's own API refuses words that it does not know."""
        penalty = request.sampling.repetition_penalty
        match self._server:
            case Server.VLLM:
                salt = {"cache_salt": request.cache_salt} if request.cache_salt else {}
                return {"repetition_penalty": penalty, "chat_template_kwargs": {"enable_thinking": False}, **salt}
            case Server.LLAMACPP:
                cuts = {"top_k": 0, "min_p": 0.0}
                kwargs = {"chat_template_kwargs": {"enable_thinking": False}}
                return {"repeat_penalty": penalty, "repeat_last_n": self._context_tokens, **cuts, **kwargs}
            case Server.OTHER:
                return {}

    async def _pieces(self, client: openai.AsyncOpenAI, body: dict[str, Any]) -> AsyncGenerator[Piece]:
        """The server's chunks as pieces, its errors as ours."""
        has_begun = False
        finish: Finish | None = None
        usage = (0, 0)
        calls = Calls()
        try:
            async with await client.chat.completions.create(**body) as chunks:
                async for chunk in chunks:
                    if chunk.usage is not None:
                        usage = (chunk.usage.prompt_tokens, chunk.usage.completion_tokens)
                    for choice in chunk.choices:
                        if choice.finish_reason is not None:
                            finish = "length" if choice.finish_reason == "length" else "stop"
                        for bit in choice.delta.tool_calls or ():
                            function = bit.function
                            calls.take(
                                bit.index,
                                call_id=bit.id,
                                name=function and function.name,
                                arguments=function and function.arguments,
                            )
                        if choice.delta.content:
                            has_begun = True
                            yield Piece(choice.delta.content)
        except Exception as error:
            # Anything: in the middle of a stream the client lets its HTTP library's and the parser's errors through.
            raise self._translated(error, has_begun=has_begun) from error
        if finish is None:
            raise EngineDied(f"{self.name} broke off in the middle of an answer.")
        yield Piece("", finish, *usage, calls=calls.made())

    async def _post(self, url: str, body: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return await self._opened().post(url, cast_to=dict[str, Any], body=dict(body))
        except openai.OpenAIError as error:
            raise self._translated(error, has_begun=False) from None

    def _translated(self, error: Exception, *, has_begun: bool) -> EngineError:
        """The client's error as ours. A server's own words may quote the prompt: they are read, never passed on."""
        at = self._options.base_url
        if has_begun:
            return EngineDied(f"{self.name} at {at} broke off in the middle of an answer ({type(error).__name__}).")
        if isinstance(error, openai.APIStatusError):
            return self._refused(error)
        if isinstance(error, openai.APIError) and _is_too_long(error):
            return PromptTooLong(f"The prompt does not fit the window of {self._context_tokens} tokens.")
        return EngineUnavailable(
            f"{self.name}: no answer from {at} ({type(error).__name__}). Start the server or set engine.base_url."
        )

    def _refused(self, error: openai.APIStatusError) -> EngineError:
        at, status = self._options.base_url, error.status_code
        if status in _NOT_ALLOWED:
            return EngineUnavailable(f"{at} does not accept the key (HTTP {status}). Set engine.api_key.")
        if status in _BUSY:
            return EngineBusy(f"{at} takes no more requests now (HTTP {status}). Try later.")
        if _is_too_long(error):
            return PromptTooLong(f"The prompt does not fit the window of {self._context_tokens} tokens.")
        if isinstance(error, openai.NotFoundError):
            return EngineUnavailable(
                f"{at} has no '{self._options.model}' (HTTP 404). Set engine.model and engine.base_url."
            )
        if status < 500:  # noqa: PLR2004 (HTTP's line between caller's fault and server's)
            return NotSupported(f"{at} cannot use this request (HTTP {status}).")
        return EngineUnavailable(f"{at} failed (HTTP {status}). Its own log says why.")


def _is_too_long(error: openai.APIError) -> bool:
    """Whether the server says that the prompt exceeds its window; every server has words of its own for it."""
    if error.code == "context_length_exceeded" or error.type == "exceed_context_size_error":
        return True
    words = str(error.message).lower()
    return any(phrase in words for phrase in ("context length", "context size", "model length", "context window"))


def estimate_tokens(chat: Sequence[Mapping[str, str]]) -> int:
    """More than most tokenizers make of it: a token for three Latin letters, one for each letter beyond Latin."""
    letters = sum(3 if character > "\u024f" else 1 for message in chat for character in message["content"])
    return -(-letters // 3) + 8 * len(chat) + 8
