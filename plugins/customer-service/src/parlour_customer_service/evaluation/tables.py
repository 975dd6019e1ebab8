"""The tables: intents, retrieval of held-out questions, Chinese dialogues, and knowing what one does not know."""

import random
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from sklearn.model_selection import StratifiedKFold

from parlour_customer_service.evaluation.datasets import Labelled, few, parted
from parlour_customer_service.evaluation.methods import METHODS, Encoder, Method, Ours, Ranker
from parlour_customer_service.evidence import sure_enough

Row = dict[str, Any]

_FOLDS: Final = 5
_TIMED: Final = 60
_SEEDS: Final = 3
_CAUTIONS: Final = (0.3, 0.5, 0.7)


def intents(data: Labelled, encoder: Encoder, seed: int) -> Iterator[Row]:
    """Accuracy over five folds, and what a question costs on one core (see `Ours.seconds_a_question`)."""
    folds = [*StratifiedKFold(_FOLDS, shuffle=True, random_state=seed).split(data.texts, data.labels)]
    for method in METHODS:
        right, cost = [], None
        for number, (learning, trying) in enumerate(folds):
            ranker = method.learn(data.some(learning), encoder)
            tried = data.some(trying)
            right.append(_accuracy(ranker, tried))
            if number == 0 and isinstance(ranker, Ours):
                cost = 1_000 * ranker.seconds_a_question(tried.texts[:_TIMED])
        yield {
            "method": method.name,
            "accuracy": round(float(np.mean(right)), 4),
            "lowest fold": round(min(right), 4),
            "highest fold": round(max(right), 4),
            "ms a question": None if cost is None else round(cost, 2),
            "seed": seed,
        }


def retrieval(data: Labelled, encoder: Encoder, seed: int, *, each: int) -> Iterator[Row]:
    """Held-out questions find their answer among all, when `each` questions of every answer are known."""
    for method in METHODS:
        ranks = np.concatenate([_ranks(method, data, encoder, seed + number, each) for number in range(_SEEDS)])
        yield {"method": method.name, "questions known of each answer": each, **_measures(ranks), "seeds": _SEEDS}


def chinese(data: Labelled, encoder: Encoder, seed: int) -> Iterator[Row]:
    """What people ask for in Chinese dialogues; the dialogues tried are others than those learned from."""
    for method in METHODS:
        ranks = []
        for number in range(_SEEDS):
            learning, trying = parted(data, seed + number, 0.8)
            ranks.append(_positions(method.learn(learning, encoder), trying))
        yield {
            "method": method.name,
            "kinds": len(set(data.labels)),
            **_measures(np.concatenate(ranks)),
            "seeds": _SEEDS,
        }


def unknown(data: Labelled, far: Sequence[str], encoder: Encoder, seed: int, *, each: int) -> Iterator[Row]:
    """As many questions without an answer as with one: of intents that were never taught, and of another world."""
    chance = random.Random(seed)  # noqa: S311 (which intents are left out)
    names = sorted(set(data.labels))
    left_out = set(chance.sample(names, len(names) // 5))
    inside = data.some([at for at, label in enumerate(data.labels) if label not in left_out])
    near = [text for text, label in zip(data.texts, data.labels, strict=True) if label in left_out]
    learning, trying = few(inside, seed, each)
    ours = Ours(learning, encoder)
    count = min(len(near), len(trying.texts), len(far), 1_500)
    asked = trying.some(chance.sample(range(len(trying.texts)), count))
    for name, texts in (("intents never taught", near), ("financial news", far)):
        strange = chance.sample(list(texts), count)
        for caution in _CAUTIONS:
            yield {
                "asked besides": name,
                "caution": caution,
                **_silences(ours, asked, strange, encoder, caution),
                "seed": seed,
            }


def _silences(ours: Ours, asked: Labelled, strange: Sequence[str], encoder: Encoder, caution: float) -> Row:
    said = [_said(ours, text, encoder, caution) for text in asked.texts]
    silent, silent_rightly = said.count(None), sum(_said(ours, text, encoder, caution) is None for text in strange)
    answered = [label == wanted for label, wanted in zip(said, asked.labels, strict=True) if label is not None]
    return {
        "precision of “does not know”": round(silent_rightly / max(1, silent + silent_rightly), 3),
        "recall of “does not know”": round(silent_rightly / len(strange), 3),
        "known questions answered": round(len(answered) / len(said), 3),
        "of these rightly": round(float(np.mean(answered or [False])), 3),
    }


def _said(ours: Ours, text: str, encoder: Encoder, caution: float) -> str | None:
    (guess,) = ours.intents.guesses(text, encoder.both([text])[0], most=1)
    return guess.label if sure_enough(guess.sureness, caution) else None


def _accuracy(ranker: Ranker, tried: Labelled) -> float:
    best = ranker.scores(tried.texts).argmax(axis=1)
    return float(np.mean([ranker.labels[one] == label for one, label in zip(best, tried.labels, strict=True)]))


def _ranks(method: Method, data: Labelled, encoder: Encoder, seed: int, each: int) -> Any:  # noqa: ANN401 (an array)
    learning, trying = few(data, seed, each)
    return _positions(method.learn(learning, encoder), trying)


def _positions(ranker: Ranker, tried: Labelled) -> Any:  # noqa: ANN401 (an array)
    """The place of the right label for each, 1 for the best."""
    place = {label: at for at, label in enumerate(ranker.labels)}
    scores = ranker.scores(tried.texts)
    right = scores[np.arange(len(scores)), [place[label] for label in tried.labels]]
    return 1 + (scores > right[:, None]).sum(axis=1)


def _measures(ranks: Any) -> Row:  # noqa: ANN401 (an array)
    return {
        "recall@1": round(float((ranks <= 1).mean()), 4),
        "recall@5": round(float((ranks <= 5).mean()), 4),  # noqa: PLR2004 (as its name says)
        "MRR": round(float((1 / ranks).mean()), 4),
        "questions": len(ranks),
    }
