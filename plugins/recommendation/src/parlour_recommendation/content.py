"""What items are about: their tags and words as numbers, so that like items lie near each other."""

import math
import re
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from parlour_recommendation.items import Item

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

_BUCKETS: Final = 1 << 17
_PART_WEIGHT: Final = 0.5
_WORDS: Final = re.compile(r"[一-鿿]+|[^\W_]+")
_LONG: Final = 1
# A profile's rarest terms are looked up until so many items were touched: what everything has tells nothing.
_MOST_TOUCHED: Final = 10_000


def words(text: str) -> Iterator[str]:
    """The words of a text in lower case; of Chinese, pairs of neighbouring characters."""
    for found in _WORDS.findall(text.lower()):
        if "一" <= found[0] <= "鿿" and len(found) > _LONG:
            yield from (found[place : place + 2] for place in range(len(found) - 1))
        else:
            yield found


def tag_terms(item: Item) -> dict[int, float]:
    """The item's tags by number, and how much each says; of a tag of several words, each word too."""
    found = {_number(tag): 1.0 for tag in item.tags}
    for tag in item.tags:
        for word in words(tag):
            found.setdefault(_number(word), _PART_WEIGHT)
    return found


def word_terms(item: Item) -> dict[int, float]:
    """The words of the item's title and text by number, and how much each says."""
    counts = Counter(words(f"{item.title} {item.text}"))
    return {_number(word): 1.0 + math.log(count) for word, count in counts.items()}


def _number(term: str) -> int:
    return crc32(term.encode("utf-8", "surrogatepass")) % _BUCKETS


def best(values: NDArray[np.floating[Any]], most: int) -> Ints:
    """The places of the largest values above zero, largest first."""
    there = np.flatnonzero(values > 0)
    if len(there) > most:
        there = there[np.argpartition(-values[there], most)[:most]]
    return there[np.argsort(-values[there], kind="stable")].astype(np.int32)


class TermIndex:
    """All items' terms, weighted by how rare they are, each item of length 1."""

    def __init__(self, terms: Ints, weights: Floats, counts: Ints) -> None:
        """From all items' term numbers and weights, one after the other, and how many each item has."""
        starts = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
        size = len(counts)
        document_counts = np.bincount(terms, minlength=_BUCKETS)
        self._rarity = np.log((1.0 + size) / (1.0 + document_counts)).astype(np.float32) + np.float32(0.1)
        values = weights * self._rarity[terms]
        owner = np.repeat(np.arange(size), counts)
        lengths = np.sqrt(np.bincount(owner, values * values, minlength=size)).astype(np.float32)
        values /= np.maximum(lengths, np.float32(1e-9))[owner]
        self.rows = sparse.csr_array((values, terms, starts), shape=(size, _BUCKETS))
        self._columns = self.rows.tocsc()

    def profile(self, rows: sparse.csr_array) -> Floats:
        """What items are about on the whole, from their rows; all zero for none."""
        total = np.bincount(rows.indices, rows.data, minlength=_BUCKETS)
        return np.asarray(total / max(rows.shape[0], 1), np.float32)

    def asked(self, text: str) -> Floats:
        """What someone asks for, of length 1; all zero where no word is known."""
        made = np.zeros(_BUCKETS, np.float32)
        for word in words(text):
            number = _number(word)
            if self._columns.indptr[number + 1] > self._columns.indptr[number]:
                made[number] = self._rarity[number]
        length = float(np.linalg.norm(made))
        return (made / length).astype(np.float32) if length else made

    def nearest(self, profile: Floats, most: int) -> Ints:
        """The items that share most with a profile, found by its rarest terms."""
        terms = np.flatnonzero(profile)
        starts, ends = self._columns.indptr[terms], self._columns.indptr[terms + 1]
        taken: list[slice] = []
        left = _MOST_TOUCHED
        order = np.argsort(ends - starts, kind="stable")
        for start, end in zip(starts[order], ends[order], strict=True):
            taken.append(slice(start, min(end, start + left)))
            left -= end - start
            if left <= 0:
                break
        if not taken:
            return np.empty(0, np.int32)
        shares = [profile[term] for term in terms[order]]
        found = np.concatenate([self._columns.indices[one] for one in taken])
        parts = np.concatenate([self._columns.data[one] * share for one, share in zip(taken, shares, strict=False)])
        return best(np.bincount(found, parts).astype(np.float64), most)

    def likeness(self, profile: Floats, places: Ints) -> Floats:
        """How much each of these items has of a profile."""
        return np.asarray(self.rows[places] @ profile, np.float32)

    def among(self, places: Ints) -> Floats:
        """How alike these items are to each other: a square of cosines."""
        rows = self.rows[places]
        return np.asarray((rows @ rows.T).toarray(), np.float32)


@dataclass(frozen=True, slots=True)
class Content:
    """What all items are about: by their tags, and by the words of title and text."""

    tags: TermIndex
    words: TermIndex

    @classmethod
    def of(cls, items: Iterable[Item]) -> "Content":
        """The content of these items, in this order."""
        made = ContentMaker()
        for item in items:
            made.add(item)
        return made.content()

    @property
    def indexes(self) -> tuple[TermIndex, TermIndex]:
        """Both, tags first."""
        return self.tags, self.words


class ContentMaker:
    """Gathers items one by one, in little memory."""

    def __init__(self) -> None:
        self._parts: tuple[_Part, ...] = (_Part(tag_terms), _Part(word_terms))

    def add(self, item: Item) -> None:
        """The next item."""
        for part in self._parts:
            terms = part.terms_of(item)
            part.terms.extend(terms)
            part.weights.extend(terms.values())
            part.counts.append(len(terms))

    def content(self) -> Content:
        """The content of all that were added."""
        made = [
            TermIndex(
                np.frombuffer(part.terms, np.int32), np.frombuffer(part.weights, np.float32),
                np.frombuffer(part.counts, np.int32),
            )
            for part in self._parts
        ]  # fmt: skip
        return Content(*made)


@dataclass
class _Part:
    terms_of: Callable[[Item], dict[int, float]]
    terms: "array[int]" = field(default_factory=lambda: array("i"))
    weights: "array[float]" = field(default_factory=lambda: array("f"))
    counts: "array[int]" = field(default_factory=lambda: array("i"))
