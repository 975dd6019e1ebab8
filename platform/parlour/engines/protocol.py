"""The one protocol that every engine implements, and the values that go through it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Role = Literal["system", "user", "assistant", "tool"]
Finish = Literal["stop", "length"]

PEOPLE_FIRST = 0
JOBS_AFTER = 10


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may ask to be called; `arguments` is a JSON schema."""

    name: str
    about: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model's wish to have a tool called; `arguments` is JSON as the model wrote it, which may be none."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message as a model sees it.

    An assistant's may wish for `calls`; a tool's result `answers` the call of that id. Only engines that call tools by
    themselves take either.
    """

    role: Role
    content: str
    calls: tuple[ToolCall, ...] = ()
    answers: str = ""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen; the terms are those of the OpenAI and vLLM interfaces."""

    temperature: float = 0.7
    top_p: float = 0.95
    seed: int | None = None
    repetition_penalty: float = 1.0
    stop: tuple[str, ...] = ()
    max_tokens: int = 512


@dataclass(frozen=True, slots=True)
class Request:
    """One answer to generate.

    `cache_salt` parts the prefix cache between workspaces (or users). `priority`: lower goes first.
    `json_schema` asks for structured output; `lora` names an adapter the engine was configured with. `tools` may be
    given to an engine that `calls_tools`.
    """

    id: str
    messages: Sequence[Message]
    sampling: Sampling = field(default_factory=Sampling)
    cache_salt: str | None = None
    priority: int = PEOPLE_FIRST
    json_schema: Mapping[str, Any] | None = None
    lora: str | None = None
    tools: Sequence[Tool] = ()


@dataclass(frozen=True, slots=True)
class Piece:
    """The text that came since the last piece. The last piece of an answer carries `finish` and the token counts, and
    the `calls` that the model wishes for.
    """

    text: str
    finish: Finish | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    calls: tuple[ToolCall, ...] = ()


class Engine(Protocol):
    """Generates answers. Lives in one asyncio loop; closing a stream's iterator cancels the generation at once."""

    @property
    def name(self) -> str:
        """Kind and model, for people: `llamacpp smollm2-135m-instruct`."""
        ...

    @property
    def context_tokens(self) -> int:
        """The model's window: prompt and answer together, in tokens."""
        ...

    @property
    def max_concurrency(self) -> int:
        """How many answers it takes at once; more raise `EngineBusy` or wait inside the engine."""
        ...

    @property
    def calls_tools(self) -> bool:
        """Whether it takes tools and tells which to call. For others the same is done by structured output."""
        ...

    async def start(self) -> None:
        """Be ready to answer. Raises `EngineUnavailable` or `ModelFileError` with a remedy."""
        ...

    async def close(self) -> None:
        """Stop everything that `start` started. Safe to call twice."""
        ...

    def stream(self, request: Request) -> AsyncIterator[Piece]:
        """The answer, piece by piece. Raises any `EngineError`; `PromptTooLong` before the first piece."""
        ...

    async def count_tokens(self, messages: Sequence[Message]) -> int:
        """Tokens that `messages` take in the prompt, chat template included."""
        ...

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector per text. Raises `NotSupported` where the engine has none."""
        ...

    async def check(self) -> None:
        """Return when the engine can answer now; raise `EngineUnavailable` otherwise."""
        ...
