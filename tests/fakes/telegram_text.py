"""How Telegram's server reads a text: UTF-16 units, cleaning, entities given or parsed from HTML or MarkdownV2."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

MAX_TEXT = 4_096
MAX_CAPTION = 1_024
MAX_ENTITIES = 100

Entity = dict[str, Any]

_KNOWN_ENTITIES = {
    "mention",
    "hashtag",
    "cashtag",
    "bot_command",
    "url",
    "email",
    "phone_number",
    "bold",
    "italic",
    "underline",
    "strikethrough",
    "spoiler",
    "blockquote",
    "expandable_blockquote",
    "code",
    "pre",
    "text_link",
    "text_mention",
    "custom_emoji",
    "date_time",
}
_AUTOMATIC = (
    ("bot_command", re.compile(r"(?<![\w/])/[A-Za-z0-9_]{1,64}(?:@[A-Za-z0-9_]{3,32})?")),
    ("mention", re.compile(r"(?<![\w@/])@[A-Za-z0-9_]{3,32}")),
    ("url", re.compile(r"https?://[^\s]+")),
)


class BadText(Exception):
    """The server does not take this text; the message is the description it answers with, without `Bad Request: `."""


def units(text: str) -> int:
    """Length in UTF-16 code units, the only length that Telegram knows."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def clean(text: str) -> str:
    """What the server keeps of a text: no carriage returns, bidirectional overrides or line separators; other control
    characters become spaces (tdlib's `clean_input_string`).
    """
    if any(0xD800 <= ord(char) <= 0xDFFF for char in text):
        raise BadText("strings must be encoded in UTF-8")
    without = re.sub("[\r\u2028-\u202e]", "", text)
    return re.sub("[\x00-\x08\x0b-\x1f]", " ", without)


def check_entities(text: str, entities: list[Entity]) -> list[Entity]:
    """`entities` as the server keeps them, sorted. Raises `BadText` for one outside the text or inside a character."""
    boundaries = _boundaries(text)
    end_of_text = max(boundaries)
    kept = []
    for entity in entities:
        offset, length, kind = entity.get("offset"), entity.get("length"), entity.get("type")
        if not isinstance(offset, int) or not isinstance(length, int):
            raise BadText('can\'t parse MessageEntity: Field "offset" must be of type Number')
        if kind not in _KNOWN_ENTITIES:
            raise BadText("can't parse MessageEntity: Unsupported type specified")
        if offset < 0 or length <= 0:
            continue
        if offset not in boundaries:
            raise BadText(f"entity begins in a middle of a UTF-16 symbol at byte offset {offset}")
        if offset + length > end_of_text:
            raise BadText(
                f"entity beginning at UTF-16 offset {offset} ends after the end of the text at UTF-16 offset "
                f"{end_of_text}"
            )
        if offset + length not in boundaries:
            raise BadText(f"entity beginning at UTF-16 offset {offset} ends in a middle of a UTF-16 symbol")
        kept.append({key: value for key, value in entity.items() if value is not None})
    return sorted(kept[:MAX_ENTITIES], key=lambda one: (one["offset"], -one["length"], one["type"]))


def trim(text: str, entities: list[Entity]) -> tuple[str, list[Entity]]:
    """The text without space around it, entities moved along."""
    left = units(text) - units(text.lstrip())
    stripped = text.strip()
    total = units(stripped)
    moved = []
    for entity in entities:
        start = max(entity["offset"] - left, 0)
        end = min(entity["offset"] + entity["length"] - left, total)
        if end > start:
            moved.append({**entity, "offset": start, "length": end - start})
    return stripped, moved


def automatic_entities(text: str) -> list[Entity]:
    """What the server itself marks in a person's text: commands, mentions, addresses."""
    found: list[Entity] = [
        {"type": kind, "offset": units(text[: match.start()]), "length": units(match.group())}
        for kind, pattern in _AUTOMATIC
        for match in pattern.finditer(text)
    ]
    return sorted(found, key=lambda one: int(one["offset"]))


def parse(text: str, parse_mode: str | None) -> tuple[str, list[Entity]]:
    """The visible text and its entities by `parse_mode`. Raises `BadText` as the server does."""
    match (parse_mode or "").lower():
        case "":
            return text, []
        case "html":
            return _parse_html(text)
        case "markdownv2":
            return _parse_markdown_v2(text)
        case _:
            raise BadText("unsupported parse_mode")


