r"""Markdown as Telegram shows it: visible text with entities, in parts that each fit one message.

A part of `split` is Markdown while one message holds it all. What must be cut is cut *after* rendering, where no markup
can be broken, and each part is then a `\x1e` and the rendered text with its entities as JSON; `render` reads both.
"""

import json
import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import telegramify_markdown

from parlour.channels.graphemes import boundary_before, is_boundary
from parlour.channels.table_size import has_oversized_table
from parlour.channels.telegram_source import has_short_formulas, with_literal_html, with_short_spoilers

MAX_UNITS: Final = 4_096
# The server drops what is more. https://limits.tginfo.me
MAX_ENTITIES: Final = 100
# Telegram refuses a message with nothing to see; this stands for one.
NOTHING: Final = "…"

_RENDERED: Final = "\x1e"
# Past this, and for what the parser cannot read, text is shown as it is: no answer is worth a worker's minute.
_MAX_MARKDOWN: Final = 300_000
# Formatting inside formatting; people see no more than a few.
_DEEPEST: Final = 10
_KINDS: Final = frozenset({"bold", "italic", "strikethrough", "spoiler", "blockquote", "code", "pre", "text_link"})
_CODE: Final = frozenset({"code", "pre"})
# Where a cut hurts to read, though it breaks nothing.
_SOLID: Final = frozenset({"code", "text_link", "pre"})

_CONTROLS: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_LINE_ENDS: Final = re.compile("\r\n?|[\u2028\u2029]")
_BLANK_LETTERS: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0")
_BREAKS: Final = (
    re.compile(r"\n{2,}"),
    re.compile(r"\n"),
    re.compile(r"[。！？；…][”’」』）]?|[.!?;:][\"'”’)]?\s"),
    re.compile(r"\s|[，、：]"),
)


@dataclass(frozen=True, slots=True)
class Span:
    """Formatting of `text[start:end]`, in characters. `extra` is a link's address or a code block's language."""

    kind: str
    start: int
    end: int
    extra: str | None = None


