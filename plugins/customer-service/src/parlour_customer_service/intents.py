"""Which of the known questions a new one means: kernel ridge regression on its meaning and its letters.

The kernel of two texts is a radial basis function of the cosine of their sentence vectors, plus the cosines of their
TF-IDF weights by words and by letters; one linear system gives the weights of all labels at once. It needs no tuning
for a new set of questions, works from one example a label, and learns in a second for a thousand of them.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

_WORD: Final = re.compile(r"[\u3400-\u9fff]|[^\W_\u3400-\u9fff]+(?:'[^\W_]+)?")
_UNBROKEN: Final = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
_NO_WORD: Final = re.compile(r"[^\w\s']")
_LETTERS: Final = range(2, 6)
# Found by five-fold cross-validation on banking77 (see `evaluation/`); other sets of questions move them little.
_SHARPNESS: Final = 2.5
# With few examples a label, words that happen to be shared mislead; with a hundred they tell a good deal.
_LEAST_WEIGHTS: Final = {"words": 0.05, "letters": 0.1}
_MOST_WEIGHTS: Final = {"words": 0.2, "letters": 0.4}
_MANY_EXAMPLES: Final = 100
# A feature of so many examples, and of this part of all, tells them apart little and takes half of the time.
_COMMON: Final = 100
_COMMON_SHARE: Final = 0.2
_NEAR: Final = 1.6
_RIDGE: Final = 0.08
# So many of 1,024 keep the ranking, and take a quarter of the time.
_DIRECTIONS: Final = 256


@dataclass(frozen=True, slots=True)
class Guess:
    """A label, how well it fits (about 1: as well as its own examples do), and its nearest example's kernel, 0 to 1."""

    label: str
    score: float
    nearness: float

    @property
    def sureness(self) -> float:
        """How well it fits, held down by how far the nearest example is: far from all of them, the best is none."""
        return max(0.0, min(1.0, self.score, _NEAR * self.nearness))


class Intents:
    """Learns from examples, then tells which label a text has."""

    def __init__(self, texts: Sequence[str], labels: Sequence[str], vectors: Floats | None) -> None:
        """`vectors` are the texts' `meanings`; without them it goes by words and letters."""
        self.labels = sorted(set(labels))
        self._meaning = None if vectors is None else _Meaning(vectors)
        weights = _weights(len(texts) / max(1, len(self.labels)))
        self._families = [_TfIdf(family, weight, texts) for family, weight in weights.items()]
        self._most = sum(weights.values()) + (1.0 if vectors is not None else 0.0)
        column = {label: number for number, label in enumerate(self.labels)}
        self._of = np.asarray([column[label] for label in labels])
        wanted = np.zeros((len(texts), len(self.labels)), np.float32)
        wanted[np.arange(len(texts)), self._of] = 1.0
        kernel = self._kernel(texts, vectors)
        kernel[np.diag_indices_from(kernel)] += np.float32(_RIDGE)
        self._weights: Floats = np.linalg.solve(kernel, wanted).astype(np.float32)

    def guesses(self, text: str, vector: Floats | None = None, *, most: int = 3) -> list[Guess]:
        """The labels that fit best, the best first."""
        kernel = self._kernel([text], None if vector is None else vector[None, :])[0]
        scores = kernel @ self._weights
        best = np.argsort(-scores, kind="stable")[:most]
        return [
            Guess(self.labels[one], float(scores[one]), float(kernel[self._of == one].max()) / self._most)
            for one in best
        ]

    def _kernel(self, texts: Sequence[str], vectors: Floats | None) -> Floats:
        rows = np.zeros((len(texts), len(self._of)), np.float32)
        if vectors is not None and self._meaning is not None:
            rows += self._meaning.kernel(vectors)
        for family in self._families:
            for number, text in enumerate(texts):
                rows[number] += family.cosines(text, len(self._of))
        return rows


