"""MovieLens 100k (https://grouplens.org/datasets/movielens/100k/), parted by time."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from parlour_recommendation.behaviour import Liking
from parlour_recommendation.catalogue import Catalogue
from parlour_recommendation.items import Item

FOLDER: Final = "ml-100k"
REMEDY: Final = (
    "Put ml-100k.inter and ml-100k.item into DIR/ml-100k (both are in the wheel of recbole 1.2.1, which is an archive: "
    "pip download --no-deps recbole==1.2.1) and name it: --data DIR"
)
# Stars from which on a film counts as liked; fewer: it was seen.
_LIKED_FROM: Final = 4
_DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class Rating:
    """One rating."""

    person: str
    item: str
    stars: int
    at: float

    @property
    def is_liking(self) -> bool:
        """Whether it says that the film was liked."""
        return self.stars >= _LIKED_FROM

    @property
    def liking(self) -> Liking:
        """Who, what and when."""
        return Liking(self.person, self.item, self.at)


@dataclass(frozen=True, slots=True)
class Films:
    """All ratings in the order of time, and the films."""

    ratings: Sequence[Rating]
    items: Sequence[Item]

    def catalogue(self, before: Sequence[Rating]) -> Catalogue:
        """The films as they stood: each was added when it was first rated, or at the end when it was not yet."""
        now = before[-1].at
        first: dict[str, float] = {}
        for rating in before:
            first.setdefault(rating.item, rating.at)
        return Catalogue.of(
            Item(one.id, one.title, one.tags, added=int(first.get(one.id, now) // _DAY_S)) for one in self.items
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """A person to recommend to: what is known, and what was liked later and not known."""

    liked: Sequence[str]
    seen: Sequence[str]
    later: frozenset[str]


def read(folder: Path) -> Films:
    """The data in `folder`/ml-100k. Raises `FileNotFoundError`."""
    with (folder / FOLDER / "ml-100k.inter").open(encoding="utf-8") as opened:
        ratings = [Rating(person, item, int(stars), float(at)) for person, item, stars, at in _rows(opened)]
    with (folder / FOLDER / "ml-100k.item").open(encoding="utf-8") as opened:
        items = [Item(name, title, tuple(kinds.lower().split())) for name, title, _, kinds in _rows(opened)]
    return Films(sorted(ratings, key=lambda one: (one.at, one.person, one.item)), items)


def returning(before: Sequence[Rating], after: Sequence[Rating]) -> list[Asked]:
    """Those who were there before, with all that they had rated then."""
    known, later = _people(before), _people(after)
    return _asked((known[person], later[person]) for person in later if person in known)


def newcomers(before: Sequence[Rating], after: Sequence[Rating], *, first: int) -> list[Asked]:
    """Those who came later, `first` of their ratings known."""
    known, later = _people(before), _people(after)
    new = [line for person, line in later.items() if person not in known]
    return _asked((line[:first], line[first:]) for line in new)


def _asked(pairs: Iterable[tuple[Sequence[Rating], Sequence[Rating]]]) -> list[Asked]:
    made = []
    for before, after in pairs:
        seen = {one.item for one in before}
        later = frozenset(one.item for one in after if one.is_liking and one.item not in seen)
        if later:
            liked = [one.item for one in before if one.is_liking]
            made.append(Asked(liked, [one.item for one in before if not one.is_liking], later))
    return made


def _people(ratings: Sequence[Rating]) -> dict[str, list[Rating]]:
    made: dict[str, list[Rating]] = {}
    for one in ratings:
        made.setdefault(one.person, []).append(one)
    return made


def _rows(opened: Iterable[str]) -> Iterator[list[str]]:
    rows = csv.reader(opened, delimiter="\t", quoting=csv.QUOTE_NONE)
    next(rows)
    return rows
