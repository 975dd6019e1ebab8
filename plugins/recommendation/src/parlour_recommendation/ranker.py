"""Choosing what to recommend: candidates from behaviour and content, scored by the blend, made various, explained."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from parlour_recommendation.affinity import Affinity, Floats, affinity
from parlour_recommendation.behaviour import WINDOWS, Behaviour, Ints
from parlour_recommendation.blend import PERSONAL, SIGNS, Blend
from parlour_recommendation.catalogue import Catalogue
from parlour_recommendation.content import Content, TermIndex, best

_FROM_EACH: Final = 300
_MOST_HISTORY: Final = 200
_LAST: Final = 10
_STEP_FADES: Final = 0.8
_STEP_SCALE: Final = 5.0
_NEW_DAYS: Final = 60.0
# That is, within some forty days.
_IS_NEW: Final = 0.5
# Among so many of the best, variety may choose.
_LOOKED_AT: Final = 50
_ASKED_WEIGHT: Final = 20.0

Reason = Literal["because", "asked", "popular", "new", "other"]


@dataclass(frozen=True, slots=True)
class Taste:
    """A person, by places in the catalogue: `liked` in the order of time, and what must not be shown (again)."""

    liked: Ints
    hidden: Ints


@dataclass(frozen=True, slots=True)
class Suggestion:
    """An item's place, its score and why it is there; `source` is the place of what was liked, for "because"."""

    place: int
    score: float
    reason: Reason
    source: int = -1


class Ranker:
    """Recommends from one catalogue. `added` has the day on which each item came into it."""

    def __init__(self, content: Content, affinity: Affinity, added: NDArray[np.int64]) -> None:
        self._content = content
        self._affinity = affinity
        self._added = added
        tops = [best(row, _FROM_EACH) for row in affinity.liked]
        # Where nobody knows when items came, any will do for someone new.
        newest = best(added.astype(np.float64) + 1.0, _FROM_EACH)
        self._common = np.unique(np.concatenate([*tops, newest])).astype(np.int32)

    def suggest(
        self, taste: Taste, blend: Blend, *, today: int, most: int, variety: float = 0.0, asked: str = ""
    ) -> list[Suggestion]:
        """The best `most` items, best first; none that is hidden. `asked` keeps to what someone asked for.

        `variety` is what it costs an item to be like one that stands above it.
        """
        known = self.know(taste)
        asked_for = self._asked(asked)
        places = self._shown(asked_for[0], taste) if asked else self.candidates(taste, known)
        if not len(places):
            return []
        signs = self.signs(known, places, today)
        scores = blend.scores(signs, known.count)
        if asked:
            scores = scores + _ASKED_WEIGHT * sum(index.likeness(profile, places) for index, profile in asked_for[1])
        chosen = self._various(places, scores, most, variety)
        reasons = self._reasons(known, places, signs, blend, chosen, is_asked=bool(asked))
        return [
            Suggestion(int(places[row]), float(scores[row]), *reason)
            for row, reason in zip(chosen, reasons, strict=True)
        ]

    def candidates(self, taste: Taste, known: "_Known") -> Ints:
        """What may be recommended: near what was liked, by behaviour and by content; popular; new."""
        near = [best(one, _FROM_EACH) for one in known.spoken_for]
        alike = [index.nearest(profile, _FROM_EACH) for index, profile in known.profiles]
        return self._shown(np.unique(np.concatenate([*near, *alike, self._common])).astype(np.int32), taste)

    def _asked(self, text: str) -> tuple[Ints, list[tuple[TermIndex, Floats]]]:
        """What has most of what was asked for, and that as profiles."""
        profiles = [(index, index.asked(text)) for index in self._content.indexes]
        found = [index.nearest(profile, _FROM_EACH) for index, profile in profiles]
        return np.unique(np.concatenate(found)).astype(np.int32), profiles

    @staticmethod
    def _shown(places: Ints, taste: Taste) -> Ints:
        return places[~np.isin(places, taste.hidden)]

    def know(self, taste: Taste) -> "_Known":
        """What is known of a person, for `signs`."""
        return _Known(self._affinity, self._content, taste.liked[-_MOST_HISTORY:])

    def signs(self, known: "_Known", places: Ints, today: int) -> Floats:
        """A row for each place, a column for each of `SIGNS`."""
        made = np.empty((len(places), len(SIGNS)), np.float32)
        for column, one in enumerate(known.spoken_for):
            made[:, column] = one[places]
        for column, (index, profile) in enumerate(known.profiles, start=len(known.spoken_for)):
            made[:, column] = index.likeness(profile, places)
        first = len(PERSONAL)
        made[:, first : first + len(WINDOWS)] = self._affinity.liked[:, places].T
        made[:, -1] = np.exp(-np.maximum(today - self._added[places], 0) / _NEW_DAYS)
        return made

    def _various(self, places: Ints, scores: NDArray[np.float64], most: int, variety: float) -> list[int]:
        """Rows of the best, each weighed against those already chosen: maximal marginal relevance."""
        top = [int(row) for row in np.argsort(-scores, kind="stable")[: max(_LOOKED_AT, most)]]
        if not variety or len(top) <= 1:
            return top[:most]
        alike = np.mean([index.among(places[top]) for index in self._content.indexes], axis=0)
        worth, nearest = scores[top].copy(), np.zeros(len(top))
        chosen: list[int] = []
        for _ in range(min(most, len(top))):
            pick = int(np.argmax(worth - variety * nearest))
            chosen.append(top[pick])
            worth[pick] = -np.inf
            nearest = np.maximum(nearest, alike[pick])
        return chosen

    def _reasons(
        self, known: "_Known", places: Ints, signs: Floats, blend: Blend, rows: Sequence[int], *, is_asked: bool
    ) -> list[tuple[Reason, int]]:
        """Why each row was chosen: what carried most of its score, whatever that is."""
        weights = blend.for_person(known.count)
        general = signs[:, len(PERSONAL) :] @ weights[len(PERSONAL) :]
        usual = float(np.median(general))
        parts = known.parts(places[list(rows)], weights)
        made: list[tuple[Reason, int]] = []
        for column, row in enumerate(rows):
            mine = parts[:, column]
            most_of_it = int(np.argmax(mine)) if len(mine) else -1
            if is_asked:
                made.append(("asked", -1))
            elif most_of_it >= 0 and mine[most_of_it] > 0 and mine.sum() >= general[row] - usual:
                made.append(("because", int(known.liked[most_of_it])))
            else:
                made.append((_general_reason(signs[row], weights), -1))
        return made


