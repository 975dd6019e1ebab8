"""A hostile document costs itself, in bounded time and memory, and the next one is read as if nothing had been."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from parlour.knowledge.errors import DocumentTooLarge, DocumentUnreadable, FormatUnknown
from parlour.knowledge.reading.isolated import IsolatedReader, ReadingLimits
from tests.support import documents


@pytest.fixture
def reader() -> Iterator[IsolatedReader]:
    with IsolatedReader() as made:
        yield made


def _good(tmp_path: Path) -> Path:
    path = tmp_path / "good.md"
    path.write_text("# Good\n\nThis is fine.\n")
    return path


def _reads_on(reader: IsolatedReader, tmp_path: Path) -> bool:
    return [block.text for block in reader.read(_good(tmp_path)).blocks] == ["This is fine."]


def test_a_document_comes_with_its_format_and_its_warnings(reader: IsolatedReader, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,2\n3\n")

    document = reader.read(path)

    assert document.format == "csv"
    assert [block.row for block in document.blocks] == [2, 3]
    assert document.warnings == ("row 3 has 1 fields instead of 2",)


def test_one_process_reads_many_documents(reader: IsolatedReader, tmp_path: Path) -> None:
    assert _reads_on(reader, tmp_path)
    first = reader._process
    assert _reads_on(reader, tmp_path)

    assert reader._process is first


@pytest.mark.parametrize("name", ["a.pdf", "a.docx", "a.xlsx", "a.md", "a.html"])
def test_a_damaged_document_is_named(reader: IsolatedReader, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"PK\x03\x04\0\0\0 rubbish")

    with pytest.raises(DocumentUnreadable, match=name):
        reader.read(path)

    assert _reads_on(reader, tmp_path)


def test_a_zip_bomb_is_refused(reader: IsolatedReader, tmp_path: Path) -> None:
    with pytest.raises(DocumentTooLarge, match=r"bomb\.docx unpacks to 300 MB"):
        reader.read(documents.zip_bomb(tmp_path / "bomb.docx"))

    assert _reads_on(reader, tmp_path)


def test_a_spreadsheet_that_fills_the_memory_is_refused(tmp_path: Path) -> None:
    with IsolatedReader(ReadingLimits(memory_bytes=500_000_000)) as reader:
        with pytest.raises((DocumentUnreadable, DocumentTooLarge), match=r"sparse\.xlsx"):
            reader.read(documents.sparse_xlsx(tmp_path / "sparse.xlsx"))

        assert _reads_on(reader, tmp_path)


def test_a_pdf_that_unpacks_to_more_than_memory_is_refused_or_read_without_harm(tmp_path: Path) -> None:
    """A page of hundreds of megabytes of spaces, in a file of less than one."""
    path = documents.pdf(tmp_path / "bomb.pdf", ["text"], padding=b" " * 600_000_000)
    assert path.stat().st_size < 1_000_000

    with IsolatedReader(ReadingLimits(memory_bytes=500_000_000)) as reader:
        with pytest.raises((DocumentUnreadable, DocumentTooLarge), match=r"bomb\.pdf"):
            reader.read(path)

        assert _reads_on(reader, tmp_path)


def test_a_document_that_takes_too_long_is_refused(tmp_path: Path) -> None:
    path = documents.pdf(tmp_path / "slow.pdf", ["text"] * 500)

    problem = r"slow\.pdf takes more than 0.001 s"
    with IsolatedReader(ReadingLimits(time_s=0.001)) as reader, pytest.raises(DocumentTooLarge, match=problem):
        reader.read(path)


@pytest.mark.parametrize(
    ("limits", "problem"),
    [
        (ReadingLimits(file_bytes=1_000), "at most 0 MB"),
        (ReadingLimits(blocks=10), "more than 10 rows"),
        (ReadingLimits(text_bytes=1_000), "MB of text"),
    ],
)
def test_a_document_over_a_limit_is_refused(tmp_path: Path, limits: ReadingLimits, problem: str) -> None:
    path = tmp_path / "long.csv"
    path.write_text("a,b\n" + "1,2\n" * 5_000)

    with IsolatedReader(limits) as reader:
        with pytest.raises(DocumentTooLarge, match=rf"long\.csv .*{problem}"):
            reader.read(path)

        assert _reads_on(reader, tmp_path)


@pytest.mark.parametrize("kind", ["html", "md", "jsonl"])
def test_what_is_nested_a_hundred_thousand_deep_does_no_harm(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"deep.{kind}"
    opening = {"html": "<div>", "md": "> ", "jsonl": '{"messages":['}[kind]
    path.write_text(opening * 100_000 + "text")

    with IsolatedReader(ReadingLimits(time_s=5)) as reader:
        try:
            reader.read(path)
        except (DocumentUnreadable, DocumentTooLarge) as error:
            assert path.name in str(error)  # noqa: PT017 (reading it well is as good)

        # The next one may need a new process, whose start takes its time on a busy machine.
        reader._limits = ReadingLimits()
        assert _reads_on(reader, tmp_path)


def test_a_reader_that_dies_is_replaced(reader: IsolatedReader, tmp_path: Path) -> None:
    assert _reads_on(reader, tmp_path)
    assert reader._process is not None
    reader._process.kill()
    reader._process.wait()

    assert _reads_on(reader, tmp_path)


@pytest.mark.parametrize(
    "said", [b"no json\n", b"{}\n", b"[]\n", b'{"block": 3}\n', b'{"problem": "x", "refused": "sys"}\n']
)
def test_a_reader_that_was_taken_over_is_not_believed(
    reader: IsolatedReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    _reads_on(reader, tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(reader, "_line", lambda _process, _deadline: said)
        with pytest.raises(DocumentUnreadable, match="nonsense"):
            reader.read(_good(tmp_path))

    assert _reads_on(reader, tmp_path)


def test_the_reading_process_gets_nothing_of_the_environment(
    reader: IsolatedReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_FOR_TEST", "s3cret")
    _reads_on(reader, tmp_path)

    assert reader._process is not None
    environment = Path(f"/proc/{reader._process.pid}/environ").read_bytes()

    assert b"s3cret" not in environment


def test_what_is_missing_and_what_is_not_read_are_told_apart(reader: IsolatedReader, tmp_path: Path) -> None:
    with pytest.raises(DocumentUnreadable, match="is not there"):
        reader.read(tmp_path / "none.md")
    with pytest.raises(FormatUnknown, match=r"a\.exe is of a kind"):
        reader.read(tmp_path / "a.exe")
