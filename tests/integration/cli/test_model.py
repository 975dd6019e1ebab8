"""`parlour model` as a person runs it."""

import json
from pathlib import Path

import pytest

from parlour.cli import main
from parlour.engines.catalogue import CATALOGUE, FIRST_CONTACT


@pytest.fixture(autouse=True)
def _somewhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder, and an empty place for models."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PARLOUR_ENGINE__MODELS_DIR", str(tmp_path / "models"))


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main.run(["model", *arguments])
    return int(ended.value.code or 0)


def test_the_list_is_for_programs_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list", "--json") == 0

    listed = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in listed] == [model.name for model in CATALOGUE]
    assert {row["here"] for row in listed} == {""}


def test_the_list_says_what_fits_this_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list") == 0

    assert "parlour model pull" in capsys.readouterr().out


def test_a_name_that_is_not_in_the_catalogue_is_refused_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("pull", "no-such-model") == 1

    told = capsys.readouterr().err.strip()
    assert FIRST_CONTACT in told
    assert "\n" not in told


def test_converting_what_is_no_model_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "letter.gguf").write_text("Dear Sir or Madam")

    assert run("convert", "letter.gguf") == 1

    assert "not a GGUF file" in capsys.readouterr().err


def test_trying_a_model_that_is_not_there_says_how_to_fetch_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("test", "some-model") == 1

    assert "parlour model pull some-model" in capsys.readouterr().err


def test_trying_the_echo_engine_shows_answer_and_speed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PARLOUR_ENGINE__KIND", "echo")

    assert run("test", "--question", "Hello there") == 0

    shown = capsys.readouterr()
    assert shown.out.strip() == "Hello there"
    assert "tokens in" in shown.err


@pytest.mark.model
def test_trying_the_small_model_answers_the_question(
    smollm2_gguf: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PARLOUR_ENGINE__CONTEXT_TOKENS", "512")

    assert run("test", str(smollm2_gguf)) == 0

    assert "Paris" in capsys.readouterr().out
