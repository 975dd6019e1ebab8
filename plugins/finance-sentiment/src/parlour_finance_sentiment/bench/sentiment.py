"""Sentiment by five folds: the classifier, what comes along without learning, and simple methods, on the same folds."""

import csv
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from parlour_finance_sentiment.items import Label, Language
from parlour_finance_sentiment.readers import encoder, shipped
from parlour_finance_sentiment.sentiment.classifier import Classifier, Weights
from parlour_finance_sentiment.sentiment.rules import Rules
from parlour_finance_sentiment.sentiment.training import train

PHRASES: Final = "financial_phrasebank/train.tsv"
HEADLINES: Final = "zh_finance_news/train.tsv"
FILES: Final = (PHRASES, HEADLINES)
_FOLDS: Final = 5

Rows = list[dict[str, Any]]
# From sentences and labels to learn from, and sentences to tell: the labels told.
Method = Callable[[Sequence[str], Sequence[Label], Sequence[str]], list[str]]


@dataclass(frozen=True, slots=True)
class Set:
    """Labelled sentences of one language."""

    language: Language
    texts: tuple[str, ...]
    labels: tuple[Label, ...]


def measure(folder: Path, seed: int) -> Mapping[str, Rows]:
    """A table for each data set."""
    return {
        "Financial PhraseBank, 5 folds": _compared(_read(folder / PHRASES, "en"), seed),
        "Chinese headlines, 5 folds": _compared(_read(folder / HEADLINES, "zh"), seed),
    }


class _Remembering:
    """The sentence encoder; what it encoded once it gives again, and tells how long it took."""

    def __init__(self) -> None:
        self._known: dict[str, Any] = {}
        self.seconds = 0.0

    def encode(self, texts: Sequence[str]) -> Any:  # noqa: ANN401 (an array)
        """A row for each text."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            begun = time.process_time()
            self._known |= dict(zip(new, encoder().encode(new), strict=True))
            self.seconds += time.process_time() - begun
        return np.array([self._known[text] for text in texts])


def _compared(data: Set, seed: int) -> Rows:
    remembering = _Remembering()
    methods: dict[str, Method] = {
        "finance-sentiment": lambda texts, labels, asked: _ours(data.language, texts, labels, asked, remembering),
        "finance-sentiment, as it comes": lambda _, labels, asked: _shipped(data.language, labels, asked, remembering),
        "finance-sentiment, rules alone": lambda _, labels, asked: _ruled(data.language, labels, asked),
        "reference: TF-IDF, linear SVM": lambda texts, labels, asked: _tfidf(data.language, texts, labels, asked),
        "reference: USE-multilingual, logistic regression": lambda texts, labels, asked: _meaning(
            texts, labels, asked, remembering
        ),
    }
    rows = [_scored(name, method, data, seed) for name, method in methods.items()]
    rows[0]["items a second, one core"] = round(_speed(data, remembering))
    return rows


def _scored(name: str, method: Method, data: Set, seed: int) -> dict[str, Any]:
    from sklearn.metrics import accuracy_score, f1_score  # noqa: PLC0415 (heavy)
    from sklearn.model_selection import StratifiedKFold  # noqa: PLC0415

    told = np.empty(len(data.texts), dtype="<U8")
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed)
    for learnt, asked in folds.split(data.texts, data.labels):
        texts, labels = [data.texts[at] for at in learnt], [data.labels[at] for at in learnt]
        told[asked] = method(texts, labels, [data.texts[at] for at in asked])
    macro = f1_score(data.labels, told, average="macro")
    accuracy = accuracy_score(data.labels, told)
    return {"method": name, "sentences": len(told), "macro-F1": round(macro, 4), "accuracy": round(accuracy, 4)}


def _speed(data: Set, remembering: _Remembering) -> float:
    """Sentences a second of processor time, from text to label and words, a poll's worth at a time."""
    texts = data.texts[:500]
    classifier = Classifier(train(data.texts[500:], data.labels[500:], data.language, remembering), encoder())
    classifier.tones(texts[:1])
    begun = time.process_time()
    for at in range(0, len(texts), 50):
        classifier.tones(texts[at : at + 50])
    return len(texts) / (time.process_time() - begun)


def _ours(
    language: Language, texts: Sequence[str], labels: Sequence[Label], asked: Sequence[str], remembering: _Remembering
) -> list[str]:
    # Through the form in which weights are kept, so that what is measured is what is used.
    weights = Weights.from_bytes(train(texts, labels, language, remembering).to_bytes())
    return [tone.label for tone in Classifier(weights, remembering).tones(asked)]


def _shipped(language: Language, labels: Sequence[Label], asked: Sequence[str], remembering: _Remembering) -> list[str]:
    content = shipped(language)
    if content is None:
        return ["none"] * len(asked)
    tones = Classifier(Weights.from_bytes(content), remembering).tones(asked)
    return [_among(labels, tone.label, tone.score) for tone in tones]


def _ruled(language: Language, labels: Sequence[Label], asked: Sequence[str]) -> list[str]:
    return [_among(labels, tone.label, tone.score) for tone in Rules(language).tones(asked)]


def _among(labels: Sequence[Label], label: Label, score: float) -> str:
    """A data set without neutral sentences asks for one side or the other."""
    if label in labels:
        return label
    return "positive" if score >= 0 else "negative"


def _tfidf(language: Language, texts: Sequence[str], labels: Sequence[Label], asked: Sequence[str]) -> list[str]:
    from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415
    from sklearn.svm import LinearSVC  # noqa: PLC0415

    known: dict[str, Any] = {"sublinear_tf": True, "ngram_range": (1, 2), "min_df": 2}
    if language == "zh":
        known = {"sublinear_tf": True, "ngram_range": (1, 3), "analyzer": "char"}
    counted = TfidfVectorizer(**known)
    model = LinearSVC(class_weight="balanced", random_state=0).fit(counted.fit_transform(texts), labels)
    return list(model.predict(counted.transform(asked)))


def _meaning(
    texts: Sequence[str], labels: Sequence[Label], asked: Sequence[str], remembering: _Remembering
) -> list[str]:
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

    model = LogisticRegression(C=10, max_iter=500, class_weight="balanced").fit(remembering.encode(texts), labels)
    return list(model.predict(remembering.encode(asked)))


def _read(path: Path, language: Language) -> Set:
    with path.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    known: dict[str, Label] = {"negative": "negative", "neutral": "neutral", "positive": "positive"}
    return Set(language, tuple(row["text"] for row in rows), tuple(known[row["label"]] for row in rows))
