"""Whether bad news surges beyond chance: a conditional test of two rates, the recent one and the usual one.

Przyborowski and Wilenski (1940, Biometrika 31): of n events in two spans, the number in the first is binomial when the
rates are equal, whatever they are. News comes in bursts, so the binomial is widened to a beta-binomial, by how much the
history of this very subject varies beyond chance. What is usual is read from the same hours of earlier days, weekdays
apart from weekends: mornings are not compared with nights.

The false-alarm rate that the operator sets is shared out among all tests of a year (Bonferroni), so that it holds
without any assumption on how tests depend on each other.
"""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Final

PERIOD_MINUTES: Final = 30
PERIODS_A_DAY: Final = 24 * 60 // PERIOD_MINUTES
HISTORY_DAYS: Final = 28
# Lengths of what is "recent", in periods: half an hour to eight hours.
WINDOWS: Final = (1, 2, 4, 8, 16)
LEAST_DAYS: Final = 5
LEAST_ITEMS: Final = 3
_DAYS_A_YEAR: Final = 365
_SATURDAY: Final = 5
# Standard errors that variation is taken to be underestimated by.
_ERRORS: Final = 1.5
# Less is none: the beta functions of such large sizes would lose all their digits.
_LEAST_VARIATION: Final = 1e-5
# Below this there is nothing to test: it is no more than usual.
_LEAST_RATIO: Final = 1.3


@dataclass(frozen=True, slots=True)
class Surge:
    """What the test found: `count` items in the last `periods`, where `expected` are usual; `chance` is its p-value."""

    count: int
    expected: float
    periods: int
    chance: float
    days: int

    @property
    def hours(self) -> float:
        """How long the recent span is."""
        return self.periods * PERIOD_MINUTES / 60


