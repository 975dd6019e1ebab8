"""What an item is about and how it is meant; and what the model is asked."""

import asyncio
from datetime import UTC, datetime

import pytest

from parlour.sdk import NotAvailable
from parlour.sdk.testing import FakeModel, Rehearsal
from parlour_finance_sentiment import skill
from parlour_finance_sentiment.items import Item, Judged, folded, language_of
from parlour_finance_sentiment.judging import TITLES_A_QUESTION, second_opinions
from parlour_finance_sentiment.repeats import Repeats
from parlour_finance_sentiment.subjects import BadCompany, Subjects, read_company, shipped_companies, shipped_topics

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)


def unsure(number: int) -> Judged:
    return Judged(Item(f"Title {number}", NOW), "en", "neutral", 0.0, 0.4)


@pytest.fixture(scope="module")
def subjects() -> Subjects:
    return Subjects([*shipped_companies(), read_company("ACME | Acme Corp | 顶点公司")], shipped_topics())


@pytest.mark.parametrize(
    ("text", "tickers"),
    [
        ("Apple and Nvidia rise", ("AAPL", "NVDA")),
        ("An apple a day", ()),
        ("$TSLA to the moon", ("TSLA",)),
        ("Shares of Boeing (NYSE: BA) fall", ("BA",)),
        ("GENERAL MOTORS OF THE CAT FAMILY", ()),
        ("贵州茅台：一季报预增", ("600519",)),
        ("600519 涨停", ("600519",)),
        ("中标600519万元项目", ()),
        ("顶点公司与英伟达合作", ("ACME", "NVDA")),
        ("Metallica plays at Intelligentsia", ()),
    ],
)
def test_companies_are_found_by_ticker_and_name(subjects: Subjects, text: str, tickers: tuple[str, ...]) -> None:
    assert subjects.companies_in(text) == tickers


def test_topics_are_found_in_both_languages(subjects: Subjects) -> None:
    assert subjects.topics_in("Regulator opens probe into merger", "en") == ("law", "deals")
    assert subjects.topics_in("股东拟减持，收到警示函", "zh") == ("holders", "law")


@pytest.mark.parametrize(
    ("said", "subject"),
    [("nvda", "NVDA"), ("$TSLA", "TSLA"), ("茅台", "600519"), ("监管", "law"), ("全部", "all"), ("x", None)],
)
def test_people_name_subjects_as_they_like(subjects: Subjects, said: str, subject: str | None) -> None:
    assert subjects.meant(said) == subject


@pytest.mark.parametrize("line", ["", "NVDA", "| Nvidia", f"X | {'y' * 100}", "X | "])
def test_a_company_that_cannot_be_read_says_how_to_write_one(line: str) -> None:
    with pytest.raises(BadCompany, match=r"NVDA \| Nvidia"):
        read_company(line)


def test_language_is_told_by_the_letters() -> None:
    assert [language_of(text) for text in ("Apple 苹果 earnings beat", "苹果Apple财报", "100 %", "")] == [
        "en",
        "zh",
        "en",
        "en",
    ]


def test_the_same_news_of_another_publisher_is_no_new_news() -> None:
    repeats = Repeats(["Tesla recalls 2 million cars over brakes - Reuters"])

    assert not repeats.is_new(Item("Tesla Recalls 2 Million Cars over Brakes", NOW))
    assert not repeats.is_new(Item("Tesla recalls 2 million cars over its brakes", NOW))
    assert repeats.is_new(Item("Tesla recalls 3 million cars over brakes", NOW))
    assert repeats.is_new(Item("Ford recalls trucks", NOW))
    assert not repeats.is_new(Item("Ford recalls trucks", NOW))
    assert folded(" 减持公告（来源：新浪） ") == folded("减持公告")


def test_the_model_is_asked_about_many_titles_at_once() -> None:
    model = FakeModel(lambda prompt: {"labels": ["negative"] * prompt.count("Title ")})  # type: ignore[arg-type,return-value]

    found = asyncio.run(second_opinions([unsure(number) for number in range(25)], model))

    assert len(model.prompts) == -(-25 // TITLES_A_QUESTION)
    assert [one.label for one in found] == ["negative"] * 25
    assert {one.by for one in found} == {"model"}


@pytest.mark.parametrize("answer", [{"labels": ["negative"]}, {"labels": ["good"] * 3}, "negative", {"labels": None}])
def test_what_the_model_answers_wrongly_changes_nothing(answer: object) -> None:
    model = FakeModel(lambda _: answer)  # type: ignore[arg-type,return-value]

    assert asyncio.run(second_opinions([unsure(number) for number in range(3)], model)) == []


def test_a_model_that_is_away_changes_nothing() -> None:
    def away(_: str) -> str:
        raise NotAvailable("The model did not answer.")

    assert asyncio.run(second_opinions([unsure(1)], FakeModel(away))) == []


def test_what_the_model_says_otherwise_is_counted_anew() -> None:
    stage = Rehearsal(skill, settings={"ask_model": True})
    stage.command("finance", "read Boeing opens an office in Lima")
    document = next(one for (kind, _), one in stage.shared.documents.items() if kind == "news")
    document["items"][0]["sureness"] = 0.4
    before = stage.command("finance", "trend BA").text
    stage.model = FakeModel(lambda _: {"labels": ["negative"]})  # type: ignore[arg-type,return-value]

    stage.tick("reconsider")

    assert "0 negative, 1 neutral" in before
    assert "1 negative, 0 neutral" in stage.command("finance", "trend BA").text
