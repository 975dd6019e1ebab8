"""What a handler may answer with. A plain `str` is Markdown; the classes here are everything else."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from parlour.sdk.commands import RESERVED_COMMANDS
from parlour.sdk.errors import Invalid

LONGEST_LABEL = 75
MOST_BUTTONS = 10
LARGEST_FILE_BYTES = 8_000_000


@dataclass(frozen=True, slots=True)
class Text:
    """Markdown. Yielding a plain `str` does the same; pieces of one answer are joined as they come."""

    markdown: str


@dataclass(frozen=True, slots=True)
class File:
    """A file to download."""

    name: str
    content: bytes
    media_type: str = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Image:
    """A picture shown in the chat; `alt` is read to those who cannot see it."""

    content: bytes
    alt: str
    media_type: str = "image/png"


@dataclass(frozen=True, slots=True)
class Series:
    """One line or one colour of bars in a chart."""

    name: str
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """Numbers to look at. Each series has one value for each label; shown as a table where no picture can be."""

    title: str
    labels: tuple[str, ...]
    series: tuple[Series, ...]
    kind: Literal["line", "bar"] = "line"


@dataclass(frozen=True, slots=True)
class Button:
    """Pressing it says `says` in the person's name, most often a command: `Button("More", "/recommend more")`.

    A command of Parlour's own (`/link`, `/forgetme`) is for the person alone to give: a button may not say it.
    """

    label: str
    says: str


@dataclass(frozen=True, slots=True)
class Buttons:
    """A text with buttons below; a list of what can be typed where a messenger has no buttons."""

    markdown: str
    buttons: tuple[Button, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """A question back: what the person says next in this conversation comes to the same handler, with
    `turn.is_reply` set. `options` are shown as buttons that say what stands on them; anything else may be said too.
    """

    markdown: str
    options: tuple[str, ...] = ()


Reply = Text | File | Image | Chart | Buttons | Question
_KINDS: Mapping[str, type[Reply]] = {
    "text": Text,
    "file": File,
    "image": Image,
    "chart": Chart,
    "buttons": Buttons,
    "question": Question,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


def replies_of(value: object) -> Iterator[Reply]:
    """What a handler returned or yielded, as replies: none for `None`, several for a list.

    Raises `Invalid` for anything else.
    """
    if value is None:
        return
    if isinstance(value, str):
        yield Text(value)
    elif isinstance(value, Reply):
        _check(value)
        yield value
    elif isinstance(value, list | tuple):
        for one in value:
            yield from replies_of(one)
    else:
        known = "str, Text, File, Image, Chart, Buttons, Question, or a list of them"
        raise Invalid(f"A handler answered with {type(value).__name__}. It may answer with {known}.")


def as_markdown(reply: Reply) -> str:
    """The reply for a messenger that shows text alone."""
    match reply:
        case Text(markdown):
            return markdown
        case Buttons(markdown, buttons):
            return "\n".join([markdown, *(f"- {button.label}: `{button.says}`" for button in buttons)])
        case Question(markdown, options):
            return "\n".join([markdown, *(f"- {option}" for option in options)])
        case Chart():
            return _table(reply)
        case Image(alt=alt):
            return f"[{alt}]"
        case File(name=name, content=content):
            return f"[{name}, {len(content):,} bytes]"


def to_wire(reply: Reply) -> dict[str, Any]:
    """The reply as plain values, for the protocol between skill and host."""
    return {"is": _NAMES[type(reply)], **asdict(reply)}


def from_wire(value: object) -> Reply:
    """The reply that `to_wire` made. Raises `Invalid` for anything that is not one: it comes from the skill."""
    if not isinstance(value, dict):
        raise Invalid("A reply is not a map.")
    fields = dict(value)
    kind = _KINDS.get(str(fields.pop("is", "")))
    if kind is None:
        raise Invalid(f"A reply is of no known kind. There are: {', '.join(_KINDS)}.")
    try:
        reply = kind(**_restored(kind, fields))
        _check(reply)
    except (TypeError, ValueError, KeyError, AttributeError):
        raise Invalid(f"A reply of kind {_NAMES[kind]} lacks a field, or has a wrong one.") from None
    return reply


def _restored(kind: type[Reply], fields: dict[str, Any]) -> dict[str, Any]:
    if kind is Buttons:
        return fields | {"buttons": tuple(Button(**one) for one in fields["buttons"])}
    if kind is Question:
        return fields | {"options": tuple(fields["options"])}
    if kind is Chart:
        series = tuple(Series(one["name"], tuple(float(v) for v in one["values"])) for one in fields["series"])
        return fields | {"labels": tuple(fields["labels"]), "series": series}
    return fields


def _check(reply: Reply) -> None:
    """Raises `Invalid` where a field is of a wrong type or a limit is passed."""
    match reply:
        case Text(markdown):
            _strings(markdown)
        case Buttons(markdown, buttons):
            _strings(markdown, *(text for button in buttons for text in (button.label, button.says)))
            if not 1 <= len(buttons) <= MOST_BUTTONS or any(len(one.label) > LONGEST_LABEL for one in buttons):
                raise Invalid(f"Give 1 to {MOST_BUTTONS} buttons, their labels at most {LONGEST_LABEL} characters.")
            _no_command_of_the_platform(*(button.says for button in buttons))
        case Question(markdown, options):
            _strings(markdown, *options)
            if len(options) > MOST_BUTTONS or any(not 1 <= len(one) <= LONGEST_LABEL for one in options):
                raise Invalid(f"Give at most {MOST_BUTTONS} options of 1 to {LONGEST_LABEL} characters.")
            _no_command_of_the_platform(*options)
        case Chart(title, labels, series, kind):
            _strings(title, kind, *labels, *(one.name for one in series))
            if kind not in {"line", "bar"} or any(len(one.values) != len(labels) for one in series):
                raise Invalid("A chart is a line or bar chart, and each of its series has one value for each label.")
        case Image(content, text, media_type) | File(text, content, media_type):
            _strings(text, media_type)
            if type(content) is not bytes or len(content) > LARGEST_FILE_BYTES:
                raise Invalid(f"A file's content is bytes, at most {LARGEST_FILE_BYTES:,} of them.")


def _strings(*values: object) -> None:
    if not all(isinstance(value, str) for value in values):
        raise Invalid("A text in a reply is not a str.")


def _no_command_of_the_platform(*said: str) -> None:
    """A button presses in the name of whoever is shown it: its label could say one thing and `/link` do another."""
    for one in said:
        # What intake does not keep of a text hides nothing here either.
        words = "".join(letter for letter in one if letter.isprintable() or letter.isspace()).split()
        first = words[0].lower() if words else ""
        if first.startswith("/") and first[1:].partition("@")[0] in RESERVED_COMMANDS:
            raise Invalid(f"A button says {first}, a command of Parlour's own: only the person may give it.")


def _table(chart: Chart) -> str:
    heads: Sequence[str] = ("", *(one.name for one in chart.series))
    rows = [(label, *(f"{one.values[place]:g}" for one in chart.series)) for place, label in enumerate(chart.labels)]
    lines = ["| " + " | ".join(cells) + " |" for cells in (heads, tuple("---" for _ in heads), *rows)]
    return "\n".join([f"**{chart.title}**", "", *lines])
