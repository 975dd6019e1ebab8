"""Lists with nothing in them, and values that cannot be, as typed."""

import json
from pathlib import Path

import pytest

from tests.support.command import Command
from tests.support.stage import make_template


@pytest.fixture(autouse=True)
def _made(parlour: Command, tmp_path: Path) -> None:
    make_template(tmp_path / "data")


def test_where_nothing_is_stuck_the_list_says_so(parlour: Command) -> None:
    code, out, _ = parlour("turn", "list", "--stuck")

    assert (code, out) == (0, "No turn is stuck.\n")


def test_a_state_and_stuck_at_once_are_refused_with_the_reason(parlour: Command) -> None:
    code, _, error = parlour("turn", "list", "--stuck", "--state", "failed")

    assert code == 2
    assert "either --stuck or --state" in error


def test_an_empty_list_names_the_state_that_was_asked_for(parlour: Command) -> None:
    assert parlour("turn", "list", "--state", "failed")[1] == "No turn is failed.\n"
    assert parlour("turn", "list")[1] == "No turn is waiting or running.\n"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (["turn", "show", "x"], "'x' is not a turn's id"),
        (["user", "list", "--after", "x"], "'x' is no user id"),
        (["token", "revoke", "x"], "no token's id"),
        (["kb", "search", "Anything?", "--role", "boss"], "'boss' is not one of"),
        (["kb", "add", "ftp://x/y"], "ftp://x/y is no address that documents are taken from. Give a file, a folder"),
        (["chat", "--once", ""], "--once: is empty"),
    ],
)
def test_a_value_that_cannot_be_is_wrong_usage(parlour: Command, line: list[str], words: str) -> None:
    code, said, problem = parlour(*line)

    assert (code, said) == (2, "")
    assert words in problem


def test_the_keys_are_told_by_whole_paths(parlour: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLOUR_DATA_DIR", "data")

    facts = json.loads(parlour("keys", "status", "--json")[1])

    assert facts["key_file"] == str(tmp_path / "data" / "keys" / "master.key")
    assert str(tmp_path / "data" / "keys" / "keys.sqlite") in facts["key_store"]


def test_who_asks_for_erased_people_is_told_where_they_stand(parlour: Command) -> None:
    assert "parlour receipt list" in parlour("user", "list", "--state", "erased")[1]
