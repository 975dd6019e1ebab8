"""Telling which known question is meant, and the tables that say how well."""

import random
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytest

from parlour_customer_service.evaluation.datasets import Labelled, few, parted
from parlour_customer_service.evaluation.methods import Encoder
from parlour_customer_service.evaluation.tables import chinese, intents, retrieval, unknown
from parlour_customer_service.intents import Floats, Intents, forms, meanings

OBJECTS = ("card", "transfer", "refund", "pin", "account", "卡片", "转账", "退款")
PHRASES = (
    "where is my {}",
    "my {} does not work",
    "how do I get a {}",
    "tell me about the {} please",
    "{} missing",
    "{} ?",
)


class WordVectors(Encoder):
    """A direction for each word: near are texts that share words."""

    def __init__(self) -> None:
        self.asked = 0

    def embed(self, texts: Sequence[str]) -> Floats:
        self.asked += len(texts)
        rows = np.stack([sum((self._direction(word) for word in text.lower().split()), np.zeros(40)) for text in texts])
        unit: Floats = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
        return unit

    def forget(self) -> None:
        self.asked = 0

    @staticmethod
    def _direction(word: str) -> Any:
        return np.random.default_rng(abs(hash_of(word))).normal(size=40)


def hash_of(word: str) -> int:
    return sum(ord(letter) * pow(31, place, 2**31) for place, letter in enumerate(word)) % 2**31


@pytest.fixture
def toy() -> Labelled:
    rows = [(phrase.format(one), one) for one in OBJECTS for phrase in PHRASES]
    random.Random(1).shuffle(rows)
    texts, labels = tuple(text for text, _ in rows), tuple(label for _, label in rows)
    return Labelled(texts, labels, tuple(str(at % 12) for at in range(len(rows))))


@pytest.mark.parametrize("with_vectors", [True, False])
def test_a_question_that_was_not_learned_gets_the_label_of_those_like_it(toy: Labelled, with_vectors: bool) -> None:
    encoder = WordVectors()
    known = Intents(toy.texts, toy.labels, encoder.both(toy.texts) if with_vectors else None)

    for one in OBJECTS:
        text = f"hello what about {one}"
        best, *_ = known.guesses(text, encoder.both([text])[0] if with_vectors else None)
        assert best.label == one


def test_what_it_has_learned_it_is_sure_of_and_of_the_rest_it_is_not(toy: Labelled) -> None:
    encoder = WordVectors()
    known = Intents(toy.texts, toy.labels, encoder.both(toy.texts))

    (own, *_), (strange, *_) = (
        known.guesses(text, encoder.both([text])[0]) for text in (toy.texts[0], "penguins eat fish")
    )

    assert own.sureness > 0.8
    assert strange.sureness < 0.45


def test_many_examples_are_kept_in_fewer_directions_and_stay_themselves() -> None:
    numbers = np.random.default_rng(0).normal(size=(700, 300)).astype(np.float32)
    vectors = numbers / np.linalg.norm(numbers, axis=1, keepdims=True)
    labels = [f"label {at % 7}" for at in range(700)]
    known = Intents([f"text {at}" for at in range(700)], labels, vectors)

    right = [known.guesses(f"text {at}", vectors[at])[0].label == labels[at] for at in range(0, 700, 10)]

    assert all(right)


def test_what_nearly_all_of_many_examples_have_counts_for_nothing_and_of_few_examples_for_something() -> None:
    def nearness(number: int) -> float:
        texts = [f"please qx{at}zj" for at in range(number)]
        return Intents(texts, texts, None).guesses("please", most=1)[0].nearness

    assert nearness(90) > 0
    assert nearness(120) == 0


def test_a_text_has_a_bare_form_too() -> None:
    assert forms("Where's my CARD?!") == ("Where's my CARD?!", "where's my card")
    assert forms("???") == ("???", "???")
    assert np.allclose(np.linalg.norm(meanings([[1, 0], [0, 1]]), axis=1), 1)


def test_the_parts_of_the_data_share_nothing(toy: Labelled) -> None:
    first, second = parted(toy, 3, 0.75)
    assert not set(first.groups) & set(second.groups)
    assert len(first.texts) + len(second.texts) == len(toy.texts)

    learning, trying = few(toy, 3, 2)
    assert [learning.labels.count(one) for one in OBJECTS] == [2] * len(OBJECTS)
    assert not set(learning.texts) & set(trying.texts)


@pytest.mark.slow
def test_the_tables_have_a_row_for_every_method_and_ours_does_well(toy: Labelled) -> None:
    encoder = WordVectors()

    folds = [*intents(toy, encoder, 0)]
    found = [*retrieval(toy, encoder, 0, each=3)]
    spoken = [*chinese(toy, encoder, 0)]

    for rows in (folds, found, spoken):
        assert len(rows) == 5
        assert rows[0]["method"] == "customer-service"
    assert folds[0]["accuracy"] > 0.9
    assert cast("float", folds[0]["ms a question"]) > 0
    assert found[0]["recall@1"] <= found[0]["MRR"] <= found[0]["recall@5"] <= 1


def test_strange_questions_are_counted_as_such(toy: Labelled) -> None:
    rows = [*unknown(toy, [f"penguin {at} eats fish" for at in range(30)], WordVectors(), 0, each=3)]

    far = [row for row in rows if row["asked besides"] == "financial news"]
    assert [row["caution"] for row in far] == [0.3, 0.5, 0.7]
    assert all(row["recall of “does not know”"] > 0.9 for row in far)