@dataclass(frozen=True, slots=True)
class Rendered:
    """Text as people see it, with its formatting."""

    text: str
    spans: tuple[Span, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether one message holds it."""
        return units(self.text) <= MAX_UNITS and len(self.spans) <= MAX_ENTITIES

    def entities(self) -> list[dict[str, Any]]:
        """The formatting as the Bot API wants it, in UTF-16 units."""
        found = []
        for span in self.spans:
            offset = units(self.text[: span.start])
            entity: dict[str, Any] = {
                "type": span.kind,
                "offset": offset,
                "length": units(self.text[span.start : span.end]),
            }
            if span.extra:
                entity["url" if span.kind == "text_link" else "language"] = span.extra
            found.append(entity)
        return found


def units(text: str) -> int:
    """Length in UTF-16 code units, the only length that Telegram knows."""
    return len(text) + sum(char > "\uffff" for char in text)


def clean(text: str) -> str:
    """`text` without what Telegram refuses or drops: lone surrogates, control characters, bidirectional overrides."""
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return _CONTROLS.sub("", _LINE_ENDS.sub("\n", whole))


def render(part: str) -> Rendered:
    """A part of `split`, or any Markdown, as it is shown. Never empty: what has nothing to see becomes `NOTHING`."""
    if part.startswith(_RENDERED):
        try:
            text, spans = json.loads(part[1:])
            return Rendered(text, tuple(Span(*span) for span in spans))
        except (ValueError, TypeError):
            pass  # Not ours: a text that happens to begin so.
    return _from_markdown(clean(part))


def split(markdown: str) -> list[str]:
    """`markdown` in parts that each fit one message, at least one."""
    cleaned = clean(markdown)
    whole = _from_markdown(cleaned)
    if whole.fits:
        return [cleaned if cleaned.strip() else NOTHING]
    return [_store(part) for part in _parts(whole)]


def tail(markdown: str) -> Rendered:
    """The end of a text in the making, as much as one message holds."""
    whole = _from_markdown(clean(markdown))
    return whole if whole.fits else list(_parts(whole))[-1]


# ---- rendering --------------------------------------------------------------------------------------------------


def _from_markdown(cleaned: str) -> Rendered:
    rendered = _convert(cleaned)
    if is_blank(rendered.text):
        rendered = Rendered(cleaned.strip())
    return Rendered(NOTHING) if is_blank(rendered.text) else rendered


def _convert(cleaned: str) -> Rendered:
    """`cleaned` Markdown rendered; as it stands when the library cannot make anything of it."""
    if len(cleaned) > _MAX_MARKDOWN or has_oversized_table(cleaned):
        return _trimmed(cleaned, [])
    try:
        source = with_short_spoilers(with_literal_html(cleaned))
        text, entities = telegramify_markdown.convert(source, config=_config(), latex_escape=has_short_formulas(source))
        spans = _spans(text, entities)
    except Exception:  # noqa: BLE001 (whatever a parser trips over, the answer is shown)
        return _trimmed(cleaned, [])
    return _trimmed(text, spans)


def _config() -> telegramify_markdown.RenderConfig:
    """Plain signs, no pictures before headings. One of our own each time: the library's is shared by the process."""
    config = telegramify_markdown.RenderConfig.isolated()
    symbols = config.markdown_symbol
    symbols.heading_level_1 = symbols.heading_level_2 = symbols.heading_level_3 = symbols.heading_level_4 = ""
    symbols.unordered_list_item = "•"
    symbols.task_uncompleted = "☐"
    symbols.task_completed = "☑"
    return config


def _spans(text: str, entities: list[Any]) -> list[Span]:
    """The library's entities in characters, without those that Telegram would refuse or that do more than format."""
    index = _index_of_unit(text)
    found = []
    for entity in entities:
        extra = entity.url if entity.type == "text_link" else entity.language
        is_wanted = entity.type in _KINDS and (entity.type != "text_link" or _is_web(extra))
        start, end = index.get(entity.offset), index.get(entity.offset + entity.length)
        if is_wanted and start is not None and end is not None and end > start:
            found.append(Span(entity.type, start, end, extra))
    return sorted(_allowed(list(_shallow(sorted(found, key=_by_place)))), key=_by_place)


def _shallow(spans: Iterable[Span]) -> Iterator[Span]:
    """Those of `spans`, in order, with fewer than `_DEEPEST` around them.

    More than `MAX_ENTITIES` around one place would leave room for a single character in a message.
    """
    around: list[int] = []
    for span in spans:
        around = [end for end in around if end > span.start]
        if len(around) < _DEEPEST:
            around.append(span.end)
            yield span


def _is_web(url: str | None) -> bool:
    """Whether a link leads to the web: `tg://user` would ping somebody, others Telegram refuses."""
    return bool(url) and str(url).startswith(("https://", "http://")) and not re.search(r"\s", str(url))


def _allowed(spans: list[Span]) -> Iterator[Span]:
    """Spans as Telegram allows them: none inside code, no quotation inside a quotation."""
    code = sorted((span for span in spans if span.kind in _CODE), key=lambda span: span.start)
    code_ends = [span.end for span in code]
    yield from code
    yield from _outermost(sorted((span for span in spans if span.kind == "blockquote"), key=_by_place))
    for span in spans:
        if span.kind not in _CODE and span.kind != "blockquote":
            yield from _around(span, (code[at] for at in range(bisect_right(code_ends, span.start), len(code))))


def _outermost(quotes: list[Span]) -> Iterator[Span]:
    """Those of `quotes`, in order, that lie in no other."""
    end = 0
    for quote in quotes:
        if quote.end > end:
            yield quote
            end = quote.end


def _by_place(span: Span) -> tuple[int, int, str]:
    return span.start, -span.end, span.kind


def _around(span: Span, code: Iterable[Span]) -> Iterator[Span]:
    """What is left of `span` outside `code`, which is in order and ends behind the span's start."""
    start = span.start
    for one in code:
        if one.start >= span.end:
            break
        if one.start > start:
            yield replace(span, start=start, end=one.start)
        start = one.end
    if start < span.end:
        yield replace(span, start=start)


def _index_of_unit(text: str) -> dict[int, int]:
    """For every UTF-16 offset at which a character begins, its index."""
    found, at = {}, 0
    for index, char in enumerate(text):
        found[at] = index
        at += 2 if char > "\uffff" else 1
    found[at] = len(text)
    return found


def _trimmed(text: str, spans: list[Span]) -> Rendered:
    """Without space around it, as Telegram would trim it; indentation inside code stays."""
    end = len(text.rstrip())
    first = min((span.start for span in spans if span.kind == "pre"), default=end)
    start = min(len(text) - len(text.lstrip()), first)
    return Rendered(text[start:end], tuple(_within(spans, start, end)))


def is_blank(text: str) -> bool:
    """Whether there is nothing in it that people can see."""
    return all(unicodedata.category(char)[0] in "CZ" or char in _BLANK_LETTERS for char in text)


# ---- cutting ----------------------------------------------------------------------------------------------------


def _parts(whole: Rendered) -> Iterator[Rendered]:
    """`whole` in pieces that fit, formatting closed and opened again at every cut."""
    starts = [span.start for span in whole.spans]
    start, seen, near = 0, 0, list[Span]()
    while start < len(whole.text):
        # Of many spans, a part looks only at those that it can reach.
        reached = bisect_left(starts, start + MAX_UNITS)
        near = [*(span for span in near if span.end > start), *whole.spans[seen:reached]]
        seen = reached
        end = _cut(whole.text, near, start, _furthest(whole.text, near, start))
        piece = _trimmed(whole.text[start:end], list(_within(near, start, end)))
        if not is_blank(piece.text):
            yield piece
        start = end


def _within(spans: Iterable[Span], start: int, end: int) -> Iterator[Span]:
    """What of `spans` lies in `[start:end]`, counted from `start`."""
    for span in spans:
        if span.start < end and span.end > start:
            yield replace(span, start=max(span.start, start) - start, end=min(span.end, end) - start)


def _furthest(text: str, spans: Iterable[Span], start: int) -> int:
    """How far a part from `start` may reach by length and by number of entities."""
    end, room = start, MAX_UNITS
    while end < len(text) and (width := 2 if text[end] > "\uffff" else 1) <= room:
        room -= width
        end += 1
    touching = [span.start for span in spans if span.end > start and span.start < end]
    if len(touching) > MAX_ENTITIES:
        end = max(touching[MAX_ENTITIES], start + 1)
    return end


def _cut(text: str, spans: Iterable[Span], start: int, end: int) -> int:
    """The best place to cut: after a paragraph, a line, a sentence, a word; outside code and links where possible."""
    if end >= len(text):
        return len(text)
    least = start + (end - start) // 2
    solid = [span for span in spans if span.kind in _SOLID and span.start < end and span.end > least]
    paragraph, line, sentence, word = (_places(text, pattern, least, end) for pattern in _BREAKS)
    outside = [[at for at in places if not _splits(solid, at)] for places in (paragraph, line, sentence, word)]
    for places in (*outside[:3], line, outside[3], word):
        if places:
            return places[-1]
    return boundary_before(text, end, least=start)


def _places(text: str, pattern: re.Pattern[str], least: int, end: int) -> list[int]:
    """Where `pattern` ends between `least` and `end`, as far as no character is broken there."""
    ends = (match.end() for match in pattern.finditer(text, least, min(end + 1, len(text))))
    return [at for at in ends if least < at <= end and is_boundary(text, at)]


def _splits(solid: list[Span], at: int) -> bool:
    return any(span.start < at < span.end for span in solid)


def _store(part: Rendered) -> str:
    """A rendered part as a string that `render` reads."""
    spans = [[span.kind, span.start, span.end, span.extra] for span in part.spans]
    return _RENDERED + json.dumps([part.text, spans], ensure_ascii=False, separators=(",", ":"))
