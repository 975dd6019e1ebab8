"""What a sentence says: movements, figures, telling words; and what is learnt from labels."""

import asyncio

import numpy as np
import pytest

from parlour.sdk.testing import Rehearsal
from parlour_finance_sentiment import skill
from parlour_finance_sentiment.items import Label
from parlour_finance_sentiment.readers import readers_of, shipped
from parlour_finance_sentiment.seeds import seeds_of
from parlour_finance_sentiment.sentiment import chinese, english
from parlour_finance_sentiment.sentiment.classifier import Classifier, Weights
from parlour_finance_sentiment.sentiment.rules import Rules
from parlour_finance_sentiment.sentiment.training import TooFewLabels, train
from parlour_finance_sentiment.shelf import Shelf
from parlour_finance_sentiment.teaching import label_of, read_labels

TEXTS = [f"{thing} {move} in the quarter" for thing in ("Profit", "Sales", "Orders") for move in ("rose", "fell")] * 4
LABELS: list[Label] = ["positive", "negative"] * 12


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("EUR17.9 m", [("money", 17_900_000)]),
        ("a rise of 11.2 % to USD 1,250 million", [("percent", 11.2), ("money", 1_250_000_000)]),
        ("in 2008 it had 4 200 people", [("year", 2008), ("number", 4_200)]),
        ("EUR 8 .5 mn", [("money", 8_500_000)]),
    ],
)
def test_numbers_are_read_as_they_are_written(text: str, values: list[tuple[str, float]]) -> None:
    found = [(token.text, token.value) for token in english.tokens_of(text) if token.value is not None]

    assert found == values


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("Operating profit rose to EUR 4.7 mn from EUR 4.6 mn", 1),
        ("Net sales totalled EUR 30.6 mn, compared to EUR 38.3 mn a year earlier", -1),
        ("Profit moved from EUR 2 mn to EUR 3 mn", 1),
        ("Operating loss widened to EUR 12 mn from EUR 3 mn", -1),
        ("Costs were EUR 5 mn versus EUR 7 mn", 1),
    ],
)
def test_two_figures_tell_what_moved_which_way(text: str, sign: int) -> None:
    signals = english.signals_of(english.tokens_of(text))

    assert [signal.sign for signal in signals if signal.kind == "figures"] == [sign]


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("拟减持不超过2%股份", "negative"),
        ("终止减持计划", "positive"),
        ("净利润同比增长20%", "positive"),
        ("净利润同比下降20%", "negative"),
        ("将召开股东大会", "neutral"),
    ],
)
def test_chinese_headlines_are_read_with_what_undoes_a_plan(text: str, label: Label) -> None:
    assert Rules("zh").tones([text])[0].label == label


def test_a_company_is_no_part_of_what_is_said_about_it() -> None:
    assert chinese.said("荣之联：股东拟减持不超过651万股") == chinese.said("金禾实业：股东拟减持不超过20万股")


def test_what_comes_along_tells_good_from_bad_and_why() -> None:
    stage = Rehearsal(skill)
    said = stage.command("finance", "read Operating profit fell to EUR 1 mn from EUR 3 mn. 子公司中标2亿元项目。").text

    bad, good = said.splitlines()[-2:]
    assert bad.startswith("- -")
    assert "profit fell" in bad
    assert good.startswith("- +")
    assert "中标" in good


def test_weights_survive_being_kept() -> None:
    weights = train(TEXTS, LABELS, "en", None)
    kept = Weights.from_bytes(weights.to_bytes())

    before, after = (Classifier(one, None).tones(["Profit fell again"])[0] for one in (weights, kept))

    assert before.label == after.label == "negative"
    assert before.score == pytest.approx(after.score, abs=0.01)
    assert after.words == ("profit fell",)


def test_learning_is_the_same_every_time() -> None:
    assert np.array_equal(train(TEXTS, LABELS, "en", None).sparse, train(TEXTS, LABELS, "en", None).sparse)


@pytest.mark.parametrize("labels", [["positive"] * 24, ["negative", *["positive"] * 23]])
def test_too_few_labels_are_refused_with_how_many_there_are(labels: list[Label]) -> None:
    with pytest.raises(TooFewLabels, match="positive"):
        train(TEXTS, labels, "en", None)


def test_the_sentences_that_come_along_have_all_labels_and_weights() -> None:
    for language in ("en", "zh"):
        assert {label for _, label in seeds_of(language)} == {"negative", "neutral", "positive"}
        assert shipped(language) is not None


@pytest.mark.parametrize("word", ["neg", "负面", " Negative "])
def test_labels_are_understood_as_people_write_them(word: str) -> None:
    assert label_of(word) == "negative"


def test_a_row_without_a_label_is_named_and_the_rest_kept() -> None:
    good, problems = read_labels("text,label\nProfit fell,negative\nProfit rose,great\n净利润增长,正面\n")

    assert good == [("Profit fell", "negative"), ("净利润增长", "positive")]
    assert problems == ["Row 3: 'great' is no label. There are: negative, neutral, positive."]
    assert read_labels('{"text": "Profit fell", "label": "neg"}\nnonsense')[1][0].startswith("Row 2") is True


@pytest.mark.slow
def test_labels_that_are_handed_in_are_learnt_and_used() -> None:
    stage = Rehearsal(skill)
    rows = "".join(f"Zorblat quibbles number {number} again,negative\n" for number in range(60))

    said = stage.hand_in("labels", f"text,label\n{rows}").text

    assert "60 labels." in said
    assert "Learnt en from 60 labels." in said
    reader = asyncio.run(readers_of(Shelf(stage.shared)))["en"]
    assert reader.tones(["Zorblat quibbles again"])[0].label == "negative"


@pytest.mark.slow
def test_many_labels_are_learnt_with_the_next_poll() -> None:
    stage = Rehearsal(skill)
    stage.hand_in("companies", "ACME | Acme Corp\nbroken")
    for number in range(501):
        stage.shared.documents["labels", f"labels/0/{number}"] = {"labels": [["Acme slips", "negative"]]}
    stage.shared.documents["state", "labels"] = {"run": 0, "parts": 501}

    said = stage.command("finance", "retrain", role="owner").text

    assert "with the next poll" in said
    stage.tick("poll")
    assert ("state", "weights-en") in stage.shared.documents
    assert ("state", "learning") not in stage.shared.documents
