"""What the process knows of its workspace: catalogue, behaviour and blend, read again only when they changed."""

import asyncio
from dataclasses import dataclass

from parlour.sdk import SharedStore
from parlour_recommendation.behaviour import Behaviour, added_up
from parlour_recommendation.blend import SIGNS, Blend
from parlour_recommendation.catalogue import Catalogue
from parlour_recommendation.pages import Head, Writer, head, read, slices
from parlour_recommendation.ranker import Ranker, ranker

# Behaviour from logs that an operator handed in, and of those who talk to the assistant.
PAST, OWN = "past", "own"


@dataclass(frozen=True, slots=True)
class Known:
    """All that a recommendation needs but the person."""

    catalogue: Catalogue
    ranker: Ranker
    blend: Blend


class Knowing:
    """The last `Known`, and of which versions it is."""

    def __init__(self) -> None:
        self._heads: tuple[Head, ...] = ()
        self._catalogue: tuple[Head, Catalogue] | None = None
        self._ranker: Ranker | None = None
        self._lock = asyncio.Lock()

    async def now(self, shared: SharedStore) -> Known | None:
        """What is known now; None where there is no catalogue yet."""
        # Whoever comes while it is read waits for it, rather than reading it a second time.
        async with self._lock:
            try:
                return await self._read(shared)
            except LookupError:  # replaced while it was read: what took its place is whole
                return await self._read(shared)

    async def _read(self, shared: SharedStore) -> Known | None:
        heads = (await head(shared, "catalogue"), await head(shared, PAST), await head(shared, OWN))
        if not heads[0].size:
            return None
        if heads != self._heads or self._ranker is None or self._catalogue is None:
            catalogue = await self._catalogue_of(shared, heads[0])
            behaviour = added_up(await behaviour_of(shared, PAST), await behaviour_of(shared, OWN))
            # Seconds of computing: meanwhile the process answers others.
            self._ranker = await asyncio.to_thread(ranker, catalogue, behaviour)
            self._catalogue, self._heads = (heads[0], catalogue), heads
        return Known(self._catalogue[1], self._ranker, await blend_of(shared))

    async def _catalogue_of(self, shared: SharedStore, which: Head) -> Catalogue:
        if self._catalogue is not None and self._catalogue[0] == which:
            return self._catalogue[1]
        return await Catalogue.load(shared, which)


async def behaviour_of(shared: SharedStore, kind: str) -> Behaviour:
    """What is stored of it; empty where nothing is."""
    which = await head(shared, kind)
    if not which.pages:
        return Behaviour()
    return Behaviour.unpacked(b"".join([page async for page in read(shared, kind, which)]))


async def keep_behaviour(shared: SharedStore, kind: str, found: Behaviour, *, now: float) -> None:
    """Store it, in the place of what was there."""
    writer = Writer(shared, kind, await head(shared, kind))
    for page in slices(found.packed()):
        await writer.add(page)
    await writer.finish(size=len(found.items), at=now)


async def blend_of(shared: SharedStore) -> Blend:
    """The blend as it was learned; the default before that."""
    found = await shared.get("state", "blend")
    weights = tuple(found["weights"]) if found else ()
    return Blend(weights) if len(weights) == 2 * len(SIGNS) else Blend()


async def keep_blend(shared: SharedStore, blend: Blend) -> None:
    """Store it."""
    await shared.put("state", {"weights": list(blend.weights)}, id="blend")
