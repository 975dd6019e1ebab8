"""One answer of llama.cpp under way: its chunks as pieces, its errors as ours."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from parlour.engines.calls import Calls
from parlour.engines.errors import EngineDied, EngineError, EngineUnavailable, NotSupported, PromptTooLong
from parlour.engines.protocol import Piece


class Answer:
    """One answer under way: llama.cpp's thread on one side, the engine's loop on the other."""

    def __init__(self, name: str, is_open: Callable[[], bool], loop: asyncio.AbstractEventLoop) -> None:
        """`name` is the engine's, for errors; once it is not open any more, the answer ends."""
        self._name = name
        self._is_open = is_open
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
        return not (self.is_wanted and self._is_open())

    def _put(self, item: dict[str, Any] | BaseException | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is gone, and with it whoever waited
            self._loop.call_soon_threadsafe(self._arrived.put_nowait, item)

    async def pieces(self) -> AsyncIterator[Piece]:
        """The pieces, the last one with finish and counts. Raises the engine's errors."""
        has_begun, finish, calls = False, None, Calls()
        while isinstance(chunk := await self._arrived.get(), dict):
            if "error" in chunk:
                raise _error(self._name, chunk["error"], has_begun=has_begun)
            for choice in chunk.get("choices", ()):
                finish = choice.get("finish_reason") or finish
                for bit in choice["delta"].get("tool_calls") or ():
                    function = bit.get("function") or {}
                    name, arguments = function.get("name"), function.get("arguments")
                    calls.take(bit["index"], call_id=bit.get("id"), name=name, arguments=arguments)
                if text := choice["delta"].get("content"):
                    has_begun = True
                    yield Piece(text)
            if usage := chunk.get("usage"):
                counts = usage["prompt_tokens"], usage["completion_tokens"]
                yield Piece("", "length" if finish == "length" else "stop", *counts, calls=calls.made())
                return
        if isinstance(chunk, ValueError):
            # Its text may quote the prompt: only the fact is told.
            raise NotSupported(f"{self._name} cannot use this request's messages or JSON schema.") from None
        raise EngineDied(f"{self._name} broke off in the middle of an answer.")


def _error(name: str, error: Mapping[str, Any], *, has_begun: bool) -> EngineError:
    """llama.cpp's error object as ours. Its message may quote the prompt and is left out."""
    if error.get("type") == "exceed_context_size_error":
        return PromptTooLong(f"The prompt has {error.get('n_prompt_tokens')} tokens, the window {error.get('n_ctx')}.")
    if error.get("code") == 400:  # noqa: PLR2004 (HTTP's bad request)
        return NotSupported(f"{name} cannot use this request ({error.get('type')}).")
    kind = EngineDied if has_begun else EngineUnavailable
    return kind(f"{name} failed ({error.get('type')}).")
