"""Making text safe, and telling its language."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlour.turns.text import clean, detect_language

# Every code point, lone surrogates included.
ANYTHING = st.text(st.characters(codec=None, categories=None))


@given(ANYTHING)
def test_whatever_comes_can_be_stored_as_utf_8(raw: str) -> None:
    clean(raw).encode()


@given(ANYTHING)
def test_cleaning_twice_is_cleaning_once(raw: str) -> None:
    assert clean(clean(raw)) == clean(raw)


@given(ANYTHING)
def test_nothing_that_a_terminal_or_database_trips_over_is_left(raw: str) -> None:
    assert not set(clean(raw)) & {"\x00", "\x1b", "\x7f", "\x9b", "\r", "\u202e", "\u2066"}


@given(st.text("abc déf 你好 😀\n", min_size=1))
def test_ordinary_text_stays_as_it_is(raw: str) -> None:
    assert clean(raw) == raw.strip()


@pytest.mark.parametrize(
    ("text", "hint", "language"),
    [
        ("你好", None, "zh"),
        ("用 Python 写 hello world 程序", "en", "zh"),
        ("こんにちは、元気ですか", None, "ja"),
        ("안녕하세요", None, "ko"),
        ("ok", "zh-Hans", "zh"),
        ("ok", None, "en"),
        ("ok", "xx", "en"),
        ("42", "de", "de"),
        ("", "de", "de"),
        ("Was ist die Hauptstadt von Frankreich, bitte?", "en", "de"),
        ("Quelle est la capitale de la France aujourd'hui ?", None, "fr"),
        ("What is the capital of France, please?", "zh", "en"),
        ("😀😀😀", "fr", "fr"),
    ],
)
def test_the_language_is_told(text: str, hint: str | None, language: str) -> None:
    assert detect_language(text, hint=hint) == language


@given(ANYTHING, st.none() | st.text())
def test_whatever_comes_has_a_language(raw: str, hint: str | None) -> None:
    assert detect_language(clean(raw), hint=hint)


@pytest.mark.parametrize("code", ["3b6fe507", "9cc9af4e", "50332cb8"])
def test_a_code_without_one_ideograph_is_not_chinese(code: str) -> None:
    """The model takes one such line in a hundred for Chinese."""
    assert detect_language(f"nosuch marker-command-{code}", hint="en") == "en"
