"""`parlour turn list`, as typed."""

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
