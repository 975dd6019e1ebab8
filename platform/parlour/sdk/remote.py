"""A skill's capabilities in its own process: each call goes to the host, which checks it and answers."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final, Protocol

from parlour.sdk.capabilities import Answer, FolderFile, Passage, Response, Turn
from parlour.sdk.replies import replies_of, to_wire

MOST_ROWS_SHOWN: Final = 100


class Line(Protocol):
    """The way to the host, for one turn or job."""

    async def call(self, capability: str, method: str, **arguments: Any) -> Any:  # noqa: ANN401 (plain values)
        """What the host answered. Raises `CapabilityError`s."""
        ...

    def stream(self, capability: str, method: str, **arguments: Any) -> AsyncIterator[Any]:  # noqa: ANN401
        """What the host answers, piece by piece; leaving it early tells the host to stop."""
        ...


class RemoteModel:
    """`Model`, asked over the line."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def stream(
        self,
        about: Turn | str,
        *,
        grounded_in: Sequence[Passage] = (),
        system: str = "",
        max_tokens: int = 512,
        tools: bool = False,
    ) -> AsyncIterator[str]:
        """An answer in pieces. A turn is not sent: the host has it."""
        passages = [{"text": one.text, "source": one.source, "place": one.place} for one in grounded_in]
        prompt = None if isinstance(about, Turn) else about
        pieces = self._line.stream(
            "Model", "stream", prompt=prompt, passages=passages, system=system, max_tokens=max_tokens, tools=tools
        )
        async for piece in pieces:
            yield str(piece)

    async def complete(self, prompt: str, *, system: str = "", max_tokens: int = 512) -> str:
        """A whole answer."""
        return str(await self._line.call("Model", "complete", prompt=prompt, system=system, max_tokens=max_tokens))

    async def choose(self, prompt: str, options: Sequence[str], *, system: str = "") -> str:
        """One of the options."""
        return str(await self._line.call("Model", "choose", prompt=prompt, options=list(options), system=system))

    async def extract(self, prompt: str, schema: Mapping[str, Any], *, system: str = "") -> Any:  # noqa: ANN401 (JSON)
        """JSON of that schema."""
        return await self._line.call("Model", "extract", prompt=prompt, schema=dict(schema), system=system)


class RemoteStore:
    """`UserStore` and `SharedStore`, asked over the line."""

    def __init__(self, line: Line, capability: str) -> None:
        self._line = line
        self._capability = capability

    async def put(self, kind: str, document: Mapping[str, Any], *, id: str | None = None) -> str:  # noqa: A002
        """Store it."""
        return str(await self._line.call(self._capability, "put", kind=kind, document=dict(document), id=id))

    async def get(self, kind: str, id: str) -> dict[str, Any] | None:  # noqa: A002
        """The document."""
        found: dict[str, Any] | None = await self._line.call(self._capability, "get", kind=kind, id=id)
        return found

    async def all(self, kind: str) -> list[dict[str, Any]]:
        """All of a kind."""
        found: list[dict[str, Any]] = await self._line.call(self._capability, "all", kind=kind)
        return found

    async def delete(self, kind: str, id: str) -> bool:  # noqa: A002
        """Delete it."""
        return bool(await self._line.call(self._capability, "delete", kind=kind, id=id))


class RemoteCrowd:
    """`Crowd`, asked over the line."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def counts(self, kind: str, field: str, *, days: int | None = None) -> dict[str, int]:
        """How many people have each value."""
        pieces = self._line.stream("Crowd", "counts", kind=kind, field=field, days=days)
        return {value: number async for piece in pieces for value, number in piece}

    async def pairs(self, kind: str, field: str, *, within: int | None = None) -> AsyncIterator[tuple[str, str, int]]:
        """Two values and how many people have both."""
        async for piece in self._line.stream("Crowd", "pairs", kind=kind, field=field, within=within):
            for first, second, number in piece:
                yield first, second, number


class RemoteUpload:
    """`Upload`, read over the line."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def pieces(self) -> AsyncIterator[bytes]:
        """Its bytes."""
        at = 0
        # One piece after the other: a skill that works slowly does not gather the whole file in its memory.
        while piece := await self._line.call("Upload", "read", at=at):
            yield piece
            at += len(piece)

    async def report(self, *, kept: int, refused: int = 0, rows: Mapping[int, str] | None = None) -> None:
        """How it went. Of the rows a few are sent: whoever reads it mends the file by the first of them."""
        told = [[number, word] for number, word in islice((rows or {}).items(), MOST_ROWS_SHOWN)]
        await self._line.call("Upload", "report", kept=kept, refused=refused, rows=told)


