"""What one person did: liked, looked at, put away. It lies in the person's own store and nowhere else."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from parlour.sdk import Clock, UserStore

Kind = Literal["view", "click", "like", "comment", "share", "buy", "dismiss"]
LIKING: Final = frozenset({"like", "comment", "share", "buy"})
LOOKING: Final = frozenset({"view", "click"})
# The store hands out a thousand documents of a kind; the oldest go before that.
_MOST: Final = 900
_MADE_ROOM: Final = 100


@dataclass(frozen=True, slots=True)
class Did:
    """One thing that the person did with one item; the last of its kind."""

    item: str
    kind: Kind
    at: float


@dataclass(frozen=True, slots=True)
class History:
    """All of it, oldest first."""

    liked: tuple[Did, ...] = ()
    seen: tuple[Did, ...] = ()
    dismissed: tuple[Did, ...] = ()

    @property
    def told(self) -> tuple[Did, ...]:
        """What speaks of the person's taste: what was liked, or looked at where nothing was liked yet."""
        return self.liked or self.seen


async def remember(mine: UserStore, clock: Clock, item: str, kind: Kind) -> None:
    """Keep that the person did this. Liking what was put away takes it back, and the other way round."""
    shelf = "dismissed" if kind == "dismiss" else "liked" if kind in LIKING else "seen"
    if shelf == "seen" and await mine.get("liked", item):
        return
    await _make_room(mine, shelf)
    await mine.put(shelf, {"item": item, "did": kind, "at": clock.now().timestamp()}, id=item)
    # Looking at something takes nothing back.
    for other in {"liked": ("dismissed", "seen"), "dismissed": ("liked", "seen"), "seen": ()}[shelf]:
        await mine.delete(other, item)


async def recall(mine: UserStore) -> History:
    """What the person did so far."""
    liked, seen, dismissed = [await mine.all(shelf) for shelf in ("liked", "seen", "dismissed")]
    return History(_did(liked), _did(seen), _did(dismissed))


async def forget(mine: UserStore) -> int:
    """Delete all of it; how many things were known."""
    count = 0
    for shelf in ("liked", "seen", "dismissed", "shown"):
        while documents := await mine.all(shelf):
            for document in documents:
                await mine.delete(shelf, document["id"])
            count += len(documents) if shelf != "shown" else 0
    return count


async def _make_room(mine: UserStore, shelf: str) -> None:
    documents = await mine.all(shelf)
    if len(documents) >= _MOST:
        for document in sorted(documents, key=_at)[:_MADE_ROOM]:
            await mine.delete(shelf, document["id"])


def _did(documents: list[dict[str, Any]]) -> tuple[Did, ...]:
    return tuple(Did(one["item"], one["did"], one["at"]) for one in sorted(documents, key=_at))


def _at(document: Mapping[str, Any]) -> float:
    return float(document["at"])
