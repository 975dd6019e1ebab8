"""Markdown as the Telegram library can read it: without what it would drop, or take minutes or longer for."""

import itertools
import re
from collections.abc import Iterable
from typing import Final

import pyromark
from telegramify_markdown.converter import STANDARD_OPTIONS

_ROUNDS: Final = 16
# A paragraph or two: what lies between two `||` of different matters is longer.
_SPOILER_LINES: Final = 8
# The library looks for the end of every formula up to the end of the text.
_MOST_FORMULAS: Final = 200
_FORMULA_CHARS: Final = 2_000
_DEEPEST_LIST: Final = 20
_OPENS: Final = re.compile(r"\\[(\[]")
_CLOSES: Final = re.compile(r"\\[)\]]")


def with_literal_html(markdown: str) -> str:
    """`markdown` with HTML escaped. The library drops HTML, and an answer about `<div>` would arrive empty."""
    for _ in range(_ROUNDS):
        events = list(pyromark.events_with_range(markdown, options=STANDARD_OPTIONS))
        starts = sorted({at["start"] for event, at in events if _is_html(event)})
        if not starts:
            _refuse_costly(events)
            return markdown
        source = markdown.encode()
        bounds = [0, *(_at_bracket(source, start) for start in starts), len(source)]
        markdown = b"\\".join(source[a:b] for a, b in itertools.pairwise(bounds)).decode()
    raise ValueError("too much HTML")


def with_short_spoilers(markdown: str) -> str:
    """`markdown` with `||` as a mere sign where a spoiler would reach over many lines or into a quotation.

    The library's pattern for a spoiler's edges takes twice as long for every `> ` in it.
    """
    for _ in range(_ROUNDS):
        if "||" not in markdown:
            return markdown
        source, bounds = markdown.encode(), [0, *_code_bounds(markdown), len(markdown.encode())]
        pieces = [source[a:b].decode() for a, b in itertools.pairwise(bounds)]
        # Every second piece is code.
        pieces[::2] = [_without_spoilers(piece) if _has_long_spoiler(piece) else piece for piece in pieces[::2]]
        if (changed := "".join(pieces)) == markdown:
            return markdown
        markdown = changed
    raise ValueError("too many spoilers")


def has_short_formulas(markdown: str) -> bool:
    r"""Whether the formulas, in `\(` or `\[`, may be made Unicode: not many, not long, and no new `||` among them."""
    formulas = [_CLOSES.split(rest, maxsplit=1)[0] for rest in _OPENS.split(markdown)[1:]]
    is_short = len(formulas) <= _MOST_FORMULAS and sum(map(len, formulas)) <= _FORMULA_CHARS
    return is_short and not any("|" in formula for formula in formulas)


def _refuse_costly(events: Iterable[tuple[object, object]]) -> None:
    """Raise `ValueError` for what takes a time or a room that grows by the square.

    Lists in lists are mostly indentation, empty formulas each count the line breaks of all before, and a formula may
    have braces in braces.
    """
    depth = formulas = chars = 0
    for event, _ in events:
        if isinstance(event, dict):
            depth += _is_list(event.get("Start")) - _is_list(event.get("End"))
            formula = event.get("DisplayMath", event.get("InlineMath"))
            formulas += formula is not None
            chars += len(formula) if formula and "\\" in formula else 0
        if depth > _DEEPEST_LIST or formulas > _MOST_FORMULAS or chars > _FORMULA_CHARS:
            raise ValueError("too costly")


def _is_list(tag: object) -> bool:
    return isinstance(tag, dict) and "List" in tag


def _is_html(event: object) -> bool:
    return isinstance(event, dict) and ("InlineHtml" in event or event.get("Start") == "HtmlBlock")


def _at_bracket(source: bytes, start: int) -> int:
    """Where the tag itself begins: an HTML block may start with spaces."""
    found = source.find(b"<", start)
    return start if found < 0 else found


def _code_bounds(markdown: str) -> list[int]:
    """Where code begins, ends, begins again and so on, in bytes."""
    bounds: list[int] = []
    for event, at in pyromark.events_with_range(markdown, options=STANDARD_OPTIONS):
        start = event.get("Start") if isinstance(event, dict) else None
        if isinstance(event, dict) and ("Code" in event or (isinstance(start, dict) and "CodeBlock" in start)):
            bounds += at["start"], at["end"]
    return bounds


def _has_long_spoiler(piece: str) -> bool:
    between = re.split(r"\|\|+", piece)[1:-1]
    return any("\n" in one and (">" in one or one.count("\n") > _SPOILER_LINES) for one in between)


def _without_spoilers(piece: str) -> str:
    return piece.replace("||", r"\|\|")
