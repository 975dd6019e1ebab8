"""`/finance` and all that stands behind it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from parlour.sdk import Clock, Model, Notify, Reply, SharedStore, Turn, UserStore
from parlour_finance_sentiment import teaching
from parlour_finance_sentiment.alerts import hours_chart, listed
from parlour_finance_sentiment.answers import answered
from parlour_finance_sentiment.definition import Settings, problems_of, skill
from parlour_finance_sentiment.desk import Desk, advice
from parlour_finance_sentiment.feeds import read_text
from parlour_finance_sentiment.judging import Judge
from parlour_finance_sentiment.readers import readers_of
from parlour_finance_sentiment.shelf import MOST_ITEMS_A_DAY, Shelf
from parlour_finance_sentiment.surge import LEAST_DAYS
from parlour_finance_sentiment.trend import mood, trend_of
from parlour_finance_sentiment.watching import behind, is_about, take_in

_TREND_DAYS: Final = 14
_MOST_TREND_DAYS: Final = 90
_WHY_HOURS: Final = 48
_LISTED: Final = 8
# More labels take longer to learn from than a person waits: the next poll does it.
_MOST_AT_ONCE: Final = 500

Replies = list[Reply | str]


@skill.command(
    "finance", "Sentiment of financial news: watch, trend, why, ask", zh="财经新闻情绪：watch、trend、why、ask"
)
async def finance(
    turn: Turn, model: Model, shared: SharedStore, mine: UserStore, notify: Notify, clock: Clock, settings: Settings
) -> AsyncIterator[Reply | str]:
    """All that `/finance` does."""
    if note := await advice(turn, mine):
        yield note
    desk = Desk(turn, Shelf(shared), clock.now(), settings)
    word, _, rest = turn.text.strip().partition(" ")
    match _MEANT.get(word.casefold(), word.casefold()):
        case "watch":
            yield await _watch(desk, notify, rest.strip())
        case "unwatch":
            yield await _unwatch(desk, notify, rest.strip())
        case "ask":
            async for piece in answered(desk, model, rest.strip()):
                yield piece
        case name:
            does = _DOES.get(name)
            for reply in await does(desk, rest.strip()) if does else [desk.say("help")]:
                yield reply


async def _watch(desk: Desk, notify: Notify, said: str) -> str:
    subject, shown = await desk.meant(said)
    if subject is None:
        return shown
    await notify.subscribe(subject)
    await desk.shelf.watch(subject)
    text = desk.say("watching", subject=shown, rate=desk.settings.alarms_a_year)
    # Weekends are compared with weekends: the first days that are alike take a week or two.
    ready = await desk.shelf.began(desk.now) + timedelta(days=LEAST_DAYS + 2)
    if ready > desk.now:
        text += desk.say("learning", day=ready)
    return text if desk.settings.sources else f"{text}\n\n{desk.say('no_sources')}"


async def _unwatch(desk: Desk, notify: Notify, said: str) -> str:
    subject, shown = await desk.meant(said)
    if subject is None:
        return shown
    await notify.unsubscribe(subject)
    return desk.say("unwatched", subject=shown)


async def _trend(desk: Desk, said: str) -> Replies:
    """`NVDA` or `NVDA 30`: of so many days."""
    name, _, last = said.rpartition(" ")
    is_days = last.isdecimal() and 0 < int(last) <= _MOST_TREND_DAYS and bool(name)
    days = int(last) if is_days else _TREND_DAYS
    subject, shown = await desk.meant(name if is_days else said)
    if subject is None:
        return [shown]
    found = await trend_of(desk.shelf, subject, desk.now, days)
    negative, neutral, positive = found.total
    if not negative + neutral + positive:
        return [desk.say("nothing", subject=shown, days=days)]
    told = desk.say(
        "trend", subject=shown, days=days, negative=negative, neutral=neutral, positive=positive,
        mood=mood(found.total), change=mood(found.total) - mood(found.before),
    )  # fmt: skip
    return [told, found.chart(shown, desk.turn.language)]


async def _why(desk: Desk, said: str) -> Replies:
    subject, shown = await desk.meant(said)
    if subject is None:
        return [shown]
    surges = await desk.shelf.surges(subject)
    recent = desk.now - timedelta(days=7)
    if surges and datetime.fromisoformat(surges[-1]["until"]) >= recent:
        surge = surges[-1]
        at = datetime.fromisoformat(surge["at"])
        known = {name: surge[name] for name in ("count", "hours", "expected", "days", "chance")}
        text = desk.say("why_surge", subject=shown, at=f"{at:%Y-%m-%d %H:%M}", **known)
        items = listed(await behind(desk.shelf, subject, surge, most=_LISTED))
        return [f"{text}\n\n{items}", await hours_chart(desk.shelf, subject, shown, at, language=desk.turn.language)]
    found = await desk.shelf.since(desk.now - timedelta(hours=_WHY_HOURS), desk.now)
    about = sorted((one for one in found if is_about(one, subject)), key=lambda one: -abs(one.score))
    if not about:
        return [desk.say("nothing", subject=shown, days=_WHY_HOURS // 24)]
    return [f"{desk.say('why_today', subject=shown)}\n\n{listed(about[:_LISTED])}"]


async def _read(desk: Desk, text: str) -> Replies:
    items = read_text(text, "pasted", desk.now)
    if not items:
        return [desk.say("say_text")]
    judge = Judge(await readers_of(desk.shelf), await desk.subjects())
    taken = await take_in(desk.shelf, judge, items, desk.now)
    lines = [listed([one]) + _tags(one.entities, one.topics) for one in taken.kept]
    if taken.repeated:
        lines.append(desk.say("repeated", number=taken.repeated))
    if taken.without_room:
        lines.append(desk.say("full", number=taken.without_room, most=MOST_ITEMS_A_DAY))
    return ["\n".join(lines)]


def _tags(*groups: tuple[str, ...]) -> str:
    tags = [tag for group in groups for tag in group]
    return f" [{', '.join(tags)}]" if tags else ""


async def _acknowledge(desk: Desk, said: str) -> Replies:
    subject, shown = await desk.meant(said)
    if subject is None:
        return [shown]
    surges = await desk.shelf.surges(subject)
    if not surges or not surges[-1]["is_open"]:
        return [desk.say("no_surge", subject=shown)]
    surges[-1] |= {"is_acknowledged": True, "is_told": True}
    await desk.shelf.put_surges(subject, surges)
    return [desk.say("acknowledged", subject=shown)]


async def _sources(desk: Desk, _: str) -> Replies:
    known = await desk.shelf.sources()
    lines = []
    folder = desk.settings.folder
    for line in [*desk.settings.sources, *([f"folder {folder}"] if folder else [])]:
        url = next((word for word in line.split() if word.startswith("https://")), line)
        state = known.get(url)
        if state is None:
            lines.append(desk.say("source_new", url=url))
        elif state["problem"]:
            lines.append(desk.say("source_ill", url=url, problem=state["problem"]))
        else:
            at = datetime.fromisoformat(state["at"])
            lines.append(desk.say("source_well", url=url, items=state["items"], at=f"{at:%Y-%m-%d %H:%M}"))
    lines = lines or [desk.say("no_sources")]
    return ["\n".join([*lines, *problems_of(desk.settings)])]


async def _label(desk: Desk, rest: str) -> Replies:
    if not desk.is_admin:
        return [desk.say("admins")]
    word, _, text = rest.partition(" ")
    label = teaching.label_of(word)
    if label is None or not text.strip():
        return [desk.say("say_label")]
    labels = [*await desk.shelf.labels(), (text.strip(), label)]
    await desk.shelf.put_labels(labels)
    return [desk.say("labelled", number=len(labels))]


async def _retrain(desk: Desk, _: str) -> Replies:
    if not desk.is_admin:
        return [desk.say("admins")]
    if len(await desk.shelf.labels()) > _MOST_AT_ONCE:
        await desk.shelf.ask_for_learning()
        return [desk.say("learns_later")]
    return ["\n".join(await teaching.retrain(desk.shelf, desk.turn.language))]


# What people type in Chinese for each.
_MEANT: Final[Mapping[str, str]] = {
    "关注": "watch", "取消关注": "unwatch", "趋势": "trend", "为什么": "why", "提问": "ask", "阅读": "read",
    "知悉": "ack", "来源": "sources", "标注": "label", "训练": "retrain",
}  # fmt: skip
_DOES: Final[Mapping[str, Callable[[Desk, str], Awaitable[Replies]]]] = {
    "trend": _trend,
    "why": _why,
    "read": _read,
    "ack": _acknowledge,
    "sources": _sources,
    "label": _label,
    "retrain": _retrain,
}
