"""Text on its way to and from Slack."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from parlour.channels.slack_text import NOTHING, PART_LIMIT, clean, fallback, mentions, read, settled, split, units
from tests.fakes.slack_world import pings

LIMIT = 200

words = st.text(st.sampled_from("ab 😀é\u0301👩🏽‍💻🇩🇪中文\n\n*_[]()<>@!`~#\r\x00\ud800"), max_size=400)
fences = st.sampled_from(["```", "```python\n", "~~~~\n", "\n```\n", "\n~~~~\n", "   ```\n", "````\n"])
markdown = st.lists(st.one_of(words, fences, st.sampled_from(["**bold text**", "[a link](https://x.y)", "@here"]))).map(
    "".join
)


def squeezed(text: str) -> str:
    return re.sub(r"\s", "", text)


def is_balanced(part: str) -> bool:
    """Whether every code block in a part is closed in it."""
    opened: str | None = None
    for line in part.split("\n"):
        found = re.match(r" {0,12}(`{3,16}|~{3,16})(?![`~])(.*)$", line)
        if found and opened is None:
            opened = found[1]
        elif found and opened and found[1].startswith(opened) and not found[2].strip():
            opened = None
    return opened is None


@given(markdown)
@example("x" * 1_000)
@example("😀" * 500)
@example("```" + "x" * 1_000)
def test_every_part_fits_and_there_is_at_least_one_that_says_something(text: str) -> None:
    parts = split(text, limit=LIMIT)

    assert parts
    assert all(part.strip() and units(part) <= LIMIT for part in parts)


@given(words)
def test_nothing_is_lost_where_no_code_block_is(text: str) -> None:
    parts = split(text, limit=LIMIT)

    if "```" not in text and "~~~" not in text and clean(text).strip():
        assert squeezed("".join(parts)) == squeezed(clean(text))


@given(markdown)
def test_all_parts_but_the_last_close_their_code_blocks(text: str) -> None:
    assert all(is_balanced(part) for part in split(text, limit=LIMIT)[:-1])


@given(markdown)
def test_splitting_is_the_same_every_time_and_a_part_splits_into_itself(text: str) -> None:
    parts = split(text, limit=LIMIT)

    assert parts == split(text, limit=LIMIT)
    assert all(split(part, limit=LIMIT) == [part.strip("\n")] for part in parts)


@given(markdown)
def test_cleaning_twice_changes_nothing_and_nothing_clean_pings(text: str) -> None:
    once = clean(text)

    assert clean(once) == once
    assert pings({"text": fallback(text), "blocks": [{"type": "markdown", "text": once}]}) == []
    once.encode()


@given(st.text(st.sampled_from("<!@channelheryosubtm^UW1 `"), max_size=40), st.integers(0, 40))
def test_what_is_settled_stays_when_more_text_comes(text: str, length: int) -> None:
    """Else a stream, which can only grow, would have to be rewritten."""
    assert clean(text).startswith(settled(clean(text[:length])))


def test_a_code_block_that_is_cut_is_closed_and_opened_again_in_its_language() -> None:
    code = "\n".join(f"print({number})" for number in range(40))

    parts = split(f"Look:\n\n```python\n{code}\n```\n\nDone.", limit=LIMIT)

    assert len(parts) > 2
    assert all(part.endswith("\n```") for part in parts[:-1])
    assert all(part.startswith("```python\n") for part in parts[1:-1])
    assert [line for part in parts for line in part.split("\n") if line.startswith("print")] == code.split("\n")
    assert parts[-1].endswith("Done.")


def test_a_cut_comes_after_a_paragraph_where_there_is_one() -> None:
    parts = split(f"{'a ' * 60}\n\n{'b ' * 80}", limit=LIMIT)

    assert [set(part.split()) for part in parts] == [{"a"}, {"b"}]


def test_a_cut_leaves_emphasis_links_and_code_whole() -> None:
    text = "word " * 33 + "[a link with words](https://example.org/path) " + "word " * 30

    parts = split(text, limit=LIMIT)

    assert sum("[a link with words](https://example.org/path)" in part for part in parts) == 1


@pytest.mark.parametrize("character", ["é", "e\u0301", "👩🏽‍💻", "🇩🇪", "😀"])
def test_no_character_is_cut(character: str) -> None:
    parts = split(character * 300, limit=LIMIT)

    assert all(part.replace(character, "") == "" for part in parts)


@pytest.mark.parametrize("text", ["", " ", "\n\n", "\x00\x1b"])
def test_nothing_to_say_is_shown_as_such(text: str) -> None:
    assert split(text) == [NOTHING]


def test_a_megabyte_is_split_quickly_enough_for_a_test() -> None:
    parts = split("A sentence of some length. " * 40_000)

    assert all(units(part) <= PART_LIMIT for part in parts)


def test_bare_words_in_code_lose_nothing_but_the_ping() -> None:
    assert clean("`@here`").replace("\u2060", "") == "`@here`"
    assert (
        clean("<!DOCTYPE html> <!-- x --> me@here.org @hereafter")
        == "<!DOCTYPE html> <!-- x --> me@here.org @hereafter"
    )


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<@UBOT> hello", "hello"),
        ("hello <@UBOT>", "hello"),
        ("<@UBOT|parlour>: hello", "hello"),
        ("ask <@U1> or <@U2|ben>", "ask @U1 or @ben"),
        ("in <#C1|general> and <#C2>", "in #general and #C2"),
        ("<https://x.y/z>", "https://x.y/z"),
        ("<https://x.y/z|the page>", "the page (https://x.y/z)"),
        ("<http://x.y|x.y>", "http://x.y"),
        ("<mailto:a@b.c|a@b.c>", "a@b.c"),
        ("<!here> <!subteam^S1|@team> <!date^1^{date}|today>", "@here @team today"),
        ("1 &lt; 2 &amp;&amp; 3 &gt; 2", "1 < 2 && 3 > 2"),
        ("&lt;@U1&gt;", "<@U1>"),
        ("", ""),
    ],
)
def test_slacks_markup_is_read_as_its_writer_saw_it(markup: str, text: str) -> None:
    assert read(markup, bot_user_id="UBOT") == text


def test_a_mention_is_of_the_assistant_only_when_it_names_it_whole() -> None:
    assert mentions("hi <@UBOT>", "UBOT")
    assert mentions("hi <@UBOT|parlour>", "UBOT")
    assert not mentions("hi <@UBOTTLE>", "UBOT")


def test_a_mention_ends_before_the_next_mark() -> None:
    assert read("<@UBOT|a <b> c", bot_user_id="UBOT") == "<@UBOT|a b c"
