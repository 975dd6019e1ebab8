"""Surges in simulated news: how often chance alone raises an alarm, and how soon a threefold rise is found."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from parlour_finance_sentiment.surge import (
    HISTORY_DAYS,
    LEAST_DAYS,
    PERIODS_A_DAY,
    WINDOWS,
    History,
    find_surge,
    variation_of,
)

YEARS: Final = 4
RUNS: Final = 200
_DAYS: Final = 365
# After an alarm the same surge is not told again; it is over when four hours are as usual.
_OVER_AFTER: Final = PERIODS_A_DAY // 6
# How much news each hour has, mornings and afternoons most; weekends have less.
_HOURS: Final = (
    0.3, 0.2, 0.2, 0.2, 0.2, 0.3, 0.6, 1.1, 1.7, 2.0, 2.0, 1.8, 1.6, 1.7, 1.9, 1.9, 1.7, 1.3, 0.9, 0.7, 0.6, 0.5, 0.4,
    0.3,
)  # fmt: skip
_WEEKEND: Final = 0.4

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class News:
    """Negative items of one subject: `rate` a period on average. `bursts` and `days` are how much half hours, and
    whole days, vary beyond chance (the relative variance; 0 is a Poisson process).
    """

    name: str
    rate: float
    has_hours: bool = True
    bursts: float = 0.0
    days: float = 0.0

    def drawn(self, days: int, chance: np.random.Generator, *, factor: float = 1.0) -> Counts:
        """Counts of so many days from a Monday on, period by period."""
        rates = np.full((days, PERIODS_A_DAY), self.rate * factor)
        if self.has_hours:
            hours = np.repeat(np.array(_HOURS), PERIODS_A_DAY // 24)
            rates *= hours / hours.mean()
            rates[np.arange(days) % 7 >= 5] *= _WEEKEND  # noqa: PLR2004 (Saturday)
        if self.days:
            rates *= chance.gamma(1 / self.days, self.days, (days, 1))
        if self.bursts:
            rates *= chance.gamma(1 / self.bursts, self.bursts, rates.shape)
        return chance.poisson(rates).ravel()


KINDS: Final = (
    News("steady, 2 an hour", 1.0, has_hours=False),
    News("with hours and weekends, 2 an hour", 1.0),
    News("rare, 2 a day", 2 / PERIODS_A_DAY),
    News("bursts", 2.0, bursts=0.3),
    News("busy and calm days", 2.0, days=0.1),
    News("bursts, busy days, 20 an hour", 10.0, bursts=0.1, days=0.05),
)
_SET: Final = (4.0, 52.0)
_RISES: Final = (1.0, 2.0, 4.0, 6.0, 8.0, 12.0, 20.0)


def measure(seed: int) -> Mapping[str, list[dict[str, Any]]]:
    """False alarms over simulated years, and threefold rises found."""
    false = [
        {
            "news": news.name,
            "years": YEARS,
            "alarms a year, set": alarms,
            "false alarms a year, found": round(false_alarms(news, alarms, YEARS, seed) / YEARS, 2),
        }
        for news in KINDS
        for alarms in _SET
    ]
    rises = [
        {
            "negative items a period": rate,
            "runs": RUNS,
            **{f"found within 2 periods, {alarms:g} alarms a year": share(rate, alarms, RUNS, seed) for alarms in _SET},
        }
        for rate in _RISES
    ]
    return {"Surges: false alarms": false, "Surges: a threefold rise": rises}


def false_alarms(news: News, alarms_a_year: float, years: int, seed: int) -> int:
    """How many alarms so many years of news without any surge raise."""
    chance = np.random.default_rng([seed, *news.name.encode()])
    counts = news.drawn(HISTORY_DAYS + years * _DAYS, chance)
    history = History(counts.tolist(), 0)
    end, found = HISTORY_DAYS * PERIODS_A_DAY, 0
    varies: dict[int, float] = {}
    while end < len(counts):
        end += 1
        if end % PERIODS_A_DAY == 1:
            # Once a day: it changes little, and takes most of the time.
            varies = {window: variation_of(history, window, end) for window in WINDOWS}
        if find_surge(history, alarms_a_year=alarms_a_year, end=end, variation=varies.__getitem__):
            found += 1
            end += _OVER_AFTER
    return found


def share(rate: float, alarms_a_year: float, runs: int, seed: int) -> float:
    """In which share of runs a rise to three times as many negative items is found within two polls.

    News has its hours; the rise comes at an hour and on a workday drawn by chance, when `rate` a period are usual.
    """
    chance = np.random.default_rng([seed, int(rate * 100), int(alarms_a_year)])
    found = 0
    for _ in range(runs):
        counts = News("", rate, has_hours=False).drawn(HISTORY_DAYS + LEAST_DAYS, chance)
        begins = (HISTORY_DAYS + int(chance.integers(LEAST_DAYS))) * PERIODS_A_DAY + int(chance.integers(PERIODS_A_DAY))
        counts[begins:] = chance.poisson(3 * rate, len(counts) - begins)
        history = History(counts.tolist(), 0)
        ends = (begins + 1, begins + 2)
        found += any(find_surge(history, alarms_a_year=alarms_a_year, end=end) for end in ends if end <= len(counts))
    return round(found / runs, 3)
