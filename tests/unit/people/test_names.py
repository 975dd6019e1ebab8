"""Names as messengers give them."""

import pytest

from parlour.people.names import display_name


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("Ann Example", "Ann Example"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("Ann\u202egnp.exe", "Anngnp.exe"),
        ("\u2066Ann\u2069\u200b", "Ann"),
        ("Ann\nBob\t\x00Carl", "Ann Bob Carl"),
        ("👩\u200d👩\u200d👧", "👩\u200d👩\u200d👧"),
        ("\ud800 lone", "\ufffd lone"),
        ("\u202e\u200b \u00a0", ""),
        ("\u0301\u0301", ""),
        ("名" * 5_000, "名" * 100),
        ("", ""),
    ],
)
def test_a_name_is_one_line_that_turns_nothing_around(raw: str, shown: str) -> None:
    assert display_name(raw) == shown
