"""PDF, through PDFium."""

from pathlib import Path

from pypdfium2 import PdfDocument, PdfiumError

from parlour.knowledge.errors import DocumentTooLarge, DocumentUnreadable
from parlour.knowledge.reading.blocks import Block, Blocks, Warnings
from parlour.knowledge.reading.text import clean

MOST_PAGES = 5_000
# FPDF_ERR_PASSWORD of PDFium's fpdfview.h.
_LOCKED = 4


def read_pdf(path: Path, warnings: Warnings) -> Blocks:
    """Each page's text, under the entry of the table of contents that it belongs to."""
    document = _open(path)
    count = len(document)
    if count > MOST_PAGES:
        raise DocumentTooLarge(f"has {count} pages; at most {MOST_PAGES} are read. Split it.")
    contents = _contents(document)
    headings: tuple[str, ...] = ()
    is_empty = True
    for number in range(count):
        headings = contents.get(number, headings)
        text = _page(document, number, warnings)
        is_empty = is_empty and not text
        yield Block(text, headings=headings, page=number + 1)
    if is_empty:
        raise DocumentUnreadable("has no text on any page: it is a scan. Run it through text recognition (OCR) first.")


def _open(path: Path) -> PdfDocument:
    try:
        return PdfDocument(path)
    except PdfiumError as error:
        if error.err_code == _LOCKED:
            raise DocumentUnreadable("is locked by a password. Save it without one.") from None
        raise DocumentUnreadable("is damaged or no PDF. Save it as PDF again.") from None


def _page(document: PdfDocument, number: int, warnings: Warnings) -> str:
    """One page's text; a damaged page is left out with a warning."""
    try:
        page = document[number]
        text = page.get_textpage().get_text_range()
    except PdfiumError:
        warnings.add(f"page {number + 1} cannot be read")
        return ""
    page.close()
    # A word parted at the end of a line comes as one, with this mark in it.
    return clean(text.replace("\ufffe", "")).strip()


def _contents(document: PdfDocument) -> dict[int, tuple[str, ...]]:
    """For each page on which an entry begins, the path of the last one that does."""
    found: dict[int, tuple[str, ...]] = {}
    path: list[str] = []
    for entry in document.get_toc(max_depth=6):
        path = [*path[: entry.level], " ".join(clean(entry.get_title()).split())]
        target = entry.get_dest()
        page = target.get_index() if target else None
        if page is not None:
            found[page] = tuple(path)
    return found
