"""Text on its way to and from Slack: splitting, escaping, cleaning, and reading Slack's own markup."""

import html
import re
import unicodedata
from typing import Final

# The limit of all `markdown` blocks of a message together. Slack says "characters" and not which: counting UTF-16 units
# is the stricter reading. https://docs.slack.dev/reference/block-kit/blocks/markdown-block
PART_LIMIT: Final = 12_000

# Slack refuses a message without text; an answer of nothing but space is shown as this.
NOTHING: Final = "…"

_ZWJ: Final = "\u200d"
# Marks can be stacked without end; so many code points are looked at for the beginning of a character.
_LONGEST_CHARACTER: Final = 200
_WORD_JOINER: Final = "\u2060"
# What would ring somebody's phone: mentions in Slack's markup, and the bare words that some clients link.
_PING: Final = re.compile(
    r"<(?=!(?:channel|here|everyone|subteam\^)|@[UW])|(?<![\w/.])@(?=(?:channel|here|everyone)\b)"
)
# The end of a text in the making that could still become a ping.
_HALF_PING: Final = re.compile(r"(?:<(?:![a-z]*|@)?|(?<![\w/.])@[a-z]*)\Z")
_UNWANTED: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SURROGATES: Final = re.compile(r"[\ud800-\udfff]")
_FENCE: Final = re.compile(r"^( {0,12})(`{3,16}|~{3,16})(?![`~])([^\n]*)$", re.MULTILINE)
# Inline spans that would break when cut: code, links, emphasis.
_SPAN: Final = re.compile(
    r"`[^`\n]+`|!?\[[^\]\n]{0,300}\]\([^)\n]{0,500}\)|<https?://[^>\n]+>|\*\*[^*\n]+\*\*|__[^_\n]+__|~~[^~\n]+~~|\*[^*\s][^*\n]*\*"
)
_MARKUP: Final = re.compile(r"<([^<>\n]+)>")


def clean(text: str) -> str:
    """`text` as it can go to Slack: no control characters or lone surrogates, and nothing in it that pings anybody.

    A word joiner, which nobody sees, parts the sign from the word, so that code and prose read as written. Escaping
    with `&lt;` would show as such inside code. Cleaning twice changes nothing.
    """
    text = _SURROGATES.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))
    return _PING.sub(lambda found: found.group() + _WORD_JOINER, _UNWANTED.sub("", text))


def settled(text: str) -> str:
    """The part of cleaned `text` that no later piece of it can change: what may be appended to a stream for good."""
    return _HALF_PING.sub("", text)


def fallback(markdown: str) -> str:
    """Text for notifications and screen readers, in Slack's own markup: escaped, so that it links and pings nothing."""
    return html.escape(clean(markdown), quote=False)


def units(text: str) -> int:
    """Length in UTF-16 code units."""
    return len(text) + sum(character > "\uffff" for character in text)


def split(markdown: str, *, limit: int = PART_LIMIT) -> list[str]:
    """Cleaned `markdown` in parts of at most `limit` UTF-16 units, at least one, none of them blank.

    Cuts after a paragraph where it can, else after a line, a word, a character as people see them; a code block that is
    cut is closed and opened again in the next part.
    """
    text = clean(markdown).strip("\n")
    parts: list[str] = []
    position, reopened = 0, ""
    while position < len(text):
        window = _head(text, position, limit - units(reopened))
        if position + len(window) >= len(text):
            parts.append(reopened + window)
            break
        window = _head(text, position, limit - units(reopened) - _CLOSING_ROOM)
        cut = _cut(text, position, position + len(window))
        chunk = reopened + text[position:cut].rstrip("\n")
        fence = _open_fence(chunk)
        parts.append(f"{chunk}\n{fence[0]}" if fence else chunk)
        reopened = f"{fence[1]}\n" if fence else ""
        position = cut + (_newlines(text, cut) if not fence else text.startswith("\n", cut))
    return [part for part in parts if part.strip()] or [NOTHING]


