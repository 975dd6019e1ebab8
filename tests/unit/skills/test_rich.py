"""Replies made ready to be sent: text that goes on, files beside it, charts drawn with every letter they have."""

import struct

import pytest

from parlour.sdk.errors import Invalid
from parlour.sdk.replies import Button, Buttons, Chart, File, Image, Series, Text
from parlour.skills.charts import png
from parlour.skills.rich import MOST_TEXT, Gathering, enclosed, gathered
from tests.support.pictures import png as small_png

CHART = Chart("Growth", ("Mon", "Tue"), (Series("cm", (1.0, 2.5)),))


def size_of(picture: bytes) -> tuple[int, int]:
    width, height = struct.unpack(">II", picture[16:24])
    return width, height


def test_text_goes_on_and_what_is_more_stands_beside_it() -> None:
    text, rich = gathered([Text("One"), Text(" two."), CHART, Buttons("Which?", (Button("A", "a"),))])

    assert text == "One two."
    assert [one.alt for one in rich.enclosed] == ["Growth"]
    assert (rich.closing, [button.says for button in rich.buttons]) == ("Which?", ["a"])


def test_buttons_belong_to_the_text_where_there_are_no_files() -> None:
    text, rich = gathered([Text("One."), Buttons("Which?", (Button("A", "a"),))])

    assert (text, rich.closing) == ("One.\n\nWhich?", "")


@pytest.mark.parametrize("kind", ["line", "bar"])
def test_a_chart_is_a_picture_of_its_size(kind: str) -> None:
    drawn = png(Chart("Growth", CHART.labels, CHART.series, kind))  # type: ignore[arg-type]

    assert drawn is not None
    assert size_of(drawn) == (1280, 720)


def test_chinese_labels_are_drawn_in_a_font_that_has_them() -> None:
    in_chinese = png(Chart("销售额", ("一月", "二月"), CHART.series))
    in_other_chinese = png(Chart("销售量", ("一月", "二月"), CHART.series))

    assert in_chinese is not None
    assert in_chinese != in_other_chinese


def test_money_in_a_label_is_no_mathematics() -> None:
    assert png(Chart("Cost in $ per $", ("$1", "$2"), CHART.series)) is not None


def test_numbers_that_are_none_leave_a_gap() -> None:
    assert png(Chart("Growth", CHART.labels, (Series("cm", (1.0, float("nan"))),))) is not None
    assert png(Chart("Growth", CHART.labels, (Series("cm", (1.0, float("inf"))),))) is not None


@pytest.mark.parametrize(
    "chart",
    [
        Chart("Growth 𓀀", CHART.labels, CHART.series),
        Chart("Growth", (), (Series("cm", ()),)),
        Chart("Growth", CHART.labels, ()),
        Chart("Growth", CHART.labels, tuple(Series(str(n), (1.0, 2.0)) for n in range(11))),
    ],
    ids=["no font", "no labels", "no series", "too many series"],
)
def test_a_chart_that_cannot_be_drawn_whole_is_a_table(chart: Chart) -> None:
    text, rich = gathered([chart])

    assert text.startswith("**Growth")
    assert not rich


def test_a_picture_is_what_its_bytes_say() -> None:
    honest, lying = enclosed(Image(small_png(), "A dot", "image/gif")), enclosed(Image(b"<svg/>", "A dot"))

    assert (honest.media_type, honest.alt) == ("image/png", "A dot")
    assert lying.alt is None


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Windows\\a.txt", "a.txt"),
        ("a\x00b\n.txt", "ab.txt"),
        ("..", "file"),
        ("", "file"),
        ("报告.pdf", "报告.pdf"),
        ("x" * 200 + ".csv", "x" * 96 + ".csv"),
    ],
)
def test_a_files_name_has_no_folders_and_nothing_unseen(given: str, kept: str) -> None:
    assert enclosed(File(given, b"x")).name == kept


def test_more_than_the_limits_is_refused() -> None:
    with pytest.raises(Invalid, match="at most 10 files"):
        gathered([File("a", b"x")] * 11)
    with pytest.raises(Invalid, match="at most 10 files"):
        gathered([File("a", b"x" * 7_000_000)] * 3)
    with pytest.raises(Invalid, match="at most 10 buttons"):
        gathered([Buttons("?", (Button("A", "a"),) * 6)] * 2)


def test_an_answer_that_never_ends_is_cut_where_nobody_reads_on() -> None:
    gathering = Gathering()
    said = [*gathering.take(Text("x" * (MOST_TEXT - 1))), *gathering.take(Text("y"))]

    with pytest.raises(Invalid, match="at most 40,000 characters"):
        list(gathering.take(Text("z")))

    assert len("".join(said)) == MOST_TEXT
