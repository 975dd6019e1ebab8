"""The tables: returning people, newcomers, new items, speed."""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np

from parlour_recommendation.behaviour import Liking, from_likings
from parlour_recommendation.blend import Blend
from parlour_recommendation.catalogue import Catalogue
from parlour_recommendation.evaluation.measures import TOP, coverage, interval, ndcg, novelty, recall
from parlour_recommendation.evaluation.movielens import Asked, Films, Rating, newcomers, returning
from parlour_recommendation.evaluation.references import METHODS, Log, Tuning, tops
from parlour_recommendation.items import Item
from parlour_recommendation.learning import learned_from
from parlour_recommendation.ranker import Ranker, Taste, ranker
from parlour_recommendation.trade import Settings

Row = Mapping[str, Any]
# What is known, and of that the part that methods are tuned on.
_KNOWN: Final = 0.8
_FIRST: Final = 5
_DAY_S: Final = 86_400
_ITEMS: Final = 100_000
_REQUESTS: Final = 300


@dataclass(frozen=True, slots=True)
class Skill:
    """The skill as it is after a catalogue and a log were handed in."""

    catalogue: Catalogue
    ranks: Ranker
    blend: Blend
    today: int

    @classmethod
    def taught(cls, films: Films, before: Sequence[Rating]) -> "Skill":
        """It knows what was rated before, and nothing else."""
        catalogue = films.catalogue(before)
        likings = [one.liking for one in before if one.is_liking]
        seen = [one.liking for one in before if not one.is_liking]
        now = before[-1].at
        blend = learned_from(likings, seen, catalogue)
        return cls(catalogue, ranker(catalogue, from_likings(likings, now=now)), blend, int(now // _DAY_S))

    def taste(self, one: Asked) -> Taste:
        """The person by places."""
        return Taste(self.catalogue.places(one.liked), self.catalogue.places([*one.liked, *one.seen]))

    def tops(self, people: Sequence[Asked], *, variety: float) -> list[list[str]]:
        """Ten for each."""
        found = (
            self.ranks.suggest(self.taste(one), self.blend, today=self.today, most=TOP, variety=variety)
            for one in people
        )
        return [[self.catalogue.item(each.place).id for each in one] for one in found]


# Whom to recommend to, from what came before and what after.
Audience = Callable[[Sequence[Rating], Sequence[Rating]], list[Asked]]


@dataclass(frozen=True, slots=True)
class Trial:
    """What is known (`before`), what is to be foretold (`after`), and a part of what is known to tune on (`inner`)."""

    before: Sequence[Rating]
    after: Sequence[Rating]
    inner: int
    log: Log
    tuning: Tuning
    skill: Skill

    @classmethod
    def of(cls, films: Films, seed: int) -> "Trial":
        """Part by time, and teach the skill with all that is known."""
        at = int(len(films.ratings) * _KNOWN)
        before, after = films.ratings[:at], films.ratings[at:]
        inner = int(at * _KNOWN)
        names = [item.id for item in films.items]
        tuning = Tuning(Log(before[:inner], names, seed))
        return cls(before, after, inner, Log(before, names, seed), tuning, Skill.taught(films, before))

    def rows(self, audience: Audience, seed: int, *, are_strangers: bool = False) -> Iterator[Row]:
        """A row for each method, tuned for such people; the skill's own last, by score alone and as it is shipped."""
        people, earlier = (
            audience(self.before, self.after),
            audience(self.before[: self.inner], self.before[self.inner :]),
        )
        found: dict[str, list[list[str]]] = {}
        for method in METHODS:
            if method.serves_strangers or not are_strangers:
                options = self.tuning.best(method, earlier)
                name = ", ".join([method.name, *(f"{key} {value}" for key, value in options.items())])
                found[name] = tops(method.make(self.log, options), self.log, people)
        references = {*found}
        found["Parlour, by score alone"] = self.skill.tops(people, variety=0.0)
        found["Parlour"] = self.skill.tops(people, variety=Settings().variety)
        gains = {name: np.array([ndcg(*pair) for pair in _pairs(tops_, people)]) for name, tops_ in found.items()}
        best = max(sorted(references), key=lambda name: float(gains[name].mean()))
        likings = Counter(one.item for one in self.before if one.is_liking)
        count = len({one.person for one in self.before})
        for name, tops_ in found.items():
            yield {
                "method": name,
                "people": len(people),
                "NDCG@10": round(float(gains[name].mean()), 4),
                "95 % of draws": interval(gains[name], seed),
                "less best reference": "" if name in references else interval(gains[name] - gains[best], seed),
                "recall@10": round(float(np.mean([recall(*pair) for pair in _pairs(tops_, people)])), 4),
                "coverage": round(coverage(tops_, len(self.log.names)), 3),
                "novelty (bits)": round(novelty(tops_, likings, count), 2),
            }

    def returning(self, seed: int) -> Iterator[Row]:
        """Those who were there before."""
        return self.rows(returning, seed)

    def newcomers(self, seed: int, *, first: int) -> Iterator[Row]:
        """Those who came later."""
        return self.rows(partial(newcomers, first=first), seed, are_strangers=not first)

    def new_items(self, seed: int) -> Iterator[Row]:
        """Films that nobody had rated, in the order in which they would be recommended to who liked one of them."""
        rated = {one.item for one in self.before}
        fresh = [name for name in self.log.names if name not in rated]
        places = self.skill.catalogue.places(fresh)
        chance = random.Random(seed)  # noqa: S311 (an order, not a secret)
        people = [
            Asked(one.liked, one.seen, frozenset(one.later & {*fresh}))
            for one in returning(self.before, self.after)
            if one.later & {*fresh}
        ]
        gains: dict[str, list[float]] = {"any order": [], "Parlour": []}
        for one in people:
            known = self.skill.ranks.know(self.skill.taste(one))
            scores = self.skill.blend.scores(self.skill.ranks.signs(known, places, self.skill.today), known.count)
            best = [fresh[place] for place in np.argsort(-scores, kind="stable")]
            gains["Parlour"].append(ndcg(best, one.later))
            shuffled = [ndcg(chance.sample(fresh, TOP), one.later) for _ in range(100)]
            gains["any order"].append(float(np.mean(shuffled)))
        for name, values in gains.items():
            yield {
                "method": name, "people": len(people), "new items": len(fresh),
                "NDCG@10": round(float(np.mean(values)), 4), "95 % of draws": interval(np.array(values), seed),
            }  # fmt: skip


def speed(seed: int) -> Iterator[Row]:
    """A request at 100,000 items made by chance, of one who liked fifty."""
    chance = random.Random(seed)  # noqa: S311 (made-up items, not a secret)
    kinds = [f"kind {number}" for number in range(200)]
    vocabulary = [f"word{number}" for number in range(20_000)]
    items = [
        Item(
            f"i{number}",
            " ".join(chance.choices(vocabulary, k=5)),
            tuple(chance.sample(kinds, 3)),
            " ".join(chance.choices(vocabulary, k=20)),
            added=20_000 + number % 500,
        )
        for number in range(_ITEMS)
    ]
    started = time.perf_counter()
    catalogue = Catalogue.of(items)
    loaded_s = time.perf_counter() - started
    likings = [
        Liking(f"p{person}", f"i{int(_ITEMS * chance.random() ** 3)}", float(at))
        for person in range(20_000)
        for at in range(20)
    ]
    started = time.perf_counter()
    ranks = ranker(catalogue, from_likings(likings, now=20.0))
    taught_s = time.perf_counter() - started
    spent: list[tuple[float, float]] = []
    for _ in range(_REQUESTS):
        liked = catalogue.places([f"i{int(_ITEMS * chance.random() ** 3)}" for _ in range(50)])
        started, of_core = time.perf_counter(), time.thread_time()
        found = ranks.suggest(Taste(liked, liked), Blend(), today=20_500, most=4, variety=0.5)
        for one in found:
            catalogue.item(one.place)
        spent.append((time.perf_counter() - started, time.thread_time() - of_core))
    clock_ms, core_ms = np.array(spent).T * 1_000
    yield {
        "items": _ITEMS, "likings": len(likings), "requests": _REQUESTS,
        "p50 (ms)": round(float(np.percentile(core_ms, 50)), 2),
        "p99 (ms)": round(float(np.percentile(core_ms, 99)), 2),
        "p50 by the clock (ms)": round(float(np.percentile(clock_ms, 50)), 2),
        "p99 by the clock (ms)": round(float(np.percentile(clock_ms, 99)), 2),
        "reading the catalogue (s)": round(loaded_s, 1), "counting and tables (s)": round(taught_s, 1),
    }  # fmt: skip


def _pairs(found: Sequence[Sequence[str]], people: Sequence[Asked]) -> Iterator[tuple[Sequence[str], frozenset[str]]]:
    return ((top, one.later) for top, one in zip(found, people, strict=True))
