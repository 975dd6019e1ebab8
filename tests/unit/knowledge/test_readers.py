"""Each format's text comes in blocks that know their place."""

import json
from pathlib import Path

import pytest

from parlour.knowledge.errors import DocumentTooLarge, DocumentUnreadable, FormatUnknown
from parlour.knowledge.reading.blocks import Block, Warnings
from parlour.knowledge.reading.formats import SUFFIXES, format_of, reader_of
from tests.support import documents


def _read(path: Path, warnings: Warnings | None = None) -> list[Block]:
    return [block for block in reader_of(path)(path, warnings or Warnings()) if block.text]


def _written(tmp_path: Path, name: str, text: str | bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_markdown_stands_under_its_headings(tmp_path: Path) -> None:
    table = "| k | v |\n|--|--|\n| 1 | 2 |\n"
    path = _written(tmp_path, "a.md", "Intro\n\n# One\n\ntext\n\n## Two\n\n- a\n- b\n\n# Three\n\n" + table)

    blocks = _read(path)

    assert [(block.headings, block.text) for block in blocks] == [
        ((), "Intro"),
        (("One",), "text"),
        (("One", "Two"), "- a\n- b"),
        (("Three",), "| k | v |\n|--|--|\n| 1 | 2 |"),
    ]


def test_markdown_says_nothing_that_its_reader_does_not_see(tmp_path: Path) -> None:
    text = "---\ntitle: x\n---\n# A\n\nseen<!-- ignore all -->\n\n<p hidden>hidden</p>\n\n<!-- open\n\nevil"

    assert [block.text for block in _read(_written(tmp_path, "a.md", text))] == ["seen"]


def test_html_gives_what_a_person_sees(tmp_path: Path) -> None:
    page = (
        "<html><head><title>T</title></head><body><nav>menu</nav><h1>One <b>big</b></h1>"
        "<p>Hello <b>bold</b><br>y</p>tail"
        "<h2>Two</h2><ul><li>a<li>b</ul><table><tr><th>k<th>v</tr><tr><td>1<td>2</tr></table>"
        "<p hidden>evil</p><div style='display:none'>evil</div><script>evil()</script></body></html>"
    )

    blocks = _read(_written(tmp_path, "a.html", page))

    assert [(block.headings, block.text) for block in blocks] == [
        (("One big",), "Hello bold y"),
        (("One big",), "tail"),
        (("One big", "Two"), "a"),
        (("One big", "Two"), "b"),
        (("One big", "Two"), "k | v"),
        (("One big", "Two"), "1 | 2"),
    ]


def test_html_is_read_in_the_character_set_that_it_declares(tmp_path: Path) -> None:
    page = '<html><head><meta charset="gb2312"></head><body><p>退款政策</p></body></html>'.encode("gb18030")

    assert [block.text for block in _read(_written(tmp_path, "a.html", page))] == ["退款政策"]


def test_pdf_pages_are_numbered(tmp_path: Path) -> None:
    path = documents.pdf(tmp_path / "a.pdf", ["Goods can be returned.", "Parcels take three days."])

    assert [(block.page, block.text) for block in _read(path)] == [
        (1, "Goods can be returned."),
        (2, "Parcels take three days."),
    ]


def test_a_pdf_without_text_says_that_it_is_a_scan(tmp_path: Path) -> None:
    with pytest.raises(DocumentUnreadable, match="scan"):
        _read(documents.pdf(tmp_path / "a.pdf", [""]))


@pytest.mark.parametrize("name", ["a.pdf", "a.docx", "a.xlsx"])
def test_what_is_not_what_its_name_says_is_unreadable(tmp_path: Path, name: str) -> None:
    with pytest.raises(DocumentUnreadable, match="damaged"):
        _read(_written(tmp_path, name, b"MZ\0 something else"))


def test_word_documents_stand_under_their_headings(tmp_path: Path) -> None:
    parts = [("Title", "Handbook"), ("Heading 1", "Returns"), ("Normal", "Within 30 days."), ("List Bullet", "unused")]

    blocks = _read(documents.docx(tmp_path / "a.docx", parts))

    assert [(block.headings, block.text) for block in blocks] == [
        (("Handbook", "Returns"), "Within 30 days."),
        (("Handbook", "Returns"), "unused"),
    ]


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = documents.zip_bomb(tmp_path / "a.docx")

    assert path.stat().st_size < 2_000_000
    with pytest.raises(DocumentTooLarge, match="unpacks to 300 MB"):
        _read(path)


def test_rows_of_a_spreadsheet_name_their_columns(tmp_path: Path) -> None:
    path = documents.xlsx(tmp_path / "a.xlsx", [["product", "price"], ["Basil", "3"], ["Ficus", "20"]])

    blocks = _read(path)

    assert [(block.headings, block.row, block.text) for block in blocks] == [
        (("Prices",), 2, "product: Basil\nprice: 3"),
        (("Prices",), 3, "product: Ficus\nprice: 20"),
    ]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_rows_of_a_csv_file_name_their_columns(tmp_path: Path, separator: str) -> None:
    text = "product,price\nBasil,3\n\nFicus,20\n".replace(",", separator)

    blocks = _read(_written(tmp_path, "a.csv", text))

    assert [(block.row, block.text) for block in blocks] == [
        (2, "product: Basil\nprice: 3"),
        (4, "product: Ficus\nprice: 20"),
    ]


def test_a_row_that_does_not_fit_is_told_and_kept(tmp_path: Path) -> None:
    warnings = Warnings()

    blocks = _read(_written(tmp_path, "a.csv", "a,b\n1,2\n3\n4,5,6\n"), warnings)

    assert [block.text for block in blocks] == ["a: 1\nb: 2", "a: 3", "a: 4\nb: 5\n6"]
    assert warnings.lines() == ["row 3 has 1 fields instead of 2", "row 4 has 3 fields instead of 2"]


@pytest.mark.parametrize("head", ["question,answer", "Question,Best answer", "问题,答案"])
def test_a_csv_file_of_questions_and_answers_makes_dialogues(tmp_path: Path, head: str) -> None:
    (block,) = _read(_written(tmp_path, "a.csv", f"{head}\nHow long?,Three days\n"))

    assert (block.question, block.text) == ("How long?", "Question: How long?\nAnswer: Three days")


def test_dialogues_are_questions_with_their_answers(tmp_path: Path) -> None:
    talk = [("system", "x"), ("user", "Hi"), ("user", "When?"), ("assistant", "At 9."), ("assistant", "or 10")]
    lines = [
        json.dumps({"question": "How long?", "answer": "Three days"}),
        json.dumps({"messages": [{"role": role, "content": content} for role, content in talk]}),
    ]

    blocks = _read(_written(tmp_path, "a.jsonl", "\n".join(lines)))

    assert [(block.row, block.question, block.text) for block in blocks] == [
        (1, "How long?", "Question: How long?\nAnswer: Three days"),
        (2, "When?", "Question: When?\nAnswer: At 9."),
    ]


def test_a_broken_line_is_told_with_its_number_and_the_rest_is_kept(tmp_path: Path) -> None:
    good = '{"question": "q", "answer": "a"}'
    bad = ["{", '"text"', "[" * 100_000, '{"question": 3}', '{"messages": [1, {"role": "user"}]}']
    warnings = Warnings()

    blocks = _read(_written(tmp_path, "a.jsonl", "\n".join([good, *bad, good])), warnings)

    assert [block.row for block in blocks] == [1, 7]
    assert warnings.lines() == [f"line {number} is no dialogue" for number in range(2, 7)]


def test_a_file_without_any_dialogue_says_what_one_looks_like(tmp_path: Path) -> None:
    with pytest.raises(DocumentUnreadable, match=r'"question": "…"'):
        _read(_written(tmp_path, "a.jsonl", "{}\n"))


def test_too_many_warnings_are_counted() -> None:
    warnings = Warnings()

    for number in range(25):
        warnings.add(str(number))

    assert warnings.lines()[-1] == "and 5 more"


def test_a_format_that_is_not_read_is_refused_with_those_that_are() -> None:
    with pytest.raises(FormatUnknown, match=r"\.md .*\.pdf"):
        format_of(Path("a.exe"))


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
def test_every_format_has_a_reader(suffix: str) -> None:
    assert callable(reader_of(Path(f"a{suffix.upper()}")))
