"""The blend: how much each sign counts for an item, learned from what people chose."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from parlour_recommendation.behaviour import WINDOWS

Floats = NDArray[np.float32]

# Those from what the person liked come first, then those of the item alone.
PERSONAL: Final = ("regressed", "alike", "following", "tags", "words")
SIGNS: Final = (*PERSONAL, *(f"liked_{days or 'ever'}" for days in WINDOWS), "new")
# Someone who liked so many things is half known.
_HALF: Final = 20.0
# Where nothing was learned yet: sensible for most catalogues, and soon overruled.
# For someone unknown, then for someone well known. Sensible for most catalogues, and soon overruled.
_DEFAULT: Final = (
    *(0.5, 0.5, 0.5, 1.0, 1.0), *(0.3, 0.3, 0.2), 0.5,
    *(2.5, 0.5, 1.0, 2.0, 2.0), *(0.3, 0.3, 0.2), 1.0,
)  # fmt: skip
_STEP: Final = 0.02
_FURTHEST: Final = 30.0


@dataclass(frozen=True, slots=True)
class Blend:
    """A weight for each sign for someone unknown, and one for someone well known; in between, in between.

    None is negative: what speaks for an item never counts against it, so an explanation is what it says.
    """

    weights: tuple[float, ...] = _DEFAULT

    def for_person(self, liked: int) -> NDArray[np.float64]:
        """The weights for someone who liked so many things."""
        unknown, known = np.array(self.weights).reshape(2, -1)
        share = knowing(liked)
        return np.asarray((1.0 - share) * unknown + share * known)

    def scores(self, signs: Floats, liked: int) -> NDArray[np.float64]:
        """One score for each row of signs: the logarithm of how much likelier it is to be liked, up to a constant."""
        return np.asarray(signs @ self.for_person(liked))

    def after(self, signs: Floats, liked: int, chosen: int, *, is_good: bool) -> "Blend":
        """The blend once a person chose one of the rows that were shown, or put it away."""
        scores = self.scores(signs, liked)
        likely = np.exp(scores - scores.max())
        pull = (signs[chosen] - (likely / likely.sum()) @ signs) * (_STEP if is_good else -_STEP)
        share = knowing(liked)
        moved = np.array(self.weights) + np.concatenate(((1.0 - share) * pull, share * pull))
        return Blend(tuple(float(weight) for weight in np.clip(moved, 0.0, _FURTHEST)))


def knowing(liked: int) -> float:
    """From 0, for someone who liked nothing yet, to 1."""
    return liked / (liked + _HALF)


@dataclass(frozen=True, slots=True)
class Case:
    """A person at a moment: the signs of what could have been recommended, and which of it was then liked."""

    signs: Floats
    was_liked: NDArray[np.bool_]
    liked: int


def learned(cases: Sequence[Case], *, start: Blend | None = None, caution: float = 0.01) -> Blend:
    """The blend under which what was liked was likeliest, near `start` where the cases say little.

    Listwise maximum likelihood with a quadratic penalty (`caution`), by L-BFGS-B.
    """
    start = start or Blend()
    usable = [case for case in cases if case.was_liked.any()]
    if not usable:
        return start
    spread = np.sqrt(np.mean([case.signs.var(axis=0) for case in usable], axis=0)) + 1e-6
    scale = np.concatenate((spread, spread))
    prepared = [(case.signs / spread, case.was_liked / case.was_liked.sum(), knowing(case.liked)) for case in usable]
    origin = np.array(start.weights) * scale

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        low, high = weights.reshape(2, -1)
        total, slope = 0.0, np.zeros_like(weights)
        for signs, wanted, known in prepared:
            scores = signs @ ((1.0 - known) * low + known * high)
            top = scores.max()
            likely = np.exp(scores - top)
            whole = likely.sum()
            total += float(top + np.log(whole) - wanted @ scores)
            pull = (likely / whole - wanted) @ signs
            slope += np.concatenate(((1.0 - known) * pull, known * pull))
        away = weights - origin
        size = len(prepared)
        return total / size + caution / 2 * float(away @ away), slope / size + caution * away

    found = minimize(loss, origin, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * len(origin))
    return Blend(tuple(float(weight) for weight in found.x / scale))
