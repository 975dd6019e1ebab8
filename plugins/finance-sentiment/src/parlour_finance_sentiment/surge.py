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
from typing import Final

PERIOD_MINUTES: Final = 30
PERIODS_A_DAY: Final = 24 * 60 // PERIOD_MINUTES
HISTORY_DAYS: Final = 28
# Lengths of what is "recent", in periods: half an hour to eight hours.
WINDOWS: Final = (1, 2, 4, 8, 16)
LEAST_DAYS: Final = 5
LEAST_ITEMS: Final = 3
_DAYS_A_YEAR: Final = 365
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


@dataclass(frozen=True)
class History:
    """Counts of bad items, period by period, the last one just over. `weekday` is that of the last day, Monday 0.

    `excluded` are periods of surges that were told already: they are not what is usual. Days that no source was read on
    are to be left out by the caller: counts begin where watching began.
    """

    counts: Sequence[int]
    weekday: int
    excluded: Collection[int] = ()

    def __post_init__(self) -> None:
        sums, out = [0], [0]
        for place, count in enumerate(self.counts):
            sums.append(sums[-1] + count)
            out.append(out[-1] + (place in self.excluded))
        object.__setattr__(self, "_sums", sums)
        object.__setattr__(self, "_out", out)

    def total(self, end: int, length: int) -> int | None:
        """How many in the `length` periods before `end`; None where they are not all known, or not usual."""
        start = end - length
        sums: list[int] = self._sums  # type: ignore[attr-defined]
        out: list[int] = self._out  # type: ignore[attr-defined]
        if start < 0 or out[end] != out[start]:
            return None
        return sums[end] - sums[start]

    def usual(self, end: int, length: int, *, weekday: int) -> list[int]:
        """The same span on earlier days of the same kind, the latest first."""
        found = []
        for back in range(1, HISTORY_DAYS + 1):
            if is_weekend((weekday - back) % 7) == is_weekend(weekday):
                total = self.total(end - back * PERIODS_A_DAY, length) if end >= back * PERIODS_A_DAY else None
                if total is not None:
                    found.append(total)
        return found


def is_weekend(weekday: int) -> bool:
    """Saturday or Sunday."""
    return weekday % 7 >= 5  # noqa: PLR2004 (Monday is 0)


def alpha_of(window: int, alarms_a_year: float) -> float:
    """The p-value below which a test of this window alarms, so that all tests of a year give `alarms_a_year`."""
    tests_a_year = _DAYS_A_YEAR * PERIODS_A_DAY / _step(window)
    return alarms_a_year / len(WINDOWS) / tests_a_year


def find_surge(
    history: History, *, alarms_a_year: float, variation: Callable[[int], float] | None = None
) -> Surge | None:
    """The least likely surge that ends with the history's last period; None where chance explains what there is.

    `variation` tells for a window how much counts vary beyond chance; left out, it is taken from the history.
    """
    end, found = len(history.counts), None
    for window in WINDOWS:
        if end % _step(window):
            continue
        surge = _tested(history, end, window, variation or (lambda length: variation_of(history, length)))
        if surge and surge.chance <= alpha_of(window, alarms_a_year) and (found is None or surge.chance < found.chance):
            found = surge
    return found


def is_calm(history: History) -> bool:
    """Whether the last four hours are as usual again: a surge that was told is over."""
    end, window = len(history.counts), 8
    count, usual = sum(history.counts[-window:]), history.usual(end, window, weekday=history.weekday)
    return not usual or count <= _LEAST_RATIO * sum(usual) / len(usual) + 1


def variation_of(history: History, window: int) -> float:
    """By how much counts vary beyond a Poisson's variance, as the square of their relative spread (1/size).

    By moments: the sum of (x - m)^2 - m over the sum of m^2, m being the mean of the same hours on days of a kind.
    """
    beyond = squares = 0.0
    last = len(history.counts) - 1
    for kind in (False, True):
        days = [back for back in range(HISTORY_DAYS) if is_weekend((history.weekday - back) % 7) == kind]
        for offset in range(0, PERIODS_A_DAY, window):
            ends = [last + 1 - offset - back * PERIODS_A_DAY for back in days]
            cell = [total for end in ends if end >= window and (total := history.total(end, window)) is not None]
            if len(cell) >= LEAST_DAYS:
                mean = sum(cell) / len(cell)
                # Dividing by one less makes up for the mean being that of these very counts.
                beyond += sum((one - mean) ** 2 for one in cell) * len(cell) / (len(cell) - 1) - len(cell) * mean
                squares += len(cell) * mean * mean
    return max(0.0, beyond / squares) if squares else 0.0


def chance_of(count: int, usual: int, days: int, variation: float) -> float:
    """The probability of `count` or more in one span, where `days` such spans had `usual` together."""
    total = count + usual
    if variation <= 0:
        return _tail(count, total, lambda k: _binomial(k, total, days))
    size = 1 / variation
    return _tail(count, total, lambda k: _beta_binomial(k, total, size, size * days))


def _step(window: int) -> int:
    """Long spans change little from one period to the next: they are tested less often."""
    return max(1, window // 4)


def _tested(history: History, end: int, window: int, variation: Callable[[int], float]) -> Surge | None:
    count = sum(history.counts[end - window :]) if end >= window else 0
    usual = history.usual(end, window, weekday=history.weekday)
    if count < LEAST_ITEMS or len(usual) < LEAST_DAYS or count * len(usual) < _LEAST_RATIO * sum(usual):
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
