"""What the Slack channel says by itself."""

import string

import pytest

from parlour.channels.slack_wording import _TEXTS, LANGUAGES, NAMES, say


@pytest.mark.parametrize("name", NAMES)
def test_every_text_is_there_in_every_language_with_the_same_gaps(name: str) -> None:
    gaps = [{gap for _, gap, _, _ in string.Formatter().parse(text) if gap} for text in _TEXTS[name].values()]

    assert tuple(_TEXTS[name]) == LANGUAGES
    assert all(one == gaps[0] for one in gaps)


@pytest.mark.parametrize(
    ("tag", "text"), [("zh-CN", "回答得好"), ("zh_TW", "回答得好"), ("fr", "Good answer"), (None, "Good answer")]
)
def test_a_language_that_is_not_spoken_gets_english(tag: str | None, text: str) -> None:
    assert say("good", tag) == text
