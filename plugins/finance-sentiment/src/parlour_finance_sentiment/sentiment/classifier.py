"""Telling the sentiment of a sentence with weights that were learnt, and which of its words made it so."""

import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np

from parlour_finance_sentiment.items import Label, Language
from parlour_finance_sentiment.sentiment.features import PLACES
from parlour_finance_sentiment.sentiment.matrix import (
    Encoder,
    Floats,
    Places,
    Row,
    Scale,
    all_features_of,
    meanings_of,
)
from parlour_finance_sentiment.sentiment.tone import Tone

_MOST_WORDS: Final = 4
_SIGNS: Final = {"negative": -1, "neutral": 0, "positive": 1}


@dataclass(frozen=True)
class Weights:
    """What was learnt. `sparse` has a row for each label and a column for each of `places`."""

    labels: tuple[Label, ...]
    language: Language
    places: Any
    idf: Floats
    middle: Floats
    spread: Floats
    sparse: Floats
    dense: Floats
    offsets: Floats
    temperature: float
    has_meaning: bool

    def to_bytes(self) -> bytes:
        """As they are kept: a compressed numpy archive, without code."""
        made = io.BytesIO()
        arrays = {name: np.asarray(value) for name, value in asdict(self).items()}
        for name in ("sparse", "dense", "idf"):
            arrays[name] = arrays[name].astype(np.float16)
        np.savez_compressed(made, allow_pickle=False, **arrays)
        return made.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> "Weights":
        """The weights that `to_bytes` wrote."""
        with np.load(io.BytesIO(content), allow_pickle=False) as kept:
            arrays = {name: kept[name] for name in kept.files}
        for name in ("sparse", "dense", "idf"):
            arrays[name] = arrays[name].astype(np.float32)
        arrays["labels"] = tuple(str(label) for label in arrays["labels"])
        arrays["language"] = str(arrays["language"])
        arrays["temperature"] = float(arrays["temperature"])
        arrays["has_meaning"] = bool(arrays["has_meaning"])
        return cls(**arrays)


class Classifier:
    """Classifies sentences of one language."""

    def __init__(self, weights: Weights, encoder: Encoder | None) -> None:
        self.weights = weights
        self._encoder = encoder if weights.has_meaning else None

    def tones(self, texts: Sequence[str]) -> list[Tone]:
        """The sentiment of each text."""
        weights = self.weights
        features = all_features_of(texts, [weights.language] * len(texts))
        meanings = meanings_of(texts, self._encoder)
        rows = [self._scale.row(one, meaning) for one, meaning in zip(features, meanings, strict=True)]
        return [self._tone(row) for row in rows]

    def _tone(self, row: Row) -> Tone:
        columns = self._columns[row.places]
        margins = self._table[:, columns] @ row.values + self.weights.dense @ row.dense + self.weights.offsets
        odds = np.exp((margins - margins.max()) * self.weights.temperature)
        chances = odds / odds.sum()
        best = int(chances.argmax())
        score = sum(_SIGNS[label] * float(chance) for label, chance in zip(self.weights.labels, chances, strict=True))
        label = self.weights.labels[best]
        return Tone(label, float(chances[best]), score, self._words(row, best) if label != "neutral" else ())

    def _words(self, row: Row, best: int) -> tuple[str, ...]:
        """The movements and words that speak for the label; where there are none, the words that weigh most."""
        sign = _SIGNS[self.weights.labels[best]]
        told = [words for words, its in row.features.told if its == sign]
        return tuple(dict.fromkeys(told or self._weighty(row, best)))[:_MOST_WORDS]

    def _weighty(self, row: Row, best: int) -> list[str]:
        columns = self._columns[row.places]
        table = self._table[:, columns]
        weighed = (table[best] - table.mean(axis=0)) * row.values
        names = [name for names in row.features.blocks.values() for name in names]
        readable = range(len(next(iter(row.features.blocks.values()))))
        order = sorted(readable, key=lambda at: -weighed[at])
        return [names[at] for at in order[:_MOST_WORDS] if weighed[at] > 0]

    @cached_property
    def _scale(self) -> Scale:
        idf = np.zeros(PLACES, np.float32)
        idf[self.weights.places] = self.weights.idf
        return Scale(idf, self.weights.middle, self.weights.spread)

    @cached_property
    def _columns(self) -> Places:
        """Of each place its column; places that training never saw share an empty one at the end."""
        columns = np.full(PLACES, len(self.weights.places), np.int64)
        columns[self.weights.places] = np.arange(len(self.weights.places))
        return columns

    @cached_property
    def _table(self) -> Floats:
        return np.hstack([self.weights.sparse, np.zeros((len(self.weights.labels), 1), np.float32)])
