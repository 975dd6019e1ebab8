"""Markdown and plain text."""

import re
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from parlour.knowledge.reading.blocks import Block, Blocks, Warnings, under
from parlour.knowledge.reading.html import visible_text
from parlour.knowledge.reading.text import read_text

_FRONT_MATTER = re.compile(r"\A---\n.*?\n(?:---|\.\.\.)\n", re.DOTALL)
# Nobody sees a comment; a model would.
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)


def read_markdown(path: Path, _warnings: Warnings) -> Blocks:
    """Paragraphs, lists, tables and code as they are written, under their headings."""
    text = _FRONT_MATTER.sub("", read_text(path))
    text = _COMMENT.sub("", text)
    lines = text.split("\n")
    headings: list[tuple[int, str]] = []
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    for index, token in enumerate(tokens):
        if token.level or token.map is None:
            continue
        if token.type == "heading_open":
            headings = under(headings, int(token.tag[1]), tokens[index + 1].content)
        else:
            yield Block(_source(token, lines), headings=tuple(title for _, title in headings))


def read_plain(path: Path, _warnings: Warnings) -> Blocks:
    """Paragraphs of a plain text."""
    for paragraph in re.split(r"\n\s*\n", read_text(path)):
        yield Block(paragraph.strip())


def _source(token: Token, lines: list[str]) -> str:
    if token.type == "html_block":
        return visible_text(token.content)
    start, end = token.map or (0, 0)
    return "\n".join(lines[start:end]).strip()
