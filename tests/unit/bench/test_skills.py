"""The frame of `parlour bench skills`: parts are found, run, and told what is missing."""

from pathlib import Path

import pytest

from parlour.bench.errors import BenchError
from parlour.bench.skills.banking import TRADES, Question, questions
from parlour.bench.skills.data import Data, data_in
from parlour.bench.skills.part import run_part
from parlour.bench.skills.router import _fate

PROGRAM = """
import sys
print("a word on how far it is")
print({told!r})
sys.exit({code})
"""


def _module(folder: Path, monkeypatch: pytest.MonkeyPatch, told: str, *, code: int = 0) -> str:
    (folder / "plugin" / "src").mkdir(parents=True)
    (folder / "plugin" / "src" / "tried_evaluation.py").write_text(PROGRAM.format(told=told, code=code))
    monkeypatch.setattr("parlour.bench.skills.part._PLUGINS", folder)
    return "tried_evaluation"


def test_the_tables_of_a_plugins_program_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = _module(tmp_path, monkeypatch, '{"Accuracy": [{"method": "ours", "right": 0.9}]}')

    tables = run_part(module, Data(tmp_path), 0)

    assert tables == {"Accuracy": [{"method": "ours", "right": 0.9}]}


@pytest.mark.parametrize("told", ["", "no JSON", "[1]", '{"Accuracy": [1]}', '{"Accuracy": 1}'])
def test_a_program_that_prints_no_tables_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str) -> None:
    module = _module(tmp_path, monkeypatch, told)

    with pytest.raises(BenchError, match="tried_evaluation printed no tables"):
        run_part(module, Data(None), 0)


def test_a_program_that_fails_is_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = _module(tmp_path, monkeypatch, "{}", code=3)

    with pytest.raises(BenchError, match="ended with 3"):
        run_part(module, Data(None), 0)


def test_what_data_is_missing_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"train\.csv .*--data DIR"):
        Data(tmp_path).file("banking77/train.csv")
    with pytest.raises(BenchError, match=r"no folder of data.*--data DIR"):
        Data(None).file("banking77/train.csv")
    with pytest.raises(BenchError, match="is no folder"):
        data_in(tmp_path / "nowhere")


def test_a_question_that_is_torn_apart_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "train.csv"
    file.write_text('text,category\nWhere is my card?,card_arrival\nhalf of\n"My ""PIN"", please",change_pin\n')

    assert questions(file) == [
        Question("Where is my card?", "card_arrival"),
        Question('My "PIN", please', "change_pin"),
    ]


def test_no_intent_belongs_to_two_trades() -> None:
    intents = [intent for trade in TRADES.values() for intent in trade]

    assert len(TRADES) == 10
    assert len(intents) == len(set(intents))


@pytest.mark.parametrize(
    ("best", "second", "fate"),
    [(0.1, 0.0, "plain chat"), (0.2, 0.0, "model asked"), (0.6, 0.58, "model asked"), (0.6, 0.1, "right")],
)
def test_what_becomes_of_a_question_is_counted_as_the_router_would_decide(
    best: float, second: float, fate: str
) -> None:
    assert _fate({"cards": best, "cash": second, "transfers": 0.0}, "cards") == fate


def test_a_question_that_goes_to_another_skill_is_counted_wrong() -> None:
    assert _fate({"cards": 0.6, "cash": 0.1}, "cash") == "wrong"