def ranker(catalogue: Catalogue, found: Behaviour) -> Ranker:
    """A ranker for a catalogue and what people liked of it."""
    table = affinity(found, catalogue.places(found.items), len(catalogue))
    return Ranker(catalogue.content, table, catalogue.added)


class _Known:
    """What a person's likings say of every item of the catalogue."""

    def __init__(self, affinity: Affinity, content: Content, liked: Ints) -> None:
        self.liked = liked
        self.count = len(liked)
        fading = np.zeros(self.count, np.float32)
        last = min(_LAST, self.count)
        fading[self.count - last :] = _STEP_FADES ** np.arange(last)[::-1] * _STEP_SCALE
        even = np.ones(self.count, np.float32)
        # Each personal sign but those of content is a sum over what was liked: a table, and how much each counts.
        self._sums = [
            _Rows.of(affinity.regressed, liked, even),
            _Rows.of(affinity.alike, liked, even / np.float32(max(self.count, 1) ** 0.5)),
            _Rows.of(affinity.following, liked, fading),
        ]
        self.spoken_for = [one.total() for one in self._sums]
        self._contents = [index.rows[liked] for index in content.indexes]
        self.profiles = [
            (index, index.profile(rows)) for index, rows in zip(content.indexes, self._contents, strict=True)
        ]

    def parts(self, places: Ints, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """What each thing that was liked (a row) adds to the score of each of these places (a column)."""
        made = np.zeros((self.count, len(places)))
        if not self.count:
            return made
        for one, weight in zip(self._sums, weights, strict=False):
            made += weight * one.of_places(places)
        after = weights[len(self._sums) :]
        for (index, _), rows, weight in zip(self.profiles, self._contents, after, strict=False):
            made += weight * (rows @ index.rows[places].T).toarray() / self.count
        return made


def _general_reason(signs: Floats, weights: NDArray[np.float64]) -> Reason:
    general = signs[len(PERSONAL) :] * weights[len(PERSONAL) :]
    if signs[-1] >= _IS_NEW and general[-1] >= general[:-1].sum():
        return "new"
    return "popular" if general[:-1].sum() > 0 else "other"


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of a table for what was liked: `owners` says whose each value is, and it is weighed already."""

    owners: Ints
    columns: Ints
    values: Floats
    shape: tuple[int, int]

    @classmethod
    def of(cls, table: sparse.csr_array, liked: Ints, shares: Floats) -> "_Rows":
        """From a table, each row times its share."""
        taken = table[liked]
        owners = np.repeat(np.arange(len(liked), dtype=np.int32), np.diff(taken.indptr))
        return cls(owners, taken.indices, taken.data * shares[owners], taken.shape)

    def total(self) -> Floats:
        """The sum of all rows."""
        return np.bincount(self.columns, self.values, minlength=self.shape[1]).astype(np.float32)

    def of_places(self, places: Ints) -> NDArray[np.float64]:
        """What each row has at each of these few places."""
        made = np.zeros((self.shape[0], len(places)))
        for column, place in enumerate(places):
            is_it = self.columns == place
            made[self.owners[is_it], column] = self.values[is_it]
        return made