def _weights(examples_a_label: float) -> dict[str, float]:
    share = min(1.0, examples_a_label / _MANY_EXAMPLES)
    return {family: least + share * (_MOST_WEIGHTS[family] - least) for family, least in _LEAST_WEIGHTS.items()}


class _Meaning:
    """The radial basis function of the cosines with all examples, in the directions in which these differ most."""

    def __init__(self, vectors: Floats) -> None:
        self._basis: Floats | None = None
        if len(vectors) > vectors.shape[1] > _DIRECTIONS:
            _, directions = np.linalg.eigh(vectors.T @ vectors)
            self._basis = np.ascontiguousarray(directions[:, -_DIRECTIONS:], np.float32)
        self._rows = np.ascontiguousarray(self._turned(vectors))

    def kernel(self, vectors: Floats) -> Floats:
        """A row for each vector, a column for each example."""
        cosines: Floats = self._turned(vectors) @ self._rows.T
        cosines -= 1
        cosines *= np.float32(_SHARPNESS)
        return np.exp(cosines, out=cosines)

    def _turned(self, vectors: Floats) -> Floats:
        return vectors if self._basis is None else vectors @ self._basis


class _TfIdf:
    """Cosines of TF-IDF weights with all examples, by lists of who has a feature."""

    def __init__(self, family: str, weight: float, texts: Sequence[str]) -> None:
        self._family = family
        self._weight = weight
        counted = [Counter(_features(family, text)) for text in texts]
        spread = Counter(feature for one in counted for feature in one)
        most = max(_COMMON, _COMMON_SHARE * len(texts))
        self._rarity = {f: math.log((1 + len(texts)) / (1 + n)) + 1 for f, n in spread.items() if n <= most}
        lists: dict[str, tuple[list[int], list[float]]] = {feature: ([], []) for feature in self._rarity}
        for number, one in enumerate(counted):
            for feature, value in self._weighed(one).items():
                lists[feature][0].append(number)
                lists[feature][1].append(value)
        self._lists: dict[str, tuple[npt.NDArray[np.int32], Floats]] = {
            feature: (np.asarray(who, np.int32), np.asarray(much, np.float32)) for feature, (who, much) in lists.items()
        }

    def cosines(self, text: str, count: int) -> Floats:
        """This family's part of the kernel between `text` and each of the `count` examples."""
        found = self._weighed(Counter(_features(self._family, text)))
        if not found:
            return np.zeros(count, np.float32)
        who = np.concatenate([self._lists[feature][0] for feature in found])
        much = np.concatenate([self._lists[feature][1] * value for feature, value in found.items()])
        return np.bincount(who, much, count).astype(np.float32) * np.float32(self._weight)

    def _weighed(self, counted: "Counter[str]") -> dict[str, float]:
        known = {
            feature: (1 + math.log(n)) * self._rarity[feature]
            for feature, n in counted.items()
            if feature in self._rarity
        }
        length = math.sqrt(sum(value * value for value in known.values())) or 1.0
        return {feature: value / length for feature, value in known.items()}


def _features(family: str, text: str) -> Iterator[str]:
    if family == "words":
        words = _WORD.findall(text.lower())
        yield from words
        yield from (f"{one} {other}" for one, other in pairwise(words))
        return
    for word in _UNBROKEN.findall(text.lower()):
        padded = f" {word} "
        for length in _LETTERS:
            for at in range(max(1, len(padded) - length + 1)):
                yield padded[at : at + length]


def forms(text: str) -> tuple[str, str]:
    """The text as it was written, and bare: encoders take capitals and marks for more than they mean."""
    return text, " ".join(_NO_WORD.sub(" ", text.lower()).split()) or text


def meanings(vectors: Any) -> Floats:  # noqa: ANN401 (lists of lists, or an array)
    """One row of length 1 for each text, from the vectors of both its `forms`, one pair after the other."""
    rows = np.asarray(vectors, np.float32)
    return rows.reshape(len(rows) // 2, -1) / np.float32(math.sqrt(2))
