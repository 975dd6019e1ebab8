"""Calling a handler with what it asked for, and making replies of whatever it gives."""

import inspect
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from parlour.sdk.handlers import Handler
from parlour.sdk.replies import Reply, replies_of

# Hands out the value for a capability's name, or for "settings".
Give = Callable[[str], Any]


async def replies(handler: Handler, give: Give, arguments: Mapping[str, Any] | None = None) -> AsyncIterator[Reply]:
    """The replies of a handler, as they come: of `async def` with `yield`, or with `return`, or with neither."""
    made = handler.function(**_filled(handler, give), **(arguments or {}))
    if inspect.isasyncgen(made):
        try:
            async for piece in made:
                for reply in replies_of(piece):
                    yield reply
        finally:
            await made.aclose()
    else:
        for reply in replies_of(await made):
            yield reply


async def result(handler: Handler, give: Give, arguments: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401 (a tool's)
    """What a tool returned, as plain values."""
    return await handler.function(**_filled(handler, give), **(arguments or {}))


def _filled(handler: Handler, give: Give) -> dict[str, Any]:
    return {parameter: give(name) for parameter, name in handler.given.items()}
