"""From a person's history to what is shown: the one way for chat, tool and buttons."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from parlour.sdk import Clock, SharedStore, UserStore
from parlour_recommendation.history import History, Kind, recall, remember
from parlour_recommendation.items import Item
from parlour_recommendation.knowing import Known, keep_blend
from parlour_recommendation.ranker import Reason, Taste
from parlour_recommendation.trade import MOST_SHOWN, Settings, knowing

_DAY_S = 86_400
_MOST_REMEMBERED = 200


@dataclass(frozen=True, slots=True)
class Choice:
    """An item to show and why: for "because", the item it comes from and what the person did with that."""

    item: Item
    reason: Reason
    source: Item | None = None
    did: Kind | None = None


async def choose(
    known: Known, history: History, clock: Clock, settings: Settings, *, asked: str = "", passed: Collection[str] = (),
    most: int = MOST_SHOWN,
) -> list[Choice]:  # fmt: skip
    """What to recommend; nothing of what was liked, put away or `passed` over."""
    taste = taste_of(known, history, settings, passed)
    found = known.ranker.suggest(
        taste, known.blend, today=int(clock.now().timestamp() // _DAY_S), asked=asked,
        most=max(1, min(most, settings.most, MOST_SHOWN)), variety=max(0.0, settings.variety),
    )  # fmt: skip
    did = {one.item: one.kind for one in history.told}
    made = []
    for one in found:
        source = known.catalogue.item(one.source) if one.source >= 0 else None
        kind = did.get(source.id) if source else None
        made.append(Choice(known.catalogue.item(one.place), one.reason, source, kind))
    return made


def taste_of(known: Known, history: History, settings: Settings, passed: Collection[str] = ()) -> Taste:
    """The person by places in the catalogue."""
    told = known.catalogue.places([one.item for one in history.told])
    seen = () if settings.again else history.seen
    hidden = [one.item for one in (*history.liked, *history.dismissed, *seen)]
    return Taste(told[told >= 0], known.catalogue.places([*hidden, *passed]))


async def shown_to(mine: UserStore) -> list[str]:
    """What was recommended to the person since the last fresh start, the last page at the end."""
    found = await mine.get("shown", "last")
    return list(found["items"]) if found else []


async def note_shown(mine: UserStore, before: Sequence[str], choices: Sequence[Choice]) -> None:
    """Remember it, for "more" and to learn from what is chosen of it."""
    page = [choice.item.id for choice in choices]
    await mine.put("shown", {"items": [*before, *page][-_MOST_REMEMBERED:], "page": page}, id="last")


async def note_event(
    shared: SharedStore, mine: UserStore, clock: Clock, settings: Settings, *, name: str, kind: Kind
) -> Item | None:
    """Keep what the person did, and learn from it; the item, None where the catalogue has none of that id."""
    known = await knowing.now(shared)
    item = known.catalogue.find(name) if known else None
    if known is None or item is None:
        return None
    if kind not in {"view", "click"}:
        await _learn(known, shared, mine, clock, settings, name=name, is_good=kind != "dismiss")
    await remember(mine, clock, name, kind)
    return item


async def _learn(
    known: Known, shared: SharedStore, mine: UserStore, clock: Clock, settings: Settings, *, name: str, is_good: bool
) -> None:
    """Move the blend towards what was chosen of the last page. Only its weights are kept, nothing of the choice."""
    found = await mine.get("shown", "last")
    page = found["page"] if found else []
    if name not in page:
        return
    places = known.catalogue.places(page)
    there = places >= 0
    taste = taste_of(known, await recall(mine), settings)
    person = known.ranker.know(taste)
    signs = known.ranker.signs(person, places[there], int(clock.now().timestamp() // _DAY_S))
    chosen = int(np.flatnonzero(np.array(page)[there] == name)[0])
    moved = known.blend.after(signs, person.count, chosen, is_good=is_good)
    await keep_blend(shared, moved)
