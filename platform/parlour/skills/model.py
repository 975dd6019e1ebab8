"""The language model as a skill's turn has it: the engine, the turn's own prompt, documents as quoted material."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from types import TracebackType
from typing import Any, Final, Protocol, Self
from uuid import UUID

from parlour.engines.errors import EngineError, PromptTooLong
from parlour.engines.protocol import Message, Piece, Request
from parlour.knowledge.envelope import grounded
from parlour.knowledge.passages import Passage
from parlour.sdk.errors import CapabilityError, Invalid, NotAvailable, TooMuch

_MOST_TOKENS: Final = 4_096
_NOWHERE: Final = UUID(int=0)


class Pieces(Protocol):
    """An answer being generated."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def __iter__(self) -> Iterator[Piece]: ...
    def cancel(self) -> None:
        """Abort it, from any thread; the iteration ends."""
        ...


# Begins an answer in the engine.
Ask = Callable[[Request], Pieces]


class TurnModel:
    """Asks the engine in one turn's name, or a job's.

    `asked` is the turn's own prompt, with the conversation before it; a job's has no messages.
    """

    def __init__(self, ask: Ask, asked: Request, with_tools: Ask | None = None) -> None:
        """`with_tools` begins an answer in which the model may call the skill's own tools."""
        self._ask = ask
        self._with_tools = with_tools or ask
        self._asked = asked
        self._numbers = count(1)

    def stream(
        self,
        prompt: str | None,
        passages: Sequence[Mapping[str, str]],
        *,
        system: str,
        max_tokens: int,
        tools: bool = False,
    ) -> Iterator[str]:
        """The answer's pieces. Raises `CapabilityError`s; closing the iterator stops the engine."""
        if prompt is None and not self._asked.messages:
            raise Invalid("A job has no turn to answer. Give the model a prompt.")
        messages = list(self._asked.messages) if prompt is None else [Message("user", prompt)]
        material = [quoted(one["source"], one["text"], one["place"]) for one in passages]
        request = self._request(grounded(told(messages, system), material), max_tokens=max_tokens)
        yield from self._pieces(request, self._with_tools if tools else self._ask)

    def extract(
        self, prompt: str, schema: Mapping[str, Any], *, system: str, max_tokens: int = _MOST_TOKENS
    ) -> object:  # fmt: skip
        """JSON of that schema. Raises `CapabilityError`s."""
        request = self._request(told([Message("user", prompt)], system), max_tokens=max_tokens)
        cold = replace(request.sampling, temperature=0.0)
        text = "".join(self._pieces(replace(request, sampling=cold, json_schema=schema), self._ask))
        try:
            return json.loads(text)
        except ValueError:
            raise CapabilityError("The model answered with what is no JSON.") from None

    @staticmethod
    def _pieces(request: Request, ask: Ask) -> Iterator[str]:
        try:
            with ask(request) as pieces:
                for piece in pieces:
                    if piece.text:
                        yield piece.text
        except PromptTooLong:
            raise TooMuch("The prompt is longer than the model's window.") from None
        except EngineError as error:
            raise NotAvailable(f"The model did not answer: {type(error).__name__}.") from None

    def _request(self, messages: Sequence[Message], *, max_tokens: int) -> Request:
        most = max(1, min(max_tokens, _MOST_TOKENS))
        sampling = replace(self._asked.sampling, max_tokens=most)
        return replace(self._asked, id=f"{self._asked.id}:{next(self._numbers)}", messages=messages, sampling=sampling)


def told(messages: Sequence[Message], system: str) -> list[Message]:
    """The prompt with the skill's own instructions behind the organisation's, never in their place."""
    if not system:
        return list(messages)
    if messages and messages[0].role == "system":
        return [Message("system", f"{messages[0].content}\n\n{system}"), *messages[1:]]
    return [Message("system", system), *messages]


def quoted(source: str, text: str, place: str = "") -> Passage:
    """A text from outside, to be put between marks (`knowledge.envelope`)."""
    return Passage(_NOWHERE, _NOWHERE, source, text, (place,) if place else (), None, None, None)
