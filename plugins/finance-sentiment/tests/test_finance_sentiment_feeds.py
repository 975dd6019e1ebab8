"""What a source answers is read, or refused with a word on why."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from parlour.sdk import NotAvailable, NotGranted, Response, TooMuch
from parlour.sdk.testing import FakeHttp
from parlour_finance_sentiment.feeds import BadFeed, read_feed, read_file, read_json, read_text
from parlour_finance_sentiment.sources import BadSource, fetch, read_source

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)

RSS = """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0"><channel><title>Markets</title>
<item><title><![CDATA[Tesla <b>recalls</b> cars &amp; shares fall]]></title><link>https://n.example/1</link>
<pubDate>Mon, 05 Jan 2026 08:15:00 +0100</pubDate></item>
<item><description>A line without title</description><link>javascript:alert(1)</link></item>
<item><title> </title></item>
</channel></rss>"""

ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><entry><title>英伟达净利润增长</title>
<link href="https://n.example/2"/><updated>2026-01-04T23:30:00Z</updated></entry></feed>"""


def test_rss_gives_titles_links_and_times_in_utc() -> None:
    first, second = read_feed(RSS.encode(), "n.example", NOW)

    assert first.title == "Tesla recalls cars & shares fall"
    assert (first.link, first.at) == ("https://n.example/1", datetime(2026, 1, 5, 7, 15, tzinfo=UTC))
    assert (second.title, second.link, second.at) == ("A line without title", "", NOW)


def test_atom_is_read_in_its_own_names() -> None:
    (item,) = read_feed(ATOM.encode(), "n.example", NOW)

    assert (item.title, item.link) == ("英伟达净利润增长", "https://n.example/2")
    assert item.at == datetime(2026, 1, 4, 23, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "HTML page, not a feed"),
        (b"\n <!-- hi --> <HTML lang='en'></HTML>", "HTML page, not a feed"),
        (b'<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><rss>&b;</rss>', "declares a document type"),
        (b"<rss><channel><item>", "not well-formed"),
        (b'<?xml version="1.0" encoding="no-such"?><rss/>', "not well-formed"),
        (b"<svg></svg>", "begins with <svg>"),
        (b"\x89PNG\r\n", "not well-formed"),
    ],
)
def test_what_is_no_feed_is_refused_by_what_it_is(body: bytes, said: str) -> None:
    with pytest.raises(BadFeed, match=said):
        read_feed(body, "n.example", NOW)


def test_a_time_of_another_century_or_of_next_month_is_not_believed() -> None:
    body = "".join(
        f"<item><title>News {at}</title><pubDate>{at}</pubDate></item>"
        for at in ("Mon, 05 Jan 1801 08:15:00 GMT", "Thu, 05 Feb 2026 08:15:00 GMT", "yesterday")
    )

    items = read_feed(f"<rss>{body}</rss>".encode(), "n.example", NOW)

    assert [item.at for item in items] == [NOW, NOW, NOW]


def test_json_is_read_where_the_operator_says() -> None:
    body = (
        b'{"data": {"news": [{"headline": "Profit fell", "when": 1767600000, "url": "https://n.example/3"}, {"x": 1}]}}'
    )

    (item,) = read_json(
        body, {"items": "data.news", "title": "headline", "time": "when", "link": "url"}, "n.example", NOW
    )

    assert (item.title, item.link, item.at) == (
        "Profit fell",
        "https://n.example/3",
        datetime(2026, 1, 5, 8, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("body", "fields", "said"),
    [
        (b"<html></html>", {}, "HTML page, not JSON"),
        (b"{", {}, "no JSON"),
        (b"[" * 100_000, {}, "no JSON"),
        (b'{"data": 1}', {"items": "data"}, "no list at items='data'"),
        (b'[{"headline": "x"}]', {}, "None of 1 items has a text at title='title'"),
    ],
)
def test_json_that_does_not_fit_says_what_to_write(body: bytes, fields: dict[str, str], said: str) -> None:
    with pytest.raises(BadFeed, match=said):
        read_json(body, fields, "n.example", NOW)


def test_pasted_text_is_an_item_for_each_sentence_and_line() -> None:
    items = read_text("Profit fell. Sales rose 3.5 % to EUR 4 mn.\n\n减持公告。股价下跌！", "pasted", NOW)

    assert [item.title for item in items] == [
        "Profit fell.",
        "Sales rose 3.5 % to EUR 4 mn.",
        "减持公告。",
        "股价下跌！",
    ]


def test_a_file_is_taken_for_what_it_is() -> None:
    lines = b'{"title": "One", "link": "https://n.example/4"}\n\n{"title": "Two"}\n'

    assert read_file(RSS.encode(), "file", NOW)[0].title.startswith("Tesla")
    assert [item.title for item in read_file(lines, "file", NOW)] == ["One", "Two"]
    assert [item.title for item in read_file(b'["Three"]', "file", NOW)] == ["Three"]
    assert [item.title for item in read_file(b"\xef\xbb\xbfFour", "file", NOW)] == ["Four"]


def test_a_broken_line_is_named_by_its_number() -> None:
    with pytest.raises(BadFeed, match="Line 2 is no JSON"):
        read_file(b'{"title": "One"}\n{"title": \n', "file", NOW)


class BrokenWeb(FakeHttp):
    """Answers as the host does for each of these addresses."""

    async def get(self, url: str, *, headers: Mapping[str, str] | None = None) -> Response:
        raise {
            "https://a.example.org/huge": TooMuch("The answer has more than 8,000,000 bytes."),
            "https://a.example.org/home": NotGranted("The host 'localhost' was not granted. Granted: a.example.org."),
            "https://a.example.org/gone": NotAvailable("a.example.org did not answer: ConnectTimeout."),
        }[url]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("huge", "larger than 8 MB"),
        ("home", "may not be reached: The host 'localhost' was not granted"),
        ("gone", "did not answer"),
    ],
)
def test_a_feed_of_a_gigabyte_or_a_redirect_home_is_left_out_with_a_word(path: str, said: str) -> None:
    """The host cuts the one off at 8 MB and refuses the other; the skill goes on and tells."""
    source = read_source(f"rss https://a.example.org/{path}")

    fetched = asyncio.run(fetch(source, BrokenWeb(), NOW))

    assert fetched.items == ()
    assert said in fetched.problem


@pytest.mark.parametrize("line", ["", "http://plain.example/", "json", "json https://a.example.org/ list=data", "feed"])
def test_a_source_that_cannot_be_read_says_how_to_write_one(line: str) -> None:
    with pytest.raises(BadSource, match=r"https://|There are: items"):
        read_source(line)
