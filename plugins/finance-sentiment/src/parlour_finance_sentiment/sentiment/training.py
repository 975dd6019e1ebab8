"""Learning to classify from labelled sentences."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from parlour_finance_sentiment.items import LABELS, Label, Language
from parlour_finance_sentiment.sentiment.classifier import Weights
from parlour_finance_sentiment.sentiment.features import PLACES
from parlour_finance_sentiment.sentiment.matrix import (
    Encoder,
    Floats,
    Row,
    all_features_of,
    meanings_of,
    scale_of,
)

_LEAST_EXAMPLES: Final = 5
_SOFTNESS: Final = 0.5
_LEAST_TO_CALIBRATE: Final = 25
_TEMPERATURES: Final = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 5.0)


class TooFewLabels(Exception):
    """Learning needs at least two labels with five examples each."""


def train(
    texts: Sequence[str], labels: Sequence[Label], language: Language, encoder: Encoder | None, *, seed: int = 0
) -> Weights:
    """Weights learnt from the sentences. Raises `TooFewLabels`. A few seconds for a few thousand."""
    present = [label for label in LABELS if labels.count(label)]
    if len(present) < 2 or min(labels.count(label) for label in present) < _LEAST_EXAMPLES:  # noqa: PLR2004 (two labels)
        counted = ", ".join(f"{labels.count(label)} {label}" for label in LABELS)
        raise TooFewLabels(f"There are {counted}. Learning takes {_LEAST_EXAMPLES} of at least two labels.")
    features = all_features_of(texts, [language] * len(texts))
    scale = scale_of(features)
    meanings = meanings_of(texts, encoder)
    rows = [scale.row(one, meaning) for one, meaning in zip(features, meanings, strict=True)]
    table, wanted = table_of(rows), np.array([present.index(label) for label in labels])
    coefficients, offsets = _svm(table, wanted, seed)
    temperature = _temperature(table, wanted, seed)
    used = np.flatnonzero(scale.idf)
    return Weights(
        labels=tuple(present),
        language=language,
        places=used.astype(np.int32),
        idf=scale.idf[used],
        middle=scale.middle,
        spread=scale.spread,
        sparse=coefficients[:, used].astype(np.float32),
        dense=coefficients[:, PLACES:].astype(np.float32),
        offsets=offsets.astype(np.float32),
        temperature=temperature,
        has_meaning=encoder is not None,
    )


def table_of(rows: Sequence[Row]) -> Any:  # noqa: ANN401 (scipy has no types)
    """The rows as one sparse matrix, counts and meaning behind the places."""
    from scipy.sparse import csr_matrix, hstack  # noqa: PLC0415 (heavy, and only for training)

    ends = np.cumsum([0, *(len(row.places) for row in rows)])
    values = np.concatenate([row.values for row in rows])
    places = np.concatenate([row.places for row in rows])
    sparse = csr_matrix((values, places, ends), shape=(len(rows), PLACES))
    return hstack([sparse, csr_matrix(np.array([row.dense for row in rows]))]).tocsr()


def _svm(table: Any, wanted: Any, seed: int) -> tuple[Floats, Floats]:  # noqa: ANN401
    from sklearn.svm import LinearSVC  # noqa: PLC0415

    # With neutral among them, the rare labels are the ones that matter.
    weight = "balanced" if wanted.max() > 1 else None
    model = LinearSVC(C=_SOFTNESS, class_weight=weight, random_state=seed).fit(table, wanted)
    return _both(model.coef_), _both(model.intercept_)


def _temperature(table: Any, wanted: Any, seed: int) -> float:  # noqa: ANN401
    """What margins are multiplied with so that they tell probabilities: learnt from a fifth that is held back."""
    from sklearn.model_selection import train_test_split  # noqa: PLC0415

    if np.bincount(wanted).min() < _LEAST_TO_CALIBRATE:
        return 1.0
    learnt, held = train_test_split(np.arange(len(wanted)), test_size=0.2, random_state=seed, stratify=wanted)
    coefficients, offsets = _svm(table[learnt], wanted[learnt], seed)
    margins = table[held] @ coefficients.T + offsets
    return min(_TEMPERATURES, key=lambda one: _surprise(margins * one, wanted[held]))


def _surprise(margins: Any, wanted: Any) -> float:  # noqa: ANN401
    """The mean of -log of the probability that was given to what was true."""
    shifted = margins - margins.max(axis=1, keepdims=True)
    chances = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -float(chances[np.arange(len(wanted)), wanted].mean())


def _both(of_two: Any) -> Floats:  # noqa: ANN401
    """One row for each label; two labels have one row in scikit-learn."""
    return np.concatenate([-of_two, of_two]) if len(of_two) == 1 else of_two
