"""What the assistant says by itself."""

import string

import pytest

from parlour.turns.wording import ENGLISH_NAMES, LANGUAGES, TEXTS, say


@pytest.mark.parametrize("key", TEXTS)
def test_every_text_is_there_in_both_languages(key: str) -> None:
    assert set(TEXTS[key]) == {"en", "zh"}
    assert any("\u4e00" <= char <= "\u9fff" for char in TEXTS[key]["zh"])


@pytest.mark.parametrize("key", TEXTS)
def test_both_languages_have_the_same_placeholders(key: str) -> None:
    assert _placeholders(TEXTS[key]["en"]) == _placeholders(TEXTS[key]["zh"])


@pytest.mark.parametrize("key", TEXTS)
def test_every_text_can_be_said_whatever_its_placeholders_are_called(key: str) -> None:
    values = dict.fromkeys(_placeholders(TEXTS[key]["en"]), "value")

    for language in ("en", "zh", "de", None):
        assert "{" not in say(key, language, **values)


@pytest.mark.parametrize(
    ("language", "said"),
    [("zh-Hans-CN", "已停止。"), ("ZH", "已停止。"), ("de", "Stopped."), (None, "Stopped."), ("", "Stopped.")],
)
def test_a_language_without_translation_is_answered_in_english(language: str | None, said: str) -> None:
    assert say("stopped", language) == said


def test_every_language_has_an_english_name_for_the_prompt() -> None:
    assert set(LANGUAGES) == set(ENGLISH_NAMES)


def _placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
