"""Replies: across the process border and back, as plain text, and nothing else."""

from typing import Any

import pytest

from parlour.sdk.errors import Invalid
from parlour.sdk.replies import (
    Button,
    Buttons,
    Chart,
    File,
    Image,
    Reply,
    Series,
    Text,
    as_markdown,
    from_wire,
    replies_of,
    to_wire,
)

CHART = Chart("Growth", ("Mon", "Tue"), (Series("cm", (1.0, 2.5)),))
EVERY_KIND = [
    Text("**hi**"),
    File("a.csv", b"1,2", "text/csv"),
    Image(b"\x89PNG", "a cat"),
    CHART,
    Buttons("Which?", (Button("More", "/more"),)),
]


@pytest.mark.parametrize("reply", EVERY_KIND, ids=lambda reply: type(reply).__name__)
def test_a_reply_survives_the_way(reply: Reply) -> None:
    assert from_wire(to_wire(reply)) == reply


def test_a_chart_is_a_table_where_no_picture_can_be() -> None:
    assert as_markdown(CHART) == "**Growth**\n\n|  | cm |\n| --- | --- |\n| Mon | 1 |\n| Tue | 2.5 |"


def test_buttons_are_a_list_of_what_to_type() -> None:
    assert as_markdown(Buttons("Which?", (Button("More", "/more"),))) == "Which?\n- More: `/more`"


def test_a_handler_may_answer_with_nothing_one_or_several() -> None:
    assert list(replies_of(None)) == []
    assert list(replies_of(["a", (Text("b"), None)])) == [Text("a"), Text("b")]
    with pytest.raises(Invalid, match="answered with int"):
        list(replies_of(7))


@pytest.mark.parametrize("says", ["/link ABCD yes", " /FORGETME", "/li\u202enk x", "/privacy\nyes", "/approve@bot x"])
def test_no_button_gives_a_command_of_the_platform_in_the_persons_name(says: str) -> None:
    with pytest.raises(Invalid, match="only the person may give it"):
        list(replies_of(Buttons("Go on?", (Button("Next page", says),))))
    with pytest.raises(Invalid, match="only the person may give it"):
        from_wire({"is": "question", "markdown": "Which?", "options": ["one", says]})


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        {"is": "spell"},
        {"is": "text"},
        {"is": "text", "markdown": 3},
        {"is": "text", "markdown": "x", "more": 1},
        {"is": "file", "name": "a", "content": "text"},
        {"is": "file", "name": "a", "content": bytes(8_000_001)},
        {"is": "buttons", "markdown": "x", "buttons": []},
        {"is": "buttons", "markdown": "x", "buttons": [{"label": "x" * 76, "says": ""}]},
        {"is": "buttons", "markdown": "x", "buttons": [7]},
        {"is": "chart", "title": "x", "labels": ["a"], "series": [{"name": "y", "values": []}]},
        {"is": "chart", "title": "x", "labels": ["a"], "series": [{"name": "y", "values": ["z"]}]},
        {"is": "chart", "title": "x", "labels": [], "series": [], "kind_": "pie"},
        {"is": ["text"]},
    ],
)
def test_what_is_no_reply_is_refused(value: Any) -> None:
    with pytest.raises(Invalid):
        from_wire(value)
