"""What comes from elsewhere: files, events, other skills and the model asking, and what is learned by itself."""

import asyncio
from typing import Any

from parlour.sdk import Clock, Crowd, SharedStore, Turn, Upload, UserStore
from parlour_recommendation.asking import told, why
from parlour_recommendation.behaviour import STEP_WITHIN, WINDOWS, behaviour, from_likings
from parlour_recommendation.catalogue import Report, rows_of, take_in
from parlour_recommendation.choosing import choose, note_event
from parlour_recommendation.history import Kind, recall
from parlour_recommendation.knowing import OWN, PAST, behaviour_of, keep_behaviour, keep_blend
from parlour_recommendation.learning import learned_from
from parlour_recommendation.log import read_log
from parlour_recommendation.texts import say
from parlour_recommendation.trade import MOST_SHOWN, Settings, knowing, skill


@skill.imports("catalogue", "Items as CSV or JSON lines: id, title, tags, text, url, added", zh="目录：CSV 或 JSON 行")
async def take_catalogue(upload: Upload, shared: SharedStore, clock: Clock) -> str:
    """Make the file the catalogue. A row that cannot be used is told by its number; the others are kept."""
    report = await take_in(shared, rows_of(upload.pieces()), now=clock.now().timestamp())
    await _tell(upload, report)
    return told(report, "en")


@skill.imports(
    "behaviour", "What people did, as CSV or JSON lines: person, item, kind, time", zh="行为记录：CSV 或 JSON 行"
)
async def take_behaviour(upload: Upload, shared: SharedStore) -> str:
    """Learn from a log: what at least five people share is kept, as counts, and how much each sign counts."""
    known = await knowing.now(shared)
    if known is None:
        await upload.report(kept=0)
        return say("en", "no_catalogue")
    log = await read_log(rows_of(upload.pieces()), known.catalogue)
    await _tell(upload, log.report)
    if not log.likings:
        return told(log.report, "en")
    now = max(one.at for one in log.likings)
    found = await asyncio.to_thread(from_likings, log.likings, now=now)
    await keep_behaviour(shared, PAST, found, now=now)
    blend = await asyncio.to_thread(learned_from, log.likings, log.seen, known.catalogue, start=known.blend)
    await keep_blend(shared, blend)
    shared_by_many = f"{len(found.items):,} items were liked by five people or more; that is what is kept of it."
    return f"{told(log.report, 'en')}\n{shared_by_many}"


async def _tell(upload: Upload, report: Report) -> None:
    """Whether the file was of any use, for the command that handed it in."""
    await upload.report(kept=report.kept, refused=report.broken, rows={one.number: one.problem for one in report.first})


@skill.event("did")
async def did(
    item: str, kind: Kind, *, shared: SharedStore, mine: UserStore, clock: Clock, settings: Settings
) -> dict[str, Any]:
    """A person viewed, clicked, liked, commented on, shared, bought or dismissed an item of the catalogue."""
    found = await note_event(shared, mine, clock, settings, name=item, kind=kind)
    return {"kept": found is not None, "problem": "" if found else "The catalogue has no item of this id."}


@skill.offers
async def recommend(
    about: str = "", most: int = MOST_SHOWN, *, turn: Turn, shared: SharedStore, mine: UserStore, clock: Clock,
    settings: Settings,
) -> list[dict[str, str]]:  # fmt: skip
    """Items of the catalogue that the person may like, as `recommend_items` gives the model: id, title, why, url.

    In a group the reason is left out where it would tell everyone what the person liked.
    """
    return await _found(about, most, turn=turn, shared=shared, mine=mine, clock=clock, settings=settings)


@skill.tool
async def recommend_items(
    about: str = "", most: int = MOST_SHOWN, *, turn: Turn, shared: SharedStore, mine: UserStore, clock: Clock,
    settings: Settings,
) -> list[dict[str, str]]:  # fmt: skip
    """Items of the organisation's catalogue that the person may like, each with the reason; `about` narrows it down."""
    return await _found(about, most, turn=turn, shared=shared, mine=mine, clock=clock, settings=settings)


async def _found(
    about: str, most: int, *, turn: Turn, shared: SharedStore, mine: UserStore, clock: Clock, settings: Settings
) -> list[dict[str, str]]:
    known = await knowing.now(shared)
    if known is None:
        return []
    choices = await choose(known, await recall(mine), clock, settings, asked=about, most=most)
    return [
        {
            "id": one.item.id,
            "title": one.item.title,
            "why": why(one, turn.language) if turn.is_private or one.source is None else "",
            "url": one.item.url,
        }
        for one in choices
    ]


@skill.every("1h")
async def learn(crowd: Crowd, shared: SharedStore, clock: Clock) -> None:
    """Count anew what people here like; what was taken back or erased is in it no more."""
    counts = [await crowd.counts("liked", "item", days=days or None) for days in WINDOWS]
    together = [pair async for pair in crowd.pairs("liked", "item")]
    steps = [pair async for pair in crowd.pairs("liked", "item", within=STEP_WITHIN)]
    found = behaviour(counts, together, steps)
    # What is the same is not stored anew: every process would read it again.
    if not found.is_same(await behaviour_of(shared, OWN)):
        await keep_behaviour(shared, OWN, found, now=clock.now().timestamp())