class RemoteHttp:
    """`Http`, asked over the line."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def get(self, url: str, *, headers: Mapping[str, str] | None = None) -> Response:
        """The answer to a GET."""
        return Response(**await self._line.call("Http", "get", url=url, headers=dict(headers or {})))

    async def post(self, url: str, body: bytes, *, headers: Mapping[str, str] | None = None) -> Response:
        """The answer to a POST."""
        return Response(**await self._line.call("Http", "post", url=url, body=body, headers=dict(headers or {})))


class RemoteFiles:
    """`Files`, asked over the line."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def list(self, folder: str) -> list[FolderFile]:
        """The files in it."""
        found = await self._line.call("Files", "list", folder=folder)
        return [FolderFile(name, size, datetime.fromtimestamp(changed, UTC)) for name, size, changed in found]

    async def read(self, folder: str, name: str) -> bytes:
        """What the file holds."""
        content: bytes = await self._line.call("Files", "read", folder=folder, name=name)
        return content


class RemoteKnowledge:
    """`Knowledge`, asked over the line."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def search(self, query: str, *, limit: int = 5) -> list[Passage]:
        """The nearest passages."""
        return [Passage(**one) for one in await self._line.call("Knowledge", "search", query=query, limit=limit)]


class RemoteNotify:
    """`Notify`, asked over the line."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def subscribe(self, topic: str) -> None:
        """From now on."""
        await self._line.call("Notify", "subscribe", topic=topic)

    async def unsubscribe(self, topic: str) -> None:
        """No more."""
        await self._line.call("Notify", "unsubscribe", topic=topic)

    async def subscribers(self, topic: str, reply: Answer, *, once: str = "") -> int:
        """Tell them."""
        replies = [to_wire(one) for one in replies_of(reply)]
        return int(await self._line.call("Notify", "subscribers", topic=topic, replies=replies, once=once))


class RemoteHandoff:
    """`Handoff`, asked over the line."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def request(self, summary: str) -> int:
        """Ask for a human."""
        return int(await self._line.call("Handoff", "request", summary=summary))


class RemoteSkills:
    """`Skills`, asked over the line."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def ask(self, skill: str, what: str, /, **arguments: Any) -> Any:  # noqa: ANN401 (plain values)
        """What the other returns."""
        return await self._line.call("Skills", "ask", skill=skill, what=what, arguments=arguments)


class RemoteVectors:
    """`Vectors`, asked over the line."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector each."""
        vectors: list[list[float]] = await self._line.call("Vectors", "embed", texts=list(texts))
        return vectors


class RemoteSecrets:
    """`Secrets`, asked over the line."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def get(self, name: str) -> str:
        """Its value."""
        return str(await self._line.call("Secrets", "get", name=name))


class OwnClock:
    """`Clock`: the machine's, for which nobody need be asked."""

    def now(self) -> datetime:
        """The time."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


def remote(capability: str, line: Line) -> Any:  # noqa: ANN401 (any of them)
    """The capability of that name, over this line."""
    if capability in {"UserStore", "SharedStore"}:
        return RemoteStore(line, capability)
    if capability == "Clock":
        return OwnClock()
    return _KINDS[capability](line)


_KINDS: Mapping[str, type] = {
    "Model": RemoteModel,
    "Crowd": RemoteCrowd,
    "Upload": RemoteUpload,
    "Http": RemoteHttp,
    "Files": RemoteFiles,
    "Knowledge": RemoteKnowledge,
    "Notify": RemoteNotify,
    "Handoff": RemoteHandoff,
    "Skills": RemoteSkills,
    "Vectors": RemoteVectors,
    "Secrets": RemoteSecrets,
}
