"""Small documents of every kind, made on the spot, and hostile ones."""

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

from docx import Document

_SHEET = '<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
_CONTENT_TYPES = (
    '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/></Types>'
)
_RELATIONS = (
    '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/{kind}" '
    'Target="{target}"/></Relationships>'
)
_BOOK = (
    '<?xml version="1.0"?><workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets>'
    '<sheet name="Prices" sheetId="1" r:id="r1"/></sheets></workbook>'
)


def pdf(path: Path, pages: Sequence[str], *, padding: bytes = b"") -> Path:
    """A PDF with a line of text on each page, in Latin letters; `padding` goes into each page's drawing."""
    objects: list[bytes] = [b"<< /Type /Catalog /Pages 2 0 R >>", b""]
    objects.append(b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
    kids = []
    for text in pages:
        drawing = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET ".encode("latin-1") + padding
        packed = zlib.compress(drawing, 9)
        objects.append(b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(packed), packed))
        page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R " % len(objects)
        objects.append(page + b"/Resources << /Font << /F1 3 0 R >> >> >>")
        kids.append(b"%d 0 R" % len(objects))
    objects[1] = b"<< /Type /Pages /Kids [%s] /Count %d >>" % (b" ".join(kids), len(kids))
    path.write_bytes(_pdf_file(objects))
    return path


def docx(path: Path, parts: Sequence[tuple[str, str]]) -> Path:
    """A Word document of (style, text)."""
    document = Document()
    for style, text in parts:
        document.add_paragraph(text, style=style)
    document.save(str(path))
    return path


def xlsx(path: Path, rows: Sequence[Sequence[str]]) -> Path:
    """A spreadsheet with one sheet, Prices."""
    cells = "".join(f"<row>{''.join(_cell(value) for value in row)}</row>" for row in rows)
    return _packed_xlsx(path, f"{_SHEET}{cells}</sheetData></worksheet>")


def sparse_xlsx(path: Path) -> Path:
    """A spreadsheet of two cells, one in the first corner and one in the last: 17 billion cells when filled in."""
    cells = "".join(f'<row r="{row}">{_cell("x", at)}</row>' for row, at in ((1, "A1"), (1_048_576, "XFD1048576")))
    return _packed_xlsx(path, f"{_SHEET}{cells}</sheetData></worksheet>")


def zip_bomb(path: Path, *, unpacked_mb: int = 300) -> Path:
    """A Word document of a few hundred kilobytes that unpacks to hundreds of megabytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        packed.writestr("[Content_Types].xml", _CONTENT_TYPES)
        with packed.open("word/document.xml", "w") as part:
            for _ in range(unpacked_mb):
                part.write(b" " * 1_000_000)
    return path


def _packed_xlsx(path: Path, sheet: str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("[Content_Types].xml", _CONTENT_TYPES)
        packed.writestr("_rels/.rels", _RELATIONS.format(kind="officeDocument", target="xl/workbook.xml"))
        packed.writestr("xl/workbook.xml", _BOOK)
        packed.writestr("xl/_rels/workbook.xml.rels", _RELATIONS.format(kind="worksheet", target="worksheets/s.xml"))
        packed.writestr("xl/worksheets/s.xml", sheet)
    return path


def _cell(value: str, at: str = "") -> str:
    place = f' r="{at}"' if at else ""
    return f'<c{place} t="inlineStr"><is><t>{value}</t></is></c>'


def _pdf_file(objects: Sequence[bytes]) -> bytes:
    out = b"%PDF-1.4\n"
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    head = b"xref\n0 %d\n0000000000 65535 f \n" % size
    return out + head + table + b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, len(out))
