"""Markdown as Telegram shows it: formatting, cutting, and text that no parser likes."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlour.channels.graphemes import is_boundary
from parlour.channels.telegram_source import has_short_formulas, with_short_spoilers
from parlour.channels.telegram_text import (
    MAX_ENTITIES,
    MAX_UNITS,
    NOTHING,
    Rendered,
    Span,
    clean,
    is_blank,
    render,
    split,
    tail,
    units,
)

FAMILY = "👨\u200d👩\u200d👧\u200d👦"
FLAG = "🇩🇪"

# Pieces that Markdown, UTF-16 and Unicode are known to trip over, glued in any order and length.
PIECES = st.sampled_from(
    [
        "word ",
        "**bold** ",
        "*it* ",
        "`code` ",
        "~~gone~~ ",
        "||secret|| ",
        "[link](https://example.org) ",
        "\n",
        "\n\n",
        "- item\n",
        "1. one\n",
        "> quoted\n",
        "# Head\n",
        "```py\nx = 1\n```\n",
        "```\n",
        "`",
        "**",
        "_",
        "|",
        "<b>",
        "</div>",
        "<!-- x -->",
        "| a | b |\n|---|---|\n| 1 | 2 |\n",
        "中文，没有空格。",
        "😀",
        FAMILY,
        FLAG,
        "e\u0301",
        "क्ष",
        "각",
        "\u202e",
        "\x00",
        "\ud800",
        "\u200b",
        "$x^2$ ",
        "\\(a\\) ",
        "\t",
        "    indented\n",
        "\r\n",
        "&amp; ",
        "https://example.org/a_b ",
        "![p](http://a/b.png) ",
    ]
)
MARKDOWN = st.lists(st.tuples(PIECES, st.integers(1, 60)), min_size=1, max_size=60).map(
    lambda parts: "".join(piece * times for piece, times in parts)
)
ANYTHING = st.one_of(MARKDOWN, st.text(max_size=400), st.text(min_size=1, max_size=30).map(lambda text: text * 400))


def squeezed(text: str) -> str:
    return "".join(text.split())


def coverage(parts: list[Rendered]) -> list[tuple[str, frozenset[tuple[str, str | None]]]]:
    """Every visible character with its formatting."""
    found = []
    for part in parts:
        for index, char in enumerate(part.text):
            kinds = frozenset((span.kind, span.extra) for span in part.spans if span.start <= index < span.end)
            if not char.isspace():
                found.append((char, kinds))
    return found


# ---- properties -------------------------------------------------------------------------------------------------


@given(ANYTHING)
def test_every_part_fits_and_is_visible(markdown: str) -> None:
    parts = [render(part) for part in split(markdown)]

    assert parts
    assert all(units(part.text) <= MAX_UNITS and len(part.spans) <= MAX_ENTITIES for part in parts)
    assert not any(is_blank(part.text) for part in parts)


@given(MARKDOWN)
def test_nothing_visible_is_lost_or_added_by_cutting(markdown: str) -> None:
    """The parts together show what the whole would, with the same formatting on every character."""
    parts = [render(part) for part in split(markdown)]

    whole = render(clean(markdown))
    assert [one for one in coverage(parts) if not is_blank(one[0])] == [
        one for one in coverage([whole]) if not is_blank(one[0])
    ]


@given(ANYTHING)
def test_entities_lie_inside_the_text_on_whole_characters(markdown: str) -> None:
    for part in split(markdown):
        rendered = render(part)
        encoded = rendered.text.encode("utf-16-le")
        for entity in rendered.entities():
            start, end = 2 * entity["offset"], 2 * (entity["offset"] + entity["length"])
            assert 0 <= start < end <= len(encoded)
            encoded[start:end].decode("utf-16-le")  # raises inside a surrogate pair


@given(st.lists(st.sampled_from([FAMILY, FLAG, "e\u0301", "👍🏽", "क्षि", "가", "中", "a"]), min_size=1, max_size=40))
def test_no_character_as_people_see_it_is_cut(characters: list[str]) -> None:
    text = "".join(characters) * (9_000 // len("".join(characters)) + 1)

    parts = [render(part).text for part in split(text)]

    at = 0
    for part in parts[:-1]:
        at += len(part)
        assert is_boundary(text, at)
    assert "".join(parts) == text


@given(ANYTHING)
def test_splitting_is_deterministic_and_a_part_is_its_own_only_part_in_meaning(markdown: str) -> None:
    parts = split(markdown)

    assert split(markdown) == parts
    assert all(render(part) == render(part) for part in parts)


# ---- formatting -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("markdown", "text", "kind", "marked", "extra"),
    [
        ("**bold** text", "bold text", "bold", "bold", None),
        ("an *italic* word", "an italic word", "italic", "italic", None),
        ("~~gone~~", "gone", "strikethrough", "gone", None),
        ("||hidden||", "hidden", "spoiler", "hidden", None),
        ("run `ls -l`", "run ls -l", "code", "ls -l", None),
        ("```python\nprint(1)\n```", "print(1)", "pre", "print(1)", "python"),
        ("[here](https://example.org/x)", "here", "text_link", "here", "https://example.org/x"),
        ("> wise words", "wise words", "blockquote", "wise words", None),
        ("## Title", "Title", "bold", "Title", None),
        ("😀 **b**", "😀 b", "bold", "b", None),
    ],
)
def test_markdown_becomes_entities(markdown: str, text: str, kind: str, marked: str, extra: str | None) -> None:
    rendered = render(markdown)

    assert rendered.text == text
    assert [(span.kind, text[span.start : span.end], span.extra) for span in rendered.spans] == [(kind, marked, extra)]


def test_offsets_count_utf16_units() -> None:
    (entity,) = render("😀 **b**").entities()

    assert entity == {"type": "bold", "offset": 3, "length": 1}


def test_html_in_an_answer_is_shown_and_not_dropped() -> None:
    assert (
        render("Use a `<b>` or:\n\n<div>\nhi <i>there</i>\n</div>").text
        == "Use a <b> or:\n\n<div>\nhi <i>there</i>\n</div>"
    )


@pytest.mark.parametrize("url", ["tg://user?id=7", "javascript:alert(1)", "file:///etc/passwd", "https://a b"])
def test_a_link_that_does_not_lead_to_the_web_is_only_text(url: str) -> None:
    assert not [span for span in render(f"[press](<{url}>)").spans if span.kind == "text_link"]


def test_formatting_around_code_leaves_the_code_alone() -> None:
    """Telegram allows no other formatting on code."""
    rendered = render("**run `ls` now**")

    assert rendered.text == "run ls now"
    assert rendered.spans == (Span("bold", 0, 4), Span("code", 4, 6), Span("bold", 6, 10))


def test_of_quotations_in_quotations_the_outer_one_counts() -> None:
    assert [span.kind for span in render("> a\n> > b").spans] == ["blockquote"]
    assert [span.kind for span in render("> > both").spans] == ["blockquote"]


def test_lists_tables_and_tasks_are_readable() -> None:
    rendered = render("- one\n- two\n\n- [x] done\n\n| a | b |\n|---|---|\n| 1 | 2 |")

    assert "• one\n• two" in rendered.text
    assert "☑ done" in rendered.text
    assert "a | b" in rendered.text


# ---- cutting ----------------------------------------------------------------------------------------------------


def test_a_cut_code_block_is_a_code_block_in_both_parts() -> None:
    code = "\n".join(f"    line_{number} = {number}" for number in range(400))

    parts = [render(part) for part in split(f"Here:\n\n```python\n{code}\n```\n\nDone.")]

    assert len(parts) > 1
    assert all(any(span.kind == "pre" and span.extra == "python" for span in part.spans) for part in parts)
    assert "\n".join(part.text for part in parts) == f"Here:\n\n{code}\n\nDone."


def test_the_cut_is_between_paragraphs_where_there_is_one() -> None:
    paragraphs = [f"{number} " + "word " * 150 + "end." for number in range(12)]

    parts = [render(part).text for part in split("\n\n".join(paragraphs))]

    assert len(parts) > 1
    assert all(part.endswith("end.") for part in parts)


def test_text_without_spaces_is_cut_after_its_punctuation() -> None:
    sentence = "这是一个没有空格的句子，它只是用来测试切分的地方。"

    parts = [render(part).text for part in split(sentence * 300)]

    assert len(parts) > 1
    assert all(part.endswith("。") for part in parts)


def test_more_formatting_than_telegram_takes_goes_into_more_parts() -> None:
    parts = [render(part) for part in split("`a` " * 250)]

    assert [len(part.spans) for part in parts] == [100, 100, 50]


def test_an_answer_that_fits_stays_the_markdown_it_was() -> None:
    assert split("**bold** and `code`") == ["**bold** and `code`"]


def test_a_megabyte_is_split_too() -> None:
    parts = split("word " * 200_000)

    assert sum(len(squeezed(render(part).text)) for part in parts) == 800_000


@pytest.mark.parametrize("text", ["", "  \n", "\x00\x01", "\u200b\u200d", "\u2800", "\u3164"])
def test_what_nobody_could_see_becomes_a_sign(text: str) -> None:
    assert [render(part).text for part in split(text)] == [NOTHING]


def test_a_text_that_looks_like_a_stored_part_is_text() -> None:
    assert render('\x1e{"a": 1}').text == '{"a": 1}'
    assert [render(part).text for part in split('\x1e["x",[]]')] == ['["x",[]]']


def test_overrides_and_lone_surrogates_are_gone() -> None:
    assert clean("a\u202eb\ud800c\r\nd\u2028e") == "ab\ufffdc\nd\ne"


def test_a_draft_shows_the_end_of_what_does_not_fit() -> None:
    shown = tail("begin " + "middle " * 1_000 + "end")

    assert units(shown.text) <= MAX_UNITS
    assert shown.text.endswith("end")
    assert "begin" not in shown.text


@pytest.mark.parametrize(
    ("text", "boundaries"),
    [
        ("ab", [1]),
        ("e\u0301x", [2]),
        (FAMILY + "x", [len(FAMILY)]),
        (FLAG + FLAG, [2]),
        ("👍🏽!", [2]),
        ("\r\nx", [2]),
        ("क्ष", []),
        ("가나", [1]),
        ("❤\ufe0fx", [2]),
    ],
)
def test_characters_end_where_people_see_them_end(text: str, boundaries: list[int]) -> None:
    assert [at for at in range(1, len(text)) if is_boundary(text, at)] == boundaries, unicodedata.name(text[0])


@pytest.mark.parametrize(
    "table",
    [
        "|" + "a|" * 100 + "\n|" + "-|" * 100 + "\n" + "|a|\n" * 900,
        "|" + "x" * 2_000 + "|\n|-|\n" + "|a|\n" * 500,
    ],
)
def test_a_table_that_would_grow_far_beyond_its_text_is_shown_as_it_was_written(table: str) -> None:
    assert sum(len(render(part).text) for part in split(table)) <= len(table)


def test_a_usual_table_is_drawn() -> None:
    table = "| one | two |\n|---|---|\n" + f"| {'word ' * 20} | b |\n" * 30

    assert "one" + " " * 96 + " | two" in render(split(table)[0]).text


@pytest.mark.parametrize("piece", ["\n >  > ", "\n> > > > > > > > "])
def test_a_spoiler_into_a_quotation_is_a_mere_sign(piece: str) -> None:
    source = with_short_spoilers(f"||x{piece * 20}y|| and `a || b ||`")

    assert "||" not in source.partition("`")[0]
    assert "`a || b ||`" in source


def test_a_spoiler_of_two_lines_is_one() -> None:
    assert "spoiler" in {span.kind for span in render("||hidden\nhere||").spans}


@pytest.mark.parametrize(
    ("text", "is_short"),
    [
        (r"\(\alpha\) and \[x^2\]", True),
        (r"\(" * 300, False),
        (r"\(" + "{" * 3_000 + r"\)", False),
        (r"\(\alpha|{}|\)", False),
    ],
)
def test_formulas_are_converted_where_they_are_few_short_and_make_no_spoiler(text: str, *, is_short: bool) -> None:
    assert has_short_formulas(text) is is_short


@pytest.mark.parametrize("around", ["**a *b ", "||a **b ", "~~a "])
def test_formatting_a_thousand_deep_makes_no_part_of_one_character(around: str) -> None:
    closing = "".join(reversed(around.replace("a", "").replace("b", "").split(" ")))
    text = around * 400 + f" a{closing}" * 400

    assert len(split(text)) <= 1 + len(text) // 1_000


@pytest.mark.parametrize("piece", ["1. ", "- 1. ", "$", r"$$\alpha{{{{$$ "])
def test_what_the_library_draws_by_the_square_is_shown_as_it_was_written(piece: str) -> None:
    text = piece * 2_000

    assert tail(text).spans == ()
    assert sum(len(render(part).text) for part in split(text)) <= len(text)


def test_lists_in_lists_and_formulas_are_drawn() -> None:
    shown = render("- a\n  - b\n    - c\n\nand $$\\alpha$$")

    assert "•" in shown.text
    assert "α" in shown.text  # noqa: RUF001 (the letter itself)
