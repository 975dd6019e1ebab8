"""The engine without a model: repeats the user's last text, for wiring checks and load tests."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence

from parlour.engines.errors import EngineDied, EngineUnavailable, NotSupported, PromptTooLong
from parlour.engines.protocol import Finish, Message, Piece, Request

DEFAULT_CONTEXT_TOKENS = 8192
DEFAULT_MAX_CONCURRENCY = 32
_PIECES_AT_ONCE = 32
# What a chat template would add around each message.
TOKENS_PER_MESSAGE = 3
# A word with the space before it; one CJK character; never more than 16 characters, so that no text is too cheap.
_TOKEN = re.compile(
    r"\s*(?:[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\s\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{1,16})|\s+"
)


class EchoEngine:
    """Answers with the text of the last user message, a word a piece. A token is about a word, or one CJK character."""

    def __init__(self, *, context_tokens: int = 0, max_concurrency: int = 0, pace_s: float = 0.0) -> None:
        """`pace_s` is waited before each piece, to be as slow as a model."""
        self._pace_s = pace_s
        self._context_tokens = context_tokens or DEFAULT_CONTEXT_TOKENS
        self._max_concurrency = max_concurrency or DEFAULT_MAX_CONCURRENCY
        self._is_open = False

    @property
    def name(self) -> str:
        """What people call it."""
        return "echo"

    @property
    def context_tokens(self) -> int:
        """Words of prompt and answer together."""
        return self._context_tokens

    @property
    def max_concurrency(self) -> int:
        """How many answers it takes at once."""
        return self._max_concurrency

    @property
    def calls_tools(self) -> bool:
        """It has no model to call them."""
        return False

    async def start(self) -> None:
        """Be ready."""
        self._is_open = True

    async def close(self) -> None:
        """Break off running answers and take no more."""
        self._is_open = False

    async def stream(self, request: Request) -> AsyncIterator[Piece]:
        """The last user message again, word by word."""
        await self.check()
        if request.json_schema is not None or request.lora is not None:
            raise NotSupported(
                "The echo engine has neither structured output nor LoRA adapters. Set engine.kind to one that has."
            )
        prompt_tokens = await self.count_tokens(request.messages)
        if prompt_tokens >= self._context_tokens:
            raise PromptTooLong(f"The prompt has {prompt_tokens} tokens, the window {self._context_tokens}.")
        room = min(request.sampling.max_tokens, self._context_tokens - prompt_tokens)
        tokens, finish = _answer(request, room)
        for number, token in enumerate(tokens):
            # Without a pace it lets others run now and then; for every word it would be mostly switching to and fro.
            if self._pace_s or number % _PIECES_AT_ONCE == 0:
                await asyncio.sleep(self._pace_s)
            if not self._is_open:
                raise EngineDied("The echo engine was closed in the middle of an answer.")
            yield Piece(token)
        yield Piece("", finish, prompt_tokens, len(tokens))

    async def count_tokens(self, messages: Sequence[Message]) -> int:
        """About the number of words, and a little for each message."""
        return sum(TOKENS_PER_MESSAGE + len(_TOKEN.findall(message.content)) for message in messages)

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """It has no embeddings."""
        raise NotSupported("The echo engine has no embeddings. Set engine.kind to one that has.")

    async def check(self) -> None:
        """Return when it can answer."""
        if not self._is_open:
            raise EngineUnavailable("The echo engine is closed. Start it again.")


def _answer(request: Request, room: int) -> tuple[list[str], Finish]:
    """The tokens to say, cut at a stop text and at `room` tokens, and why they end."""
    text = next((message.content for message in reversed(request.messages) if message.role == "user"), "")
    ends = [at for stop in request.sampling.stop if stop and (at := text.find(stop)) >= 0]
    tokens = _TOKEN.findall(text[: min(ends, default=len(text))])
    return (tokens[:room], "length") if len(tokens) > room else (tokens, "stop")
