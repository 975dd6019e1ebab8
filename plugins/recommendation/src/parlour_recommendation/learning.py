"""Learning the blend from a log: what was liked later is predicted from what was known before, at several moments."""

import random
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from parlour.sdk import crowd
from parlour_recommendation.behaviour import Liking, from_likings
from parlour_recommendation.blend import Blend, Case, learned
from parlour_recommendation.catalogue import Catalogue
from parlour_recommendation.ranker import Ranker, Taste, ranker

# Shares of the log that are known at each moment, and how much of it is looked ahead.
_MOMENTS: Final = (0.35, 0.45, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85)
_AHEAD: Final = 0.15
_FEWEST_LIKINGS: Final = 500
_MOST_PEOPLE: Final = 300
# Of someone new, so many likings are taken as known: none, a few.
_FIRST: Final = (0, 5)
_DAY_S: Final = 86_400


def ranker_of(catalogue: Catalogue, likings: Sequence[Liking], *, now: float, least: int) -> Ranker:
    """A ranker that knows the catalogue and these likings."""
    found = from_likings(likings, now=now, least=least)
    return ranker(catalogue, found)


def learned_from(
    likings: Sequence[Liking], seen: Sequence[Liking], catalogue: Catalogue, *, start: Blend | None = None,
    least: int = crowd.LEAST_PEOPLE, seed: int = 0,
) -> Blend:  # fmt: skip
    """The blend that would have predicted the later part of this log best; `start` where it is too short to tell.

    `seen` is what people looked at without liking it: it is not to be recommended.
    """
    start = start or Blend()
    if len(likings) < _FEWEST_LIKINGS:
        return start
    ordered = sorted(likings, key=lambda one: one.at)
    chance = random.Random(seed)  # noqa: S311 (a sample, not a secret)
    cases: list[Case] = []
    for share in _MOMENTS:
        at, end = int(len(ordered) * share), int(len(ordered) * min(1.0, share + _AHEAD))
        cases += _cases(ordered[:at], ordered[at:end], seen, catalogue, least=least, chance=chance)
    return learned(cases, start=start)


def _cases(
    before: Sequence[Liking], after: Sequence[Liking], seen: Sequence[Liking], catalogue: Catalogue, *, least: int,
    chance: random.Random,
) -> Iterator[Case]:  # fmt: skip
    now = before[-1].at
    known_before = ranker_of(catalogue, before, now=now, least=least)
    known, later = _lines(before), _lines(after)
    looked = _lines([one for one in seen if one.at <= now])
    people = list(later)
    chance.shuffle(people)
    for person in people[:_MOST_PEOPLE]:
        hidden = looked.get(person, [])
        if person in known:
            yield from _case(known_before, catalogue, known[person], hidden, later[person], now)
        else:
            for first in _FIRST:
                yield from _case(known_before, catalogue, later[person][:first], hidden, later[person][first:], now)


def _case(
    ranks: Ranker, catalogue: Catalogue, liked: Sequence[str], seen: Sequence[str], then: Sequence[str], now: float
) -> Iterator[Case]:
    places = catalogue.places(liked)
    places = places[places >= 0]
    taste = Taste(places, np.concatenate((places, catalogue.places(seen))))
    known = ranks.know(taste)
    candidates = ranks.candidates(taste, known)
    was_liked = np.isin(candidates, catalogue.places(then))
    if was_liked.any():
        yield Case(ranks.signs(known, candidates, int(now // _DAY_S)), was_liked, known.count)


def _lines(likings: Sequence[Liking]) -> dict[str, list[str]]:
    """Each person's items in the order of time."""
    made: dict[str, dict[str, None]] = {}
    for one in likings:
        made.setdefault(one.person, {})[one.item] = None
    return {person: list(line) for person, line in made.items()}