class History:
    """Counts of bad items, period by period.

    `weekday` (Monday 0) and `period` (of the day) are those of the first count. `excluded` are periods of surges that
    were told already: they are not what is usual.
    """

    def __init__(self, counts: Sequence[int], weekday: int, period: int = 0, excluded: Collection[int] = ()) -> None:
        self.counts = counts
        self._period = period
        self._sums = [0, *accumulate(counts)]
        self._excluded = [0, *accumulate(int(place in excluded) for place in range(len(counts)))]
        days = ((weekday + (period + end - 1) // PERIODS_A_DAY) % 7 for end in range(len(counts) + 1))
        self._weekends = [day >= _SATURDAY for day in days]

    def is_weekend(self, end: int) -> bool:
        """Whether the last period before `end` is on a Saturday or Sunday."""
        return self._weekends[end]

    def is_due(self, end: int, step: int) -> bool:
        """Whether `end` is one of the times of the day, `step` periods apart."""
        return (self._period + end) % step == 0

    def total(self, end: int, length: int) -> int:
        """How many in the `length` periods before `end`."""
        return self._sums[end] - self._sums[max(0, end - length)]

    def usual(self, end: int, length: int) -> list[int]:
        """How many in the same span on each earlier day of the same kind, where nothing unusual is known."""
        ends = range(end - PERIODS_A_DAY, max(length, end - HISTORY_DAYS * PERIODS_A_DAY) - 1, -PERIODS_A_DAY)
        sums, told, weekends, kind = self._sums, self._excluded, self._weekends, self._weekends[end]
        return [
            sums[one] - sums[one - length] for one in ends if weekends[one] == kind and told[one] == told[one - length]
        ]

    def was_told(self, end: int, length: int) -> bool:
        """Whether a surge that was told already reaches into the span."""
        return self._excluded[end] != self._excluded[max(0, end - length)]


def alpha_of(window: int, alarms_a_year: float) -> float:
    """The p-value below which a test of this window alarms, so that all tests of a year give `alarms_a_year`."""
    tests_a_year = _DAYS_A_YEAR * PERIODS_A_DAY / _step(window)
    return alarms_a_year / len(WINDOWS) / tests_a_year


def find_surge(
    history: History,
    *,
    alarms_a_year: float,
    end: int | None = None,
    variation: Callable[[int], float] | None = None,
) -> Surge | None:
    """The least likely surge that ends before `end` (the history's own end); None where chance explains what there is.

    `variation` tells for a window how much counts vary beyond chance; left out, it is taken from the history.
    """
    end = len(history.counts) if end is None else end
    varies = variation or (lambda window: variation_of(history, window, end))
    found: Surge | None = None
    for window in WINDOWS:
        surge = _tested(history, end, window, varies) if history.is_due(end, _step(window)) else None
        if surge and surge.chance <= alpha_of(window, alarms_a_year) and (found is None or surge.chance < found.chance):
            found = surge
    return found


def is_calm(history: History) -> bool:
    """Whether the last four hours are as usual again: a surge that was told is over."""
    end, window = len(history.counts), 8
    usual = history.usual(end, window)
    return not usual or history.total(end, window) <= _LEAST_RATIO * sum(usual) / len(usual) + 1


def variation_of(history: History, window: int, end: int | None = None) -> float:
    """By how much counts vary beyond a Poisson's variance, as the square of their relative spread (1/size).

    By moments: the sum of (x - m)^2 - m over the sum of m^2, m being the mean of the same hours on days of a kind.
    """
    end = len(history.counts) if end is None else end
    beyond = squares = 0.0
    for offset in range(0, 2 * PERIODS_A_DAY, window):
        # Of both kinds of days the last one: what is usual there is a cell of counts that should be alike.
        if end - offset < window or (offset >= PERIODS_A_DAY and _is_seen(history, end, offset)):
            continue
        cell = history.usual(end - offset, window)
        if len(cell) >= LEAST_DAYS:
            mean = sum(cell) / len(cell)
            # Dividing by one less makes up for the mean being that of these very counts.
            beyond += sum((one - mean) ** 2 for one in cell) * len(cell) / (len(cell) - 1) - len(cell) * mean
            squares += len(cell) * mean * mean
    return max(0.0, beyond / squares * _caution(history, end)) if squares else 0.0


def _caution(history: History, end: int) -> float:
    """How much more variation there may be than was seen: a variance that is read from n days is off by sqrt(2 / n)."""
    return 1 + _ERRORS * math.sqrt(2 / max(LEAST_DAYS, len(history.usual(end, 1))))


def _is_seen(history: History, end: int, offset: int) -> bool:
    return history.is_weekend(end - offset) == history.is_weekend(end - offset + PERIODS_A_DAY)


def chance_of(count: int, usual: int, days: int, variation: float) -> float:
    """The probability of `count` or more in one span, where `days` such spans had `usual` together."""
    total = count + usual
    if variation < _LEAST_VARIATION:
        return _tail(count, total, lambda k: _binomial(k, total, days))
    size = 1 / variation
    return _tail(count, total, lambda k: _beta_binomial(k, total, size, size * days))


def _step(window: int) -> int:
    """Long spans change little from one period to the next: they are tested less often."""
    return max(1, window // 4)


def _tested(history: History, end: int, window: int, variation: Callable[[int], float]) -> Surge | None:
    count = history.total(end, window)
    if count < LEAST_ITEMS or history.was_told(end, window):
        return None
    usual = history.usual(end, window)
    if len(usual) < LEAST_DAYS or count * len(usual) < _LEAST_RATIO * sum(usual):
        return None
    chance = chance_of(count, sum(usual), len(usual), variation(window))
    return Surge(count, sum(usual) / len(usual), window, chance, len(usual))


def _tail(count: int, total: int, logarithm: Callable[[int], float]) -> float:
    """The sum from `count` upwards; terms that add nothing any more are left out."""
    first = logarithm(count)
    whole = 0.0
    for k in range(count, total + 1):
        term = math.exp(logarithm(k) - first)
        whole += term
        if term < 1e-12 * whole:
            break
    return min(1.0, whole * math.exp(first)) if first > -700 else 0.0  # noqa: PLR2004 (the least that exp can)


def _binomial(k: int, n: int, days: int) -> float:
    return _choose(n, k) - k * math.log(days + 1) + (n - k) * math.log(days / (days + 1))


def _beta_binomial(k: int, n: int, a: float, b: float) -> float:
    return _choose(n, k) + _beta(k + a, n - k + b) - _beta(a, b)


def _choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


@lru_cache(maxsize=4_096)
def _beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
