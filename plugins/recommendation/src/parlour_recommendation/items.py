"""The items of a catalogue: what can be recommended."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from parlour_recommendation.rows import Broken, Row

LONGEST_ID: Final = 100
_LONGEST_TITLE: Final = 300
_LONGEST_TEXT: Final = 2_000
_MOST_TAGS: Final = 30
_DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to recommend. `added` is the day it came into the catalogue, counted from 1970; 0 where unknown."""

    id: str
    title: str
    tags: tuple[str, ...] = ()
    text: str = ""
    url: str = ""
    added: int = 0


def item_of(row: Row) -> Item | Broken:
    """The item that a row describes: `id` and `title`, and where there are, `tags`, `text`, `url` and `added`."""
    fields = row.fields
    name, title = _text(fields, "id"), _text(fields, "title")
    if not name or not title:
        return Broken(row.number, f"has no {'title' if name else 'id'}")
    if len(name) > LONGEST_ID:
        return Broken(row.number, f"has an id longer than {LONGEST_ID} characters")
    if any(character.isspace() for character in name):
        return Broken(row.number, "has an id with a space in it")
    try:
        added = _day(_text(fields, "added"))
    except ValueError:
        return Broken(row.number, "has an 'added' that is no date, such as 2026-11-25")
    return Item(
        id=name,
        title=title[:_LONGEST_TITLE],
        tags=_tags(fields.get("tags")),
        text=_text(fields, "text")[:_LONGEST_TEXT],
        url=_text(fields, "url"),
        added=added,
    )


def packed(item: Item) -> list[Any]:
    """The item as it is stored."""
    return [item.id, item.title, list(item.tags), item.text, item.url, item.added]


def unpacked(value: list[Any]) -> Item:
    """The item that was stored."""
    name, title, tags, text, url, added = value
    return Item(name, title, tuple(tags), text, url, added)


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    return "" if value is None else str(value).strip()


def _tags(value: object) -> tuple[str, ...]:
    found = value if isinstance(value, list) else re.split(r"[|;,，；]", str(value or ""))
    cleaned = (str(tag).strip().lower() for tag in found)
    return tuple(dict.fromkeys(tag for tag in cleaned if tag))[:_MOST_TAGS]


def _day(text: str) -> int:
    if not text:
        return 0
    moment = datetime.fromisoformat(text)
    return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() // _DAY_S)