def _boundaries(text: str) -> set[int]:
    """Every UTF-16 offset at which a character begins, and the end."""
    found, at = {0}, 0
    for char in text:
        at += 2 if ord(char) > 0xFFFF else 1
        found.add(at)
    return found


@dataclass(slots=True)
class _Open:
    tag: str
    entity: Entity


@dataclass(slots=True)
class _Written:
    parts: list[str] = field(default_factory=list)
    length: int = 0
    entities: list[Entity] = field(default_factory=list)

    def write(self, text: str) -> None:
        self.parts.append(text)
        self.length += units(text)

    def close(self, entity: Entity) -> None:
        entity["length"] = self.length - entity["offset"]
        if entity["length"]:
            self.entities.append(entity)


_HTML_TAGS = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "code": "code",
    "pre": "pre",
    "a": "text_link",
    "blockquote": "blockquote",
    "tg-spoiler": "spoiler",
}


class _Html(HTMLParser):
    """Telegram's HTML: a handful of tags, everything else refused."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.out = _Written()
        self._open: list[_Open] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _HTML_TAGS:
            raise BadText(f'can\'t parse entities: Unsupported start tag "{tag}" at byte offset {self.getpos()[1]}')
        given = dict(attrs)
        entity: Entity = {"type": _HTML_TAGS[tag], "offset": self.out.length}
        if tag == "a":
            entity["url"] = given.get("href") or ""
        language = given.get("class") or ""
        if tag == "code" and self._open and self._open[-1].tag == "pre" and language.startswith("language-"):
            self._open[-1].entity["language"] = language.removeprefix("language-")
        self._open.append(_Open(tag, entity))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1].tag != tag:
            raise BadText(f'can\'t parse entities: Unexpected end tag "{tag}" at byte offset {self.getpos()[1]}')
        closed = self._open.pop()
        inside_pre = tag == "code" and self._open and self._open[-1].tag == "pre"
        if not inside_pre:
            self.out.close(closed.entity)

    def handle_data(self, data: str) -> None:
        self.out.write(data)

    def finish(self) -> tuple[str, list[Entity]]:
        self.close()
        if self._open:
            raise BadText(
                f"can't parse entities: Can't find end tag corresponding to start tag \"{self._open[-1].tag}\""
            )
        return "".join(self.out.parts), self.out.entities


def _parse_html(text: str) -> tuple[str, list[Entity]]:
    parser = _Html()
    parser.feed(text)
    return parser.finish()


_MARKDOWN_TOKEN = re.compile(
    r"\\(.)|```(?:(\w+)\n)?([\s\S]*?)```|`([^`]*)`|(\*|__|_|~|\|\|)|\[([^\]]*)\]\(([^)]*)\)|([\s\S])"
)
_MARKDOWN_KINDS = {"*": "bold", "_": "italic", "__": "underline", "~": "strikethrough", "||": "spoiler"}
_MARKDOWN_RESERVED = set(">#+-=|{}.!()[]")


def _parse_markdown_v2(text: str) -> tuple[str, list[Entity]]:
    out = _Written()
    opened: list[_Open] = []
    for match in _MARKDOWN_TOKEN.finditer(text):
        escaped, language, block, code, mark, label, url, char = match.groups()
        if escaped is not None or char is not None:
            if char in _MARKDOWN_RESERVED:
                raise BadText(
                    f"can't parse entities: Character '{char}' is reserved and must be escaped with the preceding '\\'"
                )
            out.write(escaped if escaped is not None else char)
        elif mark is not None:
            _toggle(out, opened, mark)
        else:
            kind = "pre" if block is not None else "code" if code is not None else "text_link"
            entity: Entity = {"type": kind, "offset": out.length}
            entity |= {"language": language} if language else {}
            entity |= {"url": url} if kind == "text_link" else {}
            out.write(next(part for part in (block, code, label) if part is not None))
            out.close(entity)
    if opened:
        raise BadText(
            f"can't parse entities: Can't find end of the entity starting at byte offset {opened[-1].entity['offset']}"
        )
    return "".join(out.parts), out.entities


def _toggle(out: _Written, opened: list[_Open], mark: str) -> None:
    if opened and opened[-1].tag == mark:
        out.close(opened.pop().entity)
    else:
        opened.append(_Open(mark, {"type": _MARKDOWN_KINDS[mark], "offset": out.length}))
