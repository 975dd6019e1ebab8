"""Word documents and spreadsheets. Both are zip files, which may unpack to much more than they are."""

import re
import zipfile
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from docx import Document
from docx.table import Table
from docx.text.paragraph import Paragraph
from python_calamine import CalamineError, CalamineWorkbook

from parlour.knowledge.errors import DocumentTooLarge, DocumentUnreadable
from parlour.knowledge.reading.blocks import Block, Blocks, Warnings, under
from parlour.knowledge.reading.tables import records
from parlour.knowledge.reading.text import clean

MOST_UNPACKED_BYTES = 200_000_000
MOST_ENTRIES = 10_000


def read_docx(path: Path, _warnings: Warnings) -> Blocks:
    """Paragraphs and tables under their headings."""
    _refuse_bomb(path)
    try:
        document = Document(str(path))
    except Exception:  # noqa: BLE001 (python-docx lets anything through that a damaged file causes)
        raise DocumentUnreadable("is damaged or no Word document (.docx). Save it as .docx again.") from None
    headings: list[tuple[int, str]] = []
    for part in document.iter_inner_content():
        titles = tuple(title for _, title in headings)
        if isinstance(part, Table):
            yield Block(_table(part), headings=titles)
        elif level := _level(part):
            headings = under(headings, level, clean(part.text))
        else:
            yield Block(clean(part.text).strip(), headings=titles)


def read_xlsx(path: Path, warnings: Warnings) -> Blocks:
    """Each row as a record, under its sheet's name; the first row that holds something names the columns."""
    _refuse_bomb(path)
    try:
        book = CalamineWorkbook.from_path(str(path))
        for name in book.sheet_names:
            rows = book.get_sheet_by_name(name).iter_rows()
            cells = ([_cell(value) for value in row] for row in rows)
            yield from records(enumerate(cells, start=1), warnings, headings=(clean(name),))
    except CalamineError:
        raise DocumentUnreadable("is damaged, locked or no spreadsheet (.xlsx). Save it as .xlsx again.") from None


def _refuse_bomb(path: Path) -> None:
    """Raises `DocumentTooLarge` before anything is unpacked, `DocumentUnreadable` for what is no zip file.

    What the directory claims cannot be exceeded: unpacking stops there. A directory that lies ends in an error.
    """
    try:
        with ZipFile(path) as packed:
            entries = packed.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise DocumentUnreadable("is damaged or not what its name says. Save it again.") from None
    size = sum(entry.file_size for entry in entries)
    if size > MOST_UNPACKED_BYTES or len(entries) > MOST_ENTRIES:
        problem = f"unpacks to {size // 1_000_000} MB in {len(entries)} parts"
        raise DocumentTooLarge(f"{problem}; at most {MOST_UNPACKED_BYTES // 1_000_000} MB are read. Split it.")


def _level(paragraph: Paragraph) -> int:
    """The heading's level, 0 for what is none."""
    style = paragraph.style.name if paragraph.style is not None else None
    if style == "Title":
        return 1
    found = re.fullmatch(r"[Hh]eading ([1-9])", style or "")
    return int(found[1]) + 1 if found else 0


def _table(table: Table) -> str:
    rows = ([clean(cell.text).strip() for cell in row.cells] for row in table.rows)
    return "\n".join(" | ".join(cells) for cells in rows if any(cells))


def _cell(value: Any) -> str:  # noqa: ANN401 (numbers, texts, dates, as the sheet has them)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return clean(str(value)).strip()
