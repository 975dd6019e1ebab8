"""What many measured values come to."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """How a quantity is spread over its samples, in the samples' own unit."""

    count: int
    mean: float
    p50: float
    p90: float
    p99: float
    largest: float


def spread(values: Sequence[float]) -> Spread | None:
    """The spread of `values`, None where there are none.

    Percentiles interpolate between neighbours (`statistics.quantiles`, inclusive); of few samples the 99th is little
    less than the largest.
    """
    if not values:
        return None
    cuts = statistics.quantiles(values, n=100, method="inclusive") if len(values) > 1 else [values[0]] * 99
    return Spread(
        count=len(values),
        mean=statistics.fmean(values),
        p50=statistics.median(values),
        p90=cuts[89],
        p99=cuts[98],
        largest=max(values),
    )


def milliseconds(seconds: Sequence[float]) -> list[float]:
    """The same durations in milliseconds."""
    return [value * 1_000 for value in seconds]
