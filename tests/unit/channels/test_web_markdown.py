"""Markdown as HTML that does nothing."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlour.channels.web_markdown import plain_to_html, to_html

_ALLOWED = re.compile(
    r"</?(?:a|blockquote|br|code|del|div|em|h[3-6]|hr|li|ol|p|pre|s|span|strong|table|tbody|td|th|thead|tr|ul)"
    r'(?: (?:href="(?:https?|mailto):[^"]*"|title="[^"]*"|class="[^"]*"|start="\d+"|tabindex="0"|target="_blank"'
    r'|rel="noopener noreferrer nofollow"))*>'
)


@pytest.mark.parametrize(
    "markdown",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[a](javascript:alert(1))",
        "[a](JaVaScRiPt&colon;alert(1))",
        "[a](data:text/html;base64,PHNjcmlwdD4=)",
        "[a](vbscript:x)",
        "[a](//evil.example)",
        "![a](javascript:alert(1))",
        '[a](https://x "\\" onmouseover=alert(1) x=\\"")',
        '```"><script>alert(1)</script>\nx\n```',
        "<svg/onload=alert(1)>",
        "<style>*{display:none}</style>",
        "<form action=https://evil.example><input name=a></form>",
        "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        "<a href='x' style='position:fixed'>a</a>",
    ],
)
def test_known_attacks_leave_nothing_active(markdown: str) -> None:
    html = str(to_html(markdown))

    assert re.sub(_ALLOWED, "", html).count("<") == 0, html


@given(st.text(alphabet=st.sampled_from("<>\"'&;:/\\()[]!`*_~|#-=+ \n\tajsx1\u202e\ud800😀"), max_size=200))
def test_no_text_at_all_makes_an_active_page(markdown: str) -> None:
    html = str(to_html(markdown))

    assert re.sub(_ALLOWED, "", html).count("<") == 0, html
    html.encode()


@pytest.mark.parametrize("markdown", ["> " * 5_000, "[" * 5_000, "*" * 5_000, "`" * 5_001, "- " * 3_000, "![" * 3_000])
def test_deep_nesting_is_rendered_all_the_same(markdown: str) -> None:
    assert to_html(markdown) is not None


def test_what_a_model_writes_keeps_its_shape() -> None:
    html = to_html("# A\n\n**b** *c* ~~d~~ `e`\n\n1. x\n\n|a|b|\n|-|-:|\n|1|2|\n\nline\nbreak")

    for part in ("<h3>A</h3>", "<strong>b</strong>", "<em>c</em>", "<s>d</s>", "<code>e</code>", "<li>x</li>"):
        assert part in html
    assert '<td class="right">2</td>' in html
    assert "line<br>" in html


def test_a_picture_becomes_a_link() -> None:
    assert '<a href="https://example.org/x.png"' in to_html("![a cat](https://example.org/x.png)")
    assert "<img" not in to_html("![a cat](https://example.org/x.png)")


def test_only_what_says_that_it_is_an_address_becomes_a_link() -> None:
    html = to_html("see https://example.org and parlour.py and a@example.org")

    assert html.count("<a ") == 1


def test_code_is_coloured_by_classes_and_unknown_languages_are_left_alone() -> None:
    assert '<span class="hl-k">def</span>' in to_html("```python\ndef f(): pass\n```")
    assert "def f(): pass\n</code>" in to_html("```klingon\ndef f(): pass\n```")


def test_a_persons_own_text_is_escaped() -> None:
    assert plain_to_html("<b> & \ud800") == "&lt;b&gt; &amp; ?"


@pytest.mark.parametrize("language", ["easytrieve", "autohotkey", "fan", "java", "klingon"])
def test_only_languages_whose_colouring_is_known_to_be_quick_are_coloured(language: str) -> None:
    assert "hl-" not in to_html(f"```{language}\nclass A {{ int a = 1; }}\n```")


def test_long_code_is_shown_as_it_is_and_so_is_what_comes_after_much_of_it() -> None:
    short, long = "```python\ndef f(): pass\n```\n", "```python\n" + "def f(): pass\n" * 500 + "```\n"

    assert "hl-" not in to_html(long)
    assert to_html(short * 1_000).count('"hl-k"') < len(short * 1_000) / 10
    assert "hl-" not in to_html("```python\na = 1" + "\n " * 100 + "\n```")


@pytest.mark.parametrize(
    "table",
    [
        "|" + "a|" * 100 + "\n|" + "-|" * 100 + "\n" + "|a|\n" * 900,
        "> |" + "a|" * 100 + "\n> |" + "-|" * 100 + "\n" + "> |a|\n" * 600,
        "a|" * 500 + "\r" + "-|" * 500 + "\r" + "a\r" * 1_000,
    ],
)
def test_a_table_of_too_many_cells_is_shown_as_it_was_written(table: str) -> None:
    html = to_html(f"{table}\n\n**after**")

    assert "<td" not in html
    assert len(html) < 20 * len(table)
    assert "<strong>after</strong>" in html


def test_addresses_become_links_where_there_are_not_too_many() -> None:
    assert to_html("https://example.org " * 20).count("<a ") == 20
    assert "<a " not in to_html("https://example.org" * 1_000)
