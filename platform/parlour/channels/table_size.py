"""How large the tables of a Markdown text become when they are drawn.

Every row gets as many cells as the header, every cell the width of its column's widest: four thousand characters can
ask for half a million cells, or for megabytes of spaces. What is too large is shown as it was written.
"""

from typing import Final

# Rows times columns times the longest line: a hundred rows of five columns with two hundred characters.
_LARGEST: Final = 100_000
_DELIMITERS: Final = frozenset("|:- \t\x0b\x0c>")


def has_oversized_table(markdown: str) -> bool:
    """Whether the tables of `markdown` may become larger than is worth drawing. Never too low, at times too high."""
    if "|" not in markdown or "-" not in markdown:
        return False
    size, block = 0, list[str]()
    for line in [*markdown.replace("\r\n", "\n").replace("\r", "\n").split("\n"), ""]:
        # Only a line of nothing but spaces is sure to end a table.
        if line.strip(" \t"):
            block.append(line)
        elif block:
            size += _size(block)
            block.clear()
    return size > _LARGEST


def _size(block: list[str]) -> int:
    """The size of the table that begins a line above the first of `block` that could part a header from rows."""
    columns = [line.count("|") + 1 if "|" in line and _DELIMITERS.issuperset(line) else 0 for line in block]
    widest = max(columns)
    if not widest:
        return 0
    rows = block[max(0, next(at for at, count in enumerate(columns) if count) - 1) :]
    return widest * len(rows) * max(map(len, rows))
