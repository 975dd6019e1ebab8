"""Files with broken rows: each is told by its number, and the others are kept."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlour_recommendation.items import Item, item_of
from parlour_recommendation.rows import LONGEST_ROW_BYTES, Broken, Row, Rows


def _read(content: bytes, *, piece_bytes: int = 7) -> list[Row | Broken]:
    def read() -> Iterator[Row | Broken]:
        rows = Rows()
        for start in range(0, len(content), piece_bytes):
            yield from rows.feed(content[start : start + piece_bytes])
        yield from rows.finish()

    return list(read())


def test_rows_carry_their_line_and_the_headers_names() -> None:
    found = _read("\ufeffID;Title\r\na;Ä, one\r\n\r\nb;二\r\n".encode())

    assert found == [Row(2, {"id": "a", "title": "Ä, one"}), Row(4, {"id": "b", "title": "二"})]


def test_json_lines_are_known_by_their_first_character() -> None:
    found = _read(b'{"id": 1, "Title": "a"}\n{"id": 2\n[3]\n{"id": 4}')

    assert found == [
        Row(1, {"id": 1, "title": "a"}), Broken(2, "is not JSON"), Broken(3, "is not a JSON object"), Row(4, {"id": 4}),
    ]  # fmt: skip


def test_a_quoted_field_may_span_lines() -> None:
    assert _read(b'id,title\na,"one\ntwo"\nb,x\n') == [
        Row(2, {"id": "a", "title": "one\ntwo"}), Row(4, {"id": "b", "title": "x"}),
    ]  # fmt: skip


def test_a_quote_that_is_never_closed_swallows_no_other_row() -> None:
    lines = [b"id,title", b'a,"open', *(b"%d,x" % number for number in range(300))]

    first, *others = _read(b"\n".join(lines), piece_bytes=1_000)

    assert first == Broken(2, "a quote is opened and not closed")
    assert [one.number for one in others if isinstance(one, Row)] == list(range(3, 303))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"a", "has 1 fields, the header has 2"),
        (b"a,\xff\xfe", "is not UTF-8"),
        (b"a," + b"x" * LONGEST_ROW_BYTES, f"is longer than {LONGEST_ROW_BYTES:,} bytes"),
    ],
)
def test_what_is_wrong_is_told_with_the_row(line: bytes, problem: str) -> None:
    found = _read(b"id,title\nok,1\n" + line + b"\nlast,2\n", piece_bytes=64_000)

    assert Broken(3, problem) in found
    assert [one.fields["id"] for one in found if isinstance(one, Row)] == ["ok", "last"]


@given(st.binary(max_size=300), st.integers(1, 50))
def test_whatever_comes_in_no_row_is_told_twice(content: bytes, piece_bytes: int) -> None:
    numbers = [one.number for one in _read(content, piece_bytes=piece_bytes)]

    assert numbers == sorted(set(numbers))
    assert _read(content, piece_bytes=piece_bytes) == _read(content, piece_bytes=len(content) or 1)


def test_an_item_is_what_its_row_says() -> None:
    row = Row(2, {"id": "a", "title": "One", "tags": "Drama| sci-fi|drama", "added": "2026-11-25"})

    assert item_of(row) == Item("a", "One", ("drama", "sci-fi"), added=20_782)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"title": "x"}, "has no id"),
        ({"id": "a", "title": None}, "has no title"),
        ({"id": "a b", "title": "x"}, "has an id with a space in it"),
        ({"id": "a", "title": "x", "added": "soon"}, "has an 'added' that is no date, such as 2026-11-25"),
        ({"id": "a" * 101, "title": "x"}, "has an id longer than 100 characters"),
    ],
)
def test_a_row_that_is_no_item_says_why(fields: dict[str, object], problem: str) -> None:
    assert item_of(Row(7, fields)) == Broken(7, problem)


@given(st.lists(st.text(alphabet='ab,;\t|"\r\x00 é二', max_size=12), max_size=8))
def test_the_quick_way_for_plain_rows_reads_what_the_other_reads(lines: list[str]) -> None:
    content = "\n".join(["x,y", *lines]).encode()
    quick = _read(content, piece_bytes=1_000)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rows, "_plain", lambda *_: None)
        assert _read(content, piece_bytes=1_000) == quick
