"""Rows of a CSV or JSON-lines file that comes in pieces; a broken row is told by its number, and the rest goes on."""

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

# A field with line breaks may span so many lines; after that, the quote that opened it is taken for a mistake.
_MOST_LINES: Final = 100
LONGEST_ROW_BYTES: Final = 200_000
_DELIMITERS: Final = ",;\t|"
_OPEN_QUOTE: Final = "a quote is opened and not closed"


@dataclass(frozen=True, slots=True)
class Row:
    """A row's fields by the names in the header; `number` is its line in the file, the header being 1."""

    number: int
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Broken:
    """A row that cannot be used, and why; what it holds is not repeated."""

    number: int
    problem: str


class Rows:
    """Takes pieces of a file, gives its rows. Whether it is CSV or JSON lines shows in its first character."""

    def __init__(self) -> None:
        self._rest = b""
        self._number = 0
        self._is_json: bool | None = None
        self._header: list[str] = []
        self._delimiter = ","
        # Lines of a row that is not complete yet, the first of them at `_number - len(_open) + 1`.
        self._open: list[str] = []

    def feed(self, piece: bytes) -> Iterator[Row | Broken]:
        """The rows that are complete with this piece."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            row = self._plain(line)
            if row is None:
                yield from self._line(line)
            else:
                self._number += 1
                yield row
        if len(self._rest) > LONGEST_ROW_BYTES:
            # One line that does not end is not gathered in memory: what is cut off is reported as broken rows.
            yield from self._line(self._rest)
            self._rest = b""

    def finish(self) -> Iterator[Row | Broken]:
        """What is left at the end of the file."""
        if self._rest:
            yield from self._line(self._rest)
            self._rest = b""
        while self._open:
            yield from self._give_up()

    def _plain(self, raw: bytes) -> Row | None:
        """The row in a line that is nothing but fields and delimiters, which most of them are; None for any other.

        A million of them by way of the general reader take four times as long.
        """
        if not self._header or self._open or b'"' in raw or b"\0" in raw or len(raw) > LONGEST_ROW_BYTES:
            return None
        try:
            fields = raw.removesuffix(b"\r").decode("utf-8").split(self._delimiter)
        except UnicodeDecodeError:
            return None
        if len(fields) != len(self._header) or b"\r" in raw[:-1]:
            return None
        return Row(self._number + 1, dict(zip(self._header, fields, strict=True)))

    def _line(self, raw: bytes) -> Iterator[Row | Broken]:
        self._number += 1
        try:
            text = raw.removesuffix(b"\r").decode("utf-8-sig" if self._number == 1 else "utf-8")
        except UnicodeDecodeError:
            yield Broken(self._number, "is not UTF-8")
            return
        if len(raw) > LONGEST_ROW_BYTES:
            yield Broken(self._number, f"is longer than {LONGEST_ROW_BYTES:,} bytes")
        elif text.strip() or self._open:
            yield from self._text(text)

    def _text(self, text: str) -> Iterator[Row | Broken]:
        if self._is_json is None:
            self._is_json = text.lstrip().startswith("{")
        if self._is_json:
            yield _from_json(self._number, text)
        else:
            self._open.append(text)
            yield from self._csv()

    def _csv(self) -> Iterator[Row | Broken]:
        if not self._header:
            self._delimiter = max(_DELIMITERS, key=self._open[0].count)
        number = self._number - len(self._open) + 1
        # What has no quote is whole, which is most of them, and quick.
        text = "\n".join(self._open)
        try:
            (fields,) = csv.reader([text], delimiter=self._delimiter, strict=True)
        except csv.Error as error:
            is_open = "unexpected end" in str(error)
            if is_open and len(self._open) < _MOST_LINES:
                return
            yield from self._give_up(_OPEN_QUOTE if is_open else str(error))
            return
        self._open = []
        if not self._header:
            self._header = [name.strip().lower() for name in fields]
        elif len(fields) != len(self._header):
            yield Broken(number, f"has {len(fields)} fields, the header has {len(self._header)}")
        else:
            yield Row(number, dict(zip(self._header, fields, strict=True)))

    def _give_up(self, problem: str = _OPEN_QUOTE) -> Iterator[Row | Broken]:
        """Report the first of the open lines, and read those after it as rows of their own."""
        number = self._number - len(self._open) + 1
        yield Broken(number, problem)
        again, self._open = self._open[1:], []
        last = self._number
        for place, text in enumerate(again, start=number + 1):
            self._number = place
            self._open.append(text)
            yield from self._csv()
        self._number = last


def _from_json(number: int, text: str) -> Row | Broken:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return Broken(number, "is not JSON")
    if not isinstance(value, dict):
        return Broken(number, "is not a JSON object")
    return Row(number, {str(name).lower(): one for name, one in value.items()})
