"""Texts as rows of numbers, ready for a linear model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from parlour_finance_sentiment.items import Language
from parlour_finance_sentiment.sentiment.features import DENSE, PLACES, Features, features_of, hashed

Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.int64]

MEANING: Final = 512
# Counts are small beside the length-1 blocks, so that they do not drown them.
_DENSE_WEIGHT: Final = 0.15


class Encoder(Protocol):
    """Gives texts of like meaning like vectors."""

    def encode(self, texts: Sequence[str]) -> Any:  # noqa: ANN401 (an array)
        """A row of `MEANING` numbers for each text."""
        ...


@dataclass(frozen=True, slots=True)
class Row:
    """One text: which places hold which values, and the numbers that every text has."""

    places: Places
    values: Floats
    dense: Floats
    features: Features


@dataclass(frozen=True, slots=True)
class Scale:
    """What training found: how telling each place is (`idf`), and the counts' middle and spread."""

    idf: Floats
    middle: Floats
    spread: Floats

    def row(self, features: Features, meaning: Floats) -> Row:
        """The text's row; each block has length 1."""
        places: list[Places] = []
        values: list[Floats] = []
        for block_places, block_values in hashed(features):
            at = np.array(block_places, np.int64)
            weighted = np.array(block_values, np.float32) * self.idf[at]
            length = float(np.linalg.norm(weighted)) or 1.0
            places.append(at)
            values.append(weighted / length)
        counts = (np.array(features.dense, np.float32) - self.middle) / self.spread * _DENSE_WEIGHT
        dense = np.concatenate([counts, meaning])
        return Row(np.concatenate(places), np.concatenate(values), dense, features)


def scale_of(all_features: Sequence[Features]) -> Scale:
    """The scale of a set of texts. A place that only one of them has tells nothing and counts nothing."""
    seen = np.zeros(PLACES, np.float32)
    for features in all_features:
        for places, _ in hashed(features):
            seen[np.unique(np.array(places, np.int64))] += 1
    idf = np.where(seen > 1, np.log((1 + len(all_features)) / (1 + seen)) + 1, 0).astype(np.float32)
    counts = np.array([features.dense for features in all_features], np.float32).reshape(-1, DENSE)
    spread = counts.std(axis=0)
    return Scale(idf, counts.mean(axis=0), np.where(spread > 0, spread, 1).astype(np.float32))


def meanings_of(texts: Sequence[str], encoder: Encoder | None, *, batch: int = 32) -> Floats:
    """A row of length 1 for each text; zeros without an encoder."""
    rows = np.zeros((len(texts), MEANING), np.float32)
    if encoder is not None:
        for at in range(0, len(texts), batch):
            encoded = np.asarray(encoder.encode(list(texts[at : at + batch])), np.float32)
            lengths = np.linalg.norm(encoded, axis=1, keepdims=True)
            rows[at : at + batch] = encoded / np.where(lengths > 0, lengths, 1)
    return rows


def all_features_of(texts: Sequence[str], languages: Sequence[Language]) -> list[Features]:
    """The features of each text."""
    return [features_of(text, language) for text, language in zip(texts, languages, strict=True)]
