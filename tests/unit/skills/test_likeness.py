"""Likeness to examples, with an embedder of letters: what it learns, and what keeps it from guessing."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest

from parlour.knowledge.embedding import Vectors
from parlour.skills.likeness import ExampleLikeness

EXAMPLES = {
    "plants": ["How often do I water basil?", "My ficus drops its leaves", "绿萝多久浇一次水"],
    "money": ["What is a euro worth?", "Change dollars into pounds", "汇率是多少"],
}


class Letters:
    """Counts of letter pairs as a vector of length 1."""

    name = "letters"

    def embed(self, texts: Sequence[str]) -> Vectors:
        rows = np.zeros((len(texts), 512), np.float32)
        for row, text in enumerate(texts):
            for one, other in pairwise(text):
                rows[row, (31 * ord(one) + ord(other)) % 512] += 1.0
        return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9), np.float32)


@pytest.fixture(scope="module")
def likeness() -> ExampleLikeness:
    return ExampleLikeness(Letters(), EXAMPLES)


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in EXAMPLES.items() for text in texts])
def test_an_example_is_like_its_own(likeness: ExampleLikeness, name: str, text: str) -> None:
    [scores] = likeness.scores([text])

    assert max(scores, key=scores.__getitem__) == name
    assert scores[name] > 0.5


def test_what_shares_words_is_liker_than_what_shares_none(likeness: ExampleLikeness) -> None:
    near, far = likeness.scores(["How often is basil watered?", "Tell me a joke"])

    assert near["plants"] > near["money"]
    assert far["plants"] < 0.2


def test_a_skill_that_is_alone_is_not_like_everything() -> None:
    [scores] = ExampleLikeness(Letters(), {"plants": EXAMPLES["plants"]}).scores(["Hello there"])

    assert scores["plants"] < 0.2


def test_texts_without_a_word_are_like_nothing(likeness: ExampleLikeness) -> None:
    empty, marks = likeness.scores(["", "?!"])

    assert max(*empty.values(), *marks.values()) < 0.2
