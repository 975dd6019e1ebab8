"""What `/finance` answers."""

import pytest

from parlour.sdk.testing import FakeHttp, Rehearsal
from parlour_finance_sentiment import skill
from parlour_finance_sentiment.wording import TEXTS

FEED = "https://feeds.finance.yahoo.com/rss"
NEWS = """<rss><channel>
<item><title>Nvidia shares plunge after profit warning</title><pubDate>Mon, 05 Jan 2026 08:00:00 GMT</pubDate></item>
<item><title>苹果公司净利润增长20%</title><pubDate>Mon, 05 Jan 2026 08:10:00 GMT</pubDate></item>
<item><title>The annual general meeting of Boeing will be held in May</title></item>
</channel></rss>"""


@pytest.fixture
def stage() -> Rehearsal:
    return Rehearsal(skill, http=FakeHttp({FEED: NEWS}), settings={"sources": [FEED]})


def test_that_it_is_no_advice_is_said_once_to_each_person(stage: Rehearsal) -> None:
    first, second = stage.command("finance"), stage.command("finance")

    assert "no investment advice" in first.text
    assert "no investment advice" not in second.text
    assert "不构成投资建议" in stage.command("finance", user="bob", language="zh").text


def test_a_poll_reads_the_sources_and_a_trend_shows_them(stage: Rehearsal) -> None:
    stage.tick("poll")

    said = stage.command("finance", "trend NVDA")

    assert "1 negative, 0 neutral, 0 positive" in said.text
    assert "负面 0，中性 0，正面 1" in stage.command("finance", "趋势 苹果", language="zh").text


def test_a_second_poll_counts_nothing_twice(stage: Rehearsal) -> None:
    stage.tick("poll")
    stage.tick("poll")

    assert "1 negative, 1 neutral, 1 positive" in stage.command("finance", "trend all").text


def test_one_broken_source_holds_up_no_other_and_is_told(stage: Rehearsal) -> None:
    page = "https://www.ecb.europa.eu/page"
    stage.http.pages[page] = "<!DOCTYPE html><html></html>"
    stage.settings = {"sources": [page, "ftp://old", "https://elsewhere.example/", f"{FEED}/gone", FEED]}

    stage.tick("poll")

    said = stage.command("finance", "sources").text
    assert "HTML page, not a feed" in said
    assert "'ftp://old' is no source" in said
    assert "elsewhere.example is not among" in said
    assert "answered 404" in said
    assert f"{FEED}: 3 items" in said


def test_a_server_that_the_operator_sets_may_be_read(stage: Rehearsal) -> None:
    own = "https://news.example.org/feed"
    stage.http.pages[own] = NEWS
    stage.settings = {"sources": [own], "hosts": ["news.example.org"]}

    stage.tick("poll")

    assert f"{own}: 3 items" in stage.command("finance", "sources").text


def test_settings_that_cannot_be_read_are_told_and_hold_up_nothing(stage: Rehearsal) -> None:
    stage.settings = {"sources": [FEED], "companies": ["NVDA"], "quiet_hours": "at night"}

    stage.tick("poll")

    said = stage.command("finance", "sources").text
    assert "3 items" in said
    assert "'NVDA' is no company" in said
    assert "quiet_hours='at night'" in said


def test_what_is_not_known_is_answered_with_what_may_be_meant(stage: Rehearsal) -> None:
    assert "Did you mean nvidia" in stage.command("finance", "watch Nvidea").text
    assert stage.notify.topics == {}


def test_pasted_news_is_judged_with_the_words_that_made_it_so(stage: Rehearsal) -> None:
    said = stage.command("finance", "read 荣之联：股东拟减持不超过651万股").text

    assert "-" in said
    assert "减持" in said.split("万股", 1)[1]


def test_a_question_is_answered_from_the_items_that_fit(stage: Rehearsal) -> None:
    stage.tick("poll")

    said = stage.command("finance", "ask Why is Nvidia in the news?")

    assert "All well." in said.text
    assert "Nvidia shares plunge" in said.text
    assert [passage.text for passage in stage.model.passages] == [
        "Nvidia shares plunge after profit warning (negative)"
    ]


def test_a_question_without_a_command_is_answered_too(stage: Rehearsal) -> None:
    stage.tick("poll")

    assert "苹果公司净利润增长20%" in stage.say("苹果最近怎么样？", language="zh").text


def test_a_question_on_what_was_never_read_asks_no_model(stage: Rehearsal) -> None:
    stage.tick("poll")

    assert "read nothing about that" in stage.command("finance", "ask What about zinc?").text
    assert stage.model.prompts == []


def test_only_administrators_teach_it(stage: Rehearsal) -> None:
    assert "Only administrators" in stage.command("finance", "label negative Profit fell").text
    assert "1 labels" in stage.command("finance", "label negative Profit fell", role="admin").text
    assert "Only administrators" in stage.command("finance", "retrain").text


def test_the_model_may_ask_for_the_sentiment_of_a_company(stage: Rehearsal) -> None:
    stage.tick("poll")

    assert "1 negative, 0 neutral, 0 positive" in stage.tool("news_sentiment", company="英伟达")
    assert "No company or topic" in stage.tool("news_sentiment", company="Atlantis")


def test_everything_is_said_in_both_languages() -> None:
    assert {name for name, texts in TEXTS.items() if set(texts) != {"en", "zh"}} == set()
