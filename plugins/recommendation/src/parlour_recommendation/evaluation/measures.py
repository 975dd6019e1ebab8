"""What is measured of ten recommendations, and how sure it is."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

TOP: Final = 10
_DRAWS: Final = 2_000
_GAINS: Final = 1.0 / np.log2(np.arange(2, TOP + 2))


def ndcg(top: Sequence[str], later: Collection[str]) -> float:
    """Normalized discounted cumulative gain of the first ten."""
    hits = np.array([name in later for name in top[:TOP]], np.float64)
    return float((hits * _GAINS[: len(hits)]).sum() / _GAINS[: min(TOP, len(later))].sum())


def recall(top: Sequence[str], later: Collection[str]) -> float:
    """The share of what was liked later that is among the ten."""
    return len({*top[:TOP]} & {*later}) / len(later)


def coverage(tops: Sequence[Sequence[str]], size: int) -> float:
    """The share of all items that are recommended to anybody."""
    return len({name for top in tops for name in top}) / size


def novelty(tops: Sequence[Sequence[str]], likings: Mapping[str, int], people: int) -> float:
    """The mean self-information, in bits, of what is recommended: how few like it (Vargas and Castells 2011)."""
    shares = [(likings.get(name, 0) + 1) / (people + 1) for top in tops for name in top]
    return float(-np.log2(shares).mean())


def interval(values: NDArray[np.float64], seed: int) -> str:
    """The 95 % interval of the mean, by drawing people anew."""
    low, high = np.percentile(_means(values, seed), [2.5, 97.5])
    return f"{low:.3f} to {high:.3f}"


def _means(values: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    drawn = np.random.default_rng(seed).integers(0, len(values), (_DRAWS, len(values)))
    return np.asarray(values[drawn].mean(axis=1))
