"""How the news of a company or topic changed, day by day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from parlour.sdk import Chart, Series
from parlour_finance_sentiment.items import LABELS
from parlour_finance_sentiment.shelf import Shelf
from parlour_finance_sentiment.surge import PERIODS_A_DAY
from parlour_finance_sentiment.wording import say

Counts = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Trend:
    """Counts of each of the last days (negative, neutral, positive), and of as many days before together."""

    days: tuple[tuple[datetime, Counts], ...]
    before: Counts

    @property
    def total(self) -> Counts:
        """All days together."""
        return added([counts for _, counts in self.days])

    def chart(self, shown: str, language: str) -> Chart:
        """A line for each label, a point for each day."""
        series = tuple(
            Series(say(label, language), tuple(float(counts[place]) for _, counts in self.days))
            for place, label in enumerate(LABELS)
        )
        title = say("trend_title", language, subject=shown, days=len(self.days))
        return Chart(title, tuple(f"{day:%m-%d}" for day, _ in self.days), series)


async def trend_of(shelf: Shelf, subject: str, now: datetime, days: int) -> Trend:
    """The trend of a subject, today included."""
    tomorrow = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    start = tomorrow - timedelta(days=days)
    counts = await shelf.counts(subject, start, tomorrow)
    by_day = [added(counts[at : at + PERIODS_A_DAY]) for at in range(0, len(counts), PERIODS_A_DAY)]
    before = added(await shelf.counts(subject, start - timedelta(days=days), start))
    return Trend(tuple((start + timedelta(days=at), of_day) for at, of_day in enumerate(by_day)), before)


def added(counts: Sequence[Counts]) -> Counts:
    """Counts of several spans together."""
    negative, neutral, positive = (sum(one[place] for one in counts) for place in range(3))
    return negative, neutral, positive


def mood(counts: Counts) -> float:
    """From -1, all negative, to 1, all positive; 0 where there is nothing."""
    negative, _, positive = counts
    return (positive - negative) / (sum(counts) or 1)
