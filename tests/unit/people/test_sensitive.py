"""What is never learned by itself: how often the rules hold, as the benchmark tells it."""

import pytest

from parlour.bench import sensitive_sentences as sentences
from parlour.people.extraction import might_tell, proposals, schema
from parlour.people.sensitive import Sensitive, why_sensitive

NAMED = {kind: [*sentences.LOOKED_AT[kind], *sentences.HELD_OUT[kind]] for kind in sentences.LOOKED_AT}


@pytest.mark.parametrize("kind", NAMED)
def test_sentences_that_name_the_matter_are_held_back(kind: str) -> None:
    assert [one for one in NAMED[kind] if why_sensitive(one) is None] == []


def test_every_kind_has_sentences() -> None:
    assert set(NAMED) == {kind.value for kind in Sensitive}


def test_of_harmless_sentences_few_are_held_back() -> None:
    harmless = [*sentences.HARMLESS_LOOKED_AT, *sentences.HARMLESS_HELD_OUT]

    assert sum(why_sensitive(one) is not None for one in harmless) <= len(harmless) // 20


@pytest.mark.parametrize("text", ["", "\u202e", "x" * 100_000, "1 " * 50_000, "\ud800", "{" * 1_000])
def test_any_text_is_judged(text: str) -> None:
    why_sensitive(text)


# ---- what is believed of a model ----


def believed(answer: str, message: str) -> list[str]:
    return [proposal.fact.text for proposal in proposals(answer, message)]


def fact(text: str, kind: str = "memory", replaces: object = 0) -> str:
    return f'{{"facts": [{{"kind": "{kind}", "text": "{text}", "replaces": {replaces}}}]}}'


def test_a_fact_in_the_persons_own_words_is_believed() -> None:
    assert believed(fact("lives in Lisbon"), "I live in Lisbon with my cat.") == ["lives in Lisbon"]
    assert believed(fact("住在成都"), "我住在成都，是一名老师。") == ["住在成都"]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (fact("lives in Madrid"), "I live in Lisbon."),
        (fact("has diabetes"), "I have diabetes."),
        (fact("eats no sugar"), "I eat no sugar because of my diabetes."),
        (fact("live in Lisbon?"), "I live in Lisbon."),
        (fact("live in Lisbon"), "Do I live in Lisbon?"),
        (fact("the sky is blue", "tone"), "I think the sky is blue."),
        (fact("", "memory"), "I live in Lisbon."),
        (fact("x" * 301), "x" * 301),
        (fact("live in Lisbon", "secret"), "I live in Lisbon."),
        ("no JSON", "I live in Lisbon."),
        ('{"facts": 3}', "I live in Lisbon."),
        ('{"facts": ["live in Lisbon"]}', "I live in Lisbon."),
        ("[]", "I live in Lisbon."),
    ],
)
def test_what_is_made_up_sensitive_or_malformed_is_not(answer: str, message: str) -> None:
    assert believed(answer, message) == []


def test_a_model_is_asked_only_about_what_people_say_of_themselves() -> None:
    asked = ["I live in Lisbon.", "What is my name?", "Why is the sky blue?", "我住在成都"]

    assert [might_tell(text) for text in asked] == [True, False, False, True]
    assert schema()["properties"]["facts"]["maxItems"] == 5


@pytest.mark.parametrize(
    "text", ["key Zq4-" + "ab_" * 6, "a+/=-b0c1d2e3f4g5h6i7J", "中文" + "-aB3" * 6, "a" * 20 + ",B.c7"]
)
def test_a_long_run_with_letters_of_both_cases_and_digits_is_a_secret(text: str) -> None:
    assert why_sensitive(text) is Sensitive.SECRET


@pytest.mark.parametrize("text", ["aB3" * 6, "a-" * 8_000, "a" * 30 + " B 3", "AB3-" * 3, "B3" + "中" * 30])
def test_what_is_short_or_of_one_kind_is_none(text: str) -> None:
    assert why_sensitive(text) is None
