"""HTML: what a person would see of it, under its headings."""

import re
from pathlib import Path

from selectolax.lexbor import LexborHTMLParser

from parlour.knowledge.errors import DocumentUnreadable
from parlour.knowledge.reading.blocks import Block, Blocks, Warnings, under
from parlour.knowledge.reading.text import clean, decode

# Not content, or not seen: what a page hides from people must not speak to a model.
_UNSEEN = (
    "script, style, noscript, template, head, nav, footer, aside, form, button, select, iframe, object, svg, canvas, "
    "[hidden], [aria-hidden=true], [style*='display:none'], [style*='display: none'], [style*='visibility:hidden'], "
    "[style*='visibility: hidden'], [style*='font-size:0'], [style*='font-size: 0']"
)
_PARTS = (
    "p, li, div, section, article, main, header, ul, ol, dl, dt, dd, pre, blockquote, table, caption, tr, figure, "
    "figcaption, details, summary, address, hr"
)
_HEADINGS = "h1, h2, h3, h4, h5, h6"
# Separators that no document holds: private characters are cleaned away before.
_BREAK, _CELL, _HEAD = "\ue000", "\ue001", "\ue002"


def read_html(path: Path, _warnings: Warnings) -> Blocks:
    """Paragraphs, list items and table rows, in order."""
    headings: list[tuple[int, str]] = []
    for part in _parts(_decode(path.read_bytes())):
        if part.startswith(_HEAD):
            headings = under(headings, int(part[1]), part[2:])
        else:
            yield Block(part, headings=tuple(title for _, title in headings))


def visible_text(html: str) -> str:
    """The text that a person would see, a line for each paragraph."""
    return "\n".join(part[2:] if part.startswith(_HEAD) else part for part in _parts(html))


def _parts(html: str) -> list[str]:
    """Each paragraph's text; a heading begins with a mark and its level."""
    tree = LexborHTMLParser(clean(html))
    body = tree.body
    if body is None:
        return []
    for node in body.css(_UNSEEN):
        node.decompose()
    for node in body.css(_HEADINGS):
        node.insert_before(f"{_BREAK}{_HEAD}{(node.tag or 'h6')[1]}")
        node.insert_after(_BREAK)
    for node in body.css(_PARTS):
        node.insert_before(_BREAK)
        node.insert_after(_BREAK)
    for node in body.css("td, th"):
        node.insert_after(_CELL)
    for node in body.css("br"):
        node.insert_after(" ")
    return [part for raw in body.text().split(_BREAK) if (part := _one_line(raw))]


def _one_line(raw: str) -> str:
    cells = [" ".join(cell.split()) for cell in raw.split(_CELL)]
    line = " | ".join(cell for cell in cells if cell)
    return "" if re.fullmatch(rf"{_HEAD}\d\s*", line) else line


def _decode(data: bytes) -> str:
    """The page's text; a declared character set is believed where it works."""
    declared = re.search(rb"<meta[^>]{0,200}?charset=[\"']?([\w-]{2,20})", data[:4096], re.IGNORECASE)
    if declared:
        name = declared[1].decode("ascii").lower()
        try:
            # What pages call GB 2312 is mostly more than that.
            return data.decode("gb18030" if name in {"gb2312", "gbk"} else name)
        except (UnicodeDecodeError, LookupError):
            pass
    try:
        return decode(data)
    except DocumentUnreadable as error:
        raise DocumentUnreadable(str(error).replace("Save it as UTF-8 text", "Save the page as HTML")) from None
