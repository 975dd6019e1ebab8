"""Reading what a source answered: RSS, Atom, JSON, or plain text, into items. Nothing of it is believed."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from html import unescape
from typing import Any, Final
from xml.etree import ElementTree as ET

from parlour_finance_sentiment.items import LONGEST_TITLE, Item

MOST_ITEMS: Final = 1_000
_TAG: Final = re.compile(r"<[^>]{0,500}>")
_SPACE: Final = re.compile(r"\s+")
_HTML: Final = re.compile(
    rb"^\s*(?:\xef\xbb\xbf)?\s*(?:<!--.{0,2000}?-->\s*)?<(?:!doctype\s+html|html)\b", re.IGNORECASE | re.DOTALL
)
_DECLARED: Final = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_SENTENCE: Final = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])\s*")
# Times of another century are a mistake of the source; so are those of next week.
_OLDEST: Final = datetime(1990, 1, 1, tzinfo=UTC)
_AHEAD: Final = timedelta(days=2)


class BadFeed(Exception):
    """What came is no feed; the message says what it is, and what to do."""


def read_feed(body: bytes, source: str, now: datetime) -> list[Item]:
    """The items of an RSS or Atom feed. Raises `BadFeed`."""
    if not body.strip():
        raise BadFeed("The answer is empty. Check the address.")
    if _HTML.match(body[:4_096]):
        raise BadFeed("This is an HTML page, not a feed. Look for the address of its RSS or Atom feed.")
    if _DECLARED.search(body[:65_536]):
        # A document type may define entities that unfold to gigabytes, or name files.
        raise BadFeed("The feed declares a document type, which is not read. Ask its publisher for plain RSS or Atom.")
    try:
        root = ET.fromstring(body)  # noqa: S314 (no document type, at most 8 MB)
    except (ET.ParseError, ValueError, LookupError) as error:
        raise BadFeed(f"This is no feed: not well-formed XML ({str(error)[:80]}).") from None
    entries = [element for element in root.iter() if _name(element) in {"item", "entry"}]
    if not entries and _name(root) not in {"rss", "feed", "RDF"}:
        raise BadFeed(f"This is XML, but no RSS or Atom: it begins with <{_name(root)[:40]}>.")
    return [item for entry in entries[:MOST_ITEMS] if (item := _entry(entry, source, now))]


def read_json(body: bytes, fields: Mapping[str, str], source: str, now: datetime) -> list[Item]:
    """The items of a JSON answer. `fields` has paths such as `data.news` for `items`, and `title`, `link`, `time`.

    Raises `BadFeed`.
    """
    if _HTML.match(body[:4_096]):
        raise BadFeed("This is an HTML page, not JSON. Check the address.")
    try:
        found = _at(json.loads(body), fields.get("items", ""))
    except (ValueError, RecursionError):
        raise BadFeed("This is no JSON. Check the address.") from None
    if not isinstance(found, list):
        raise BadFeed(f"There is no list at items={fields.get('items', '')!r}. Say where: items=data.news")
    made = [_object(one, fields, source, now) for one in found[:MOST_ITEMS]]
    items = [item for item in made if item]
    if found and not items:
        named = fields.get("title", "title")
        raise BadFeed(f"None of {len(found)} items has a text at title={named!r}. Say where: title=headline")
    return items


def read_text(text: str, source: str, now: datetime) -> list[Item]:
    """Pasted text: each line, and each sentence of a longer one, is an item."""
    parts = [_clean(part) for line in text.splitlines() for part in _SENTENCE.split(line)]
    return [Item(part[:LONGEST_TITLE], now, source) for part in parts if part][:MOST_ITEMS]


def read_file(body: bytes, source: str, now: datetime) -> list[Item]:
    """A file: a feed, JSON (texts, or objects with `title`), JSON lines, or plain text. Raises `BadFeed`."""
    start = body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if start == b"<":
        return read_feed(body, source, now)
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadFeed("The file is no text in UTF-8. Convert it first.") from None
    if start == b"[":
        return read_json(body, {}, source, now)
    if start == b"{":
        return _lines(text, source, now)
    return read_text(text, source, now)


def _lines(text: str, source: str, now: datetime) -> list[Item]:
    made = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            item = _object(json.loads(line), {}, source, now) if line.strip() else None
        except ValueError:
            raise BadFeed(f"Line {number} is no JSON. Put one object on each line.") from None
        made += [item] if item else []
    return made[:MOST_ITEMS]


def _name(element: ET.Element) -> str:
    # A comment's tag is a function.
    return str(element.tag).rpartition("}")[2]


def _entry(entry: ET.Element, source: str, now: datetime) -> Item | None:
    texts: dict[str, str] = {}
    for child in entry:
        name = _name(child)
        value = (child.text or "").strip() or child.get("href", "")
        texts.setdefault(name, value)
    title = _clean(texts.get("title", "")) or _clean(texts.get("description", "") or texts.get("summary", ""))
    when = next((texts[name] for name in ("pubDate", "published", "updated", "date") if texts.get(name)), "")
    return Item(title[:LONGEST_TITLE], _time(when, now), source, _link(texts.get("link", ""))) if title else None


def _object(one: object, fields: Mapping[str, str], source: str, now: datetime) -> Item | None:
    if isinstance(one, str):
        title = _clean(one)
        return Item(title[:LONGEST_TITLE], now, source) if title else None
    title = _at(one, fields.get("title", "title"))
    if not isinstance(title, str) or not _clean(title):
        return None
    when, link = _at(one, fields.get("time", "time")), _at(one, fields.get("link", "link"))
    return Item(_clean(title)[:LONGEST_TITLE], _time(when, now), source, _link(link))


def _at(value: Any, path: str) -> Any:  # noqa: ANN401 (JSON)
    for name in filter(None, path.split(".")):
        if isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            value = value.get(name) if isinstance(value, dict) else None
    return value


def _clean(text: str) -> str:
    """One line of plain text: no tags, no entities, nothing that moves a cursor."""
    plain = unescape(_TAG.sub(" ", unescape(text[: LONGEST_TITLE * 20])))
    return _SPACE.sub(" ", "".join(one if one.isprintable() or one.isspace() else " " for one in plain)).strip()


def _link(value: object) -> str:
    return value if isinstance(value, str) and re.fullmatch(r"https?://[^\s<>()\"]{1,500}", value) else ""


def _time(value: object, now: datetime) -> datetime:
    """The time as written, `now` where there is none or none that can be."""
    for at in _times(value):
        aware = at if at.tzinfo else at.replace(tzinfo=UTC)
        if _OLDEST <= aware <= now + _AHEAD:
            return min(aware.astimezone(UTC), now)
    return now


def _times(value: object) -> Iterator[datetime]:
    try:
        if isinstance(value, int | float) or (isinstance(value, str) and value.isdecimal()):
            seconds = float(value)
            yield datetime.fromtimestamp(seconds / 1_000 if seconds > 1e11 else seconds, UTC)  # noqa: PLR2004 (milliseconds)
        elif isinstance(value, str) and value[:1].isdecimal():
            yield datetime.fromisoformat(value)
        elif isinstance(value, str):
            yield parsedate_to_datetime(value)
    except (ValueError, OverflowError, OSError):
        return
