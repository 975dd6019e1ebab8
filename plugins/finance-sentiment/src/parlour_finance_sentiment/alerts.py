"""Telling conversations of surges: once, outside of quiet hours, with the items behind and a chart."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from parlour.sdk import Button, Buttons, Chart, Notify, Reply, Series, Text
from parlour_finance_sentiment.items import Judged
from parlour_finance_sentiment.quiet import Quiet
from parlour_finance_sentiment.shelf import Shelf, period_start
from parlour_finance_sentiment.subjects import Subjects
from parlour_finance_sentiment.watching import behind, test
from parlour_finance_sentiment.wording import say

_CHART_HOURS: Final = 24
_MOST_ODDS: Final = 1_000_000_000


async def look(
    shelf: Shelf,
    notify: Notify,
    subjects: Subjects,
    now: datetime,
    *,
    alarms_a_year: float,
    quiet: Quiet | None,
    language: str,
) -> None:
    """Test all that is watched, and tell what is to be told now."""
    for subject in await shelf.watched():
        surge = await test(shelf, subject, now, alarms_a_year=alarms_a_year)
        # What is found in quiet hours stays untold, and is due as soon as they are over.
        if surge is None or (quiet and quiet.holds(now)):
            continue
        if not surge["is_told"]:
            replies = await alarm(shelf, subjects, subject, surge, now, language=language)
            told = await notify.subscribers(subject, replies, once=f"surge {surge['at']}")
            await _told(shelf, subject, told)
        elif not surge["is_open"] and not surge["is_acknowledged"]:
            calm = say("calm", language, subject=subjects.shown(subject, language))
            await notify.subscribers(subject, calm, once=f"calm {surge['at']}")


async def _told(shelf: Shelf, subject: str, conversations: int) -> None:
    surges = await shelf.surges(subject)
    surges[-1]["is_told"] = True
    await shelf.put_surges(subject, surges)
    if not conversations:
        await shelf.unwatch(subject)


async def alarm(
    shelf: Shelf, subjects: Subjects, subject: str, surge: dict[str, Any], now: datetime, *, language: str
) -> list[Reply]:
    """The alert: what was found, the items behind it, the last day as a chart, and what can be done."""
    shown = subjects.shown(subject, language)
    odds = min(_MOST_ODDS, round(1 / max(surge["chance"], 1 / _MOST_ODDS)))
    text = say(
        "alarm", language, subject=shown, odds=odds, **{name: surge[name] for name in ("count", "hours", "expected")}
    )
    found_at = datetime.fromisoformat(surge["at"])
    if period_start(found_at) != period_start(now):
        text += say("found_at", language, at=f"{found_at:%H:%M}")
    items = listed(await behind(shelf, subject, surge))
    replies: list[Reply] = [Text("\n\n".join([text, f"{say('behind', language)}\n{items}"]))]
    replies.append(await hours_chart(shelf, subject, shown, found_at, language=language))
    buttons = (
        Button(say("ack_button", language), f"/finance ack {subject}"),
        Button(say("why_button", language), f"/finance why {subject}"),
    )
    return [*replies, Buttons(say("ack_hint", language, subject=subject), buttons)]


def listed(items: Sequence[Judged]) -> str:
    """Items as a list, each with its label, its words and its source."""
    return "\n".join(f"- {_line(judged)}" for judged in items)


async def hours_chart(shelf: Shelf, subject: str, shown: str, now: datetime, *, language: str) -> Chart:
    """Negative items of the last day, by hour."""
    end = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    start = end - timedelta(hours=_CHART_HOURS)
    counts = [negative for negative, _, _ in await shelf.counts(subject, start, end)]
    step = len(counts) // _CHART_HOURS
    values = tuple(float(sum(counts[at : at + step])) for at in range(0, len(counts), step))
    labels = tuple(f"{start + timedelta(hours=hour):%H:%M}" for hour in range(_CHART_HOURS))
    return Chart(
        say("chart_title", language, subject=shown), labels, (Series(say("negative", language), values),), kind="bar"
    )


def _line(judged: Judged) -> str:
    title = judged.item.title.replace("[", "(").replace("]", ")").replace("\n", " ")
    name = f"[{title}]({judged.item.link})" if judged.item.link else title
    words = f" ({', '.join(judged.words)})" if judged.words else ""
    source = f" – {judged.item.source}" if judged.item.source else ""
    return f"{judged.score:+.2f} {name}{words}{source}"
