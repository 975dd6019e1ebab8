"""Which reader reads which file."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import cast

from parlour.knowledge.errors import FormatUnknown
from parlour.knowledge.reading.blocks import Blocks, Warnings

Reader = Callable[[Path, Warnings], Blocks]

_READING = "parlour.knowledge.reading"
# By suffix: the format's name, and the module and function that read it. Loaded when the first such file comes.
_FORMATS: dict[str, tuple[str, str, str]] = {
    ".md": ("markdown", "markdown", "read_markdown"),
    ".markdown": ("markdown", "markdown", "read_markdown"),
    ".txt": ("text", "markdown", "read_plain"),
    ".html": ("html", "html", "read_html"),
    ".htm": ("html", "html", "read_html"),
    ".xhtml": ("html", "html", "read_html"),
    ".pdf": ("pdf", "pdf", "read_pdf"),
    ".docx": ("docx", "office", "read_docx"),
    ".xlsx": ("xlsx", "office", "read_xlsx"),
    ".csv": ("csv", "tables", "read_csv"),
    ".tsv": ("csv", "tables", "read_csv"),
    ".jsonl": ("dialogues", "dialogues", "read_dialogues"),
    ".ndjson": ("dialogues", "dialogues", "read_dialogues"),
}
SUFFIXES = frozenset(_FORMATS)


def format_of(path: Path) -> str:
    """The format's name. Raises `FormatUnknown`."""
    return _entry(path)[0]


def reader_of(path: Path) -> Reader:
    """The function that reads it. Raises `FormatUnknown`."""
    _, module, function = _entry(path)
    return cast("Reader", getattr(import_module(f"{_READING}.{module}"), function))


def _entry(path: Path) -> tuple[str, str, str]:
    try:
        return _FORMATS[path.suffix.lower()]
    except KeyError:
        known = " ".join(sorted(SUFFIXES))
        raise FormatUnknown(f"is of a kind that is not read. These are: {known}") from None