# Room kept at the end of a cut part for closing a code block: indent, fence and newline.
_CLOSING_ROOM: Final = 30


def _head(text: str, start: int, room: int) -> str:
    """The longest piece of `text` from `start` that has at most `room` UTF-16 units."""
    head = text[start : start + room]
    while (excess := units(head) - room) > 0:
        head = head[: len(head) - (excess + 1) // 2]
    return head


def _cut(text: str, start: int, end: int) -> int:
    """The best place to cut `text[start:end]`: after at least half of it where there is a good one."""
    least = start + (end - start) // 2
    for boundary in ("\n\n", "\n"):
        if (found := text.rfind(boundary, least, end + 1)) > start:
            return found
    spans = [found.span() for found in _SPAN.finditer(text, least, min(len(text), end + 1000))]
    word = end
    while (word := text.rfind(" ", least, word)) > start:
        if not any(first < word < last for first, last in spans):
            return word + 1
    return _between_characters(text, start, end)


def _between_characters(text: str, start: int, end: int) -> int:
    """The last place up to `end` that parts no character as people see them (accents, flags, joined emoji)."""
    for place in range(end, max(start, end - _LONGEST_CHARACTER), -1):
        if not _is_joined(text, place):
            return place
    return end


def _is_joined(text: str, place: int) -> bool:
    """Whether the code points before and after `place` belong to one visible character."""
    before, after = text[place - 1], text[place]
    if _is_flag_half(before) and _is_flag_half(after):
        halves = 0
        while place - halves > 0 and _is_flag_half(text[place - halves - 1]):
            halves += 1
        return halves % 2 == 1
    is_mark = unicodedata.combining(after) != 0 or unicodedata.category(after) in {"Mn", "Me"}
    is_skin_tone = "\U0001f3fb" <= after <= "\U0001f3ff"
    return _ZWJ in {before, after} or is_mark or is_skin_tone


def _is_flag_half(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _open_fence(chunk: str) -> tuple[str, str] | None:
    """How to close and how to reopen the code block that `chunk` leaves open, None when it leaves none."""
    opened: re.Match[str] | None = None
    for line in _FENCE.finditer(chunk):
        if opened is None:
            opened = line
        elif line[2].startswith(opened[2]) and not line[3].strip():
            opened = None
    if opened is None:
        return None
    words = opened[3].split()
    language = words[0][:20] if words else ""
    return opened[1] + opened[2], opened[1] + opened[2] + language


def _newlines(text: str, start: int) -> int:
    """How many newlines stand at `start`."""
    return len(text[start:]) - len(text[start:].lstrip("\n")) if text.startswith("\n", start) else 0


def read(text: str, *, bot_user_id: str) -> str:
    """A message as its writer saw it: Slack's markup for links, people and channels as plain words.

    Mentions of the assistant itself are left out: they say whom, not what.
    """
    without_bot = re.sub(rf"<@{re.escape(bot_user_id)}(?:\|[^<>]*)?>[ \t]*[:,]?[ \t]*", "", text)
    return html.unescape(_MARKUP.sub(lambda found: _word(found[1]), without_bot)).strip()


def mentions(text: str, bot_user_id: str) -> bool:
    """Whether `text`, in Slack's markup, mentions the assistant."""
    return f"<@{bot_user_id}>" in text or f"<@{bot_user_id}|" in text


def _word(markup: str) -> str:
    """What `<markup>` shows: `@name`, `#channel`, a link with its label."""
    target, _, label = markup.partition("|")
    if target.startswith("@"):
        return f"@{label or target[1:]}"
    if target.startswith("#"):
        return f"#{label or target[1:]}"
    if target.startswith("!"):
        return label or f"@{target[1:].partition('^')[0]}"
    target = target.removeprefix("mailto:").removeprefix("tel:")
    return f"{label} ({target})" if label and label not in target else target
