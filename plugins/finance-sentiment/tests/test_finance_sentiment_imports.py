"""Files that an operator hands in."""

from parlour.sdk.testing import Rehearsal
from parlour_finance_sentiment import skill


def test_a_file_of_news_is_judged_once_however_often_it_is_handed_in() -> None:
    stage = Rehearsal(skill)
    lines = '{"title": "Nvidia sued over chips"}\n{"title": "Nvidia wins order"}\n'

    assert "2 items are new, 0 are known" in stage.hand_in("news", lines).text
    assert "0 items are new, 2 are known" in stage.hand_in("news", lines).text


def test_a_file_that_is_none_is_refused_by_what_it_is() -> None:
    stage = Rehearsal(skill)

    assert "HTML page, not a feed" in stage.hand_in("news", "<html></html>").text
    assert "no text in UTF-8" in stage.hand_in("news", b"\xff\xfe\x00").text
    assert "more than 8,000,000 bytes" in stage.hand_in("news", b"x" * 8_000_001).text


def test_companies_of_the_operator_stand_beside_those_that_come_along() -> None:
    stage = Rehearsal(skill)

    said = stage.hand_in("companies", "ZORB | Zorblat Industries | 佐布拉\nnonsense\n").text

    assert said.startswith("1 companies.")
    assert "Line 2: 'nonsense' is no company" in said
    assert "ZORB (佐布拉)" in stage.command("finance", "watch 佐布拉", language="zh").text
    assert "NVDA" in stage.command("finance", "watch nvidia").text


def test_old_news_is_forgotten_and_new_news_kept() -> None:
    stage = Rehearsal(skill, settings={"keep_days": 35})
    stage.command("finance", "read Nvidia sued over chips")
    stage.clock.advance(40 * 86_400)
    stage.command("finance", "read Nvidia wins order")

    stage.tick("tidy")

    days = [name for kind, name in stage.shared.documents if kind == "day"]
    assert days == ["2026-02-14"]
    assert len([name for kind, name in stage.shared.documents if kind == "news"]) == 1
