"""Tables for people, JSON for programs, and nothing that a terminal would obey."""

import json
from datetime import UTC, datetime
from uuid import UUID

import pytest

from parlour.cli.output import printable, show_rows

ROWS = [
    {"id": UUID(int=7), "since": datetime(2026, 11, 1, 12, tzinfo=UTC), "count": 3, "name": "小明", "left": None},
    {"id": UUID(int=8), "since": datetime(2026, 11, 2, 12, tzinfo=UTC), "count": 4, "name": "Zoë", "left": "x"},
]


def test_a_table_has_a_line_for_each_row(capsys: pytest.CaptureFixture[str]) -> None:
    show_rows(ROWS, as_json=False)

    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == ["id", "since", "count", "name", "left"]
    assert len(lines) == 2
    assert "小明" in lines[0]
    assert "2026-11-01T12:00:00+00:00" in lines[0]


def test_a_long_cell_is_not_cut_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    show_rows([{"text": "x" * 500}], as_json=False)

    assert "x" * 500 in capsys.readouterr().out


def test_json_keeps_numbers_and_null(capsys: pytest.CaptureFixture[str]) -> None:
    show_rows(ROWS, as_json=True)

    first = json.loads(capsys.readouterr().out)[0]
    assert first == {
        "id": "00000000-0000-0000-0000-000000000007",
        "since": "2026-11-01T12:00:00+00:00",
        "count": 3,
        "name": "小明",
        "left": None,
    }


def test_no_rows_are_said_in_words_or_an_empty_list(capsys: pytest.CaptureFixture[str]) -> None:
    show_rows([], as_json=False, empty="No turns.")
    show_rows([], as_json=True)

    assert capsys.readouterr().out == "No turns.\n[]\n"


@pytest.mark.parametrize("evil", ["\x1b[2J", "\u202e", "\r", "\x00", "\udc80", "\u200b"])
def test_what_a_terminal_would_obey_is_spelt_out(evil: str) -> None:
    shown = printable(f"a{evil}b")

    assert evil[0] not in shown
    assert shown.startswith("a\\u")


def test_brackets_in_a_cell_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    show_rows([{"name": "[bold]me[/bold]"}], as_json=False)

    assert "[bold]me[/bold]" in capsys.readouterr().out
