"""What a skill's answer has besides its text, made ready to be sent: pictures, files, buttons."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from parlour.sdk.errors import Invalid
from parlour.sdk.replies import (
    MOST_BUTTONS,
    Button,
    Buttons,
    Chart,
    File,
    Image,
    Question,
    Reply,
    Text,
    as_markdown,
)
from parlour.skills.charts import png

# Characters. Ten messages of Telegram's: more than that is a flood, and nobody reads it.
MOST_TEXT: Final = 40_000
MOST_FILES: Final = 10
# All files of one answer, together.
MOST_BYTES: Final = 20_000_000
_PICTURES: Final = {"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif", "image/webp": "webp"}


@dataclass(frozen=True, slots=True)
class Enclosed:
    """A file or picture. `alt` is what a picture shows, None for a file; `words` stand where it cannot be shown."""

    name: str
    media_type: str
    content: bytes
    alt: str | None = None
    words: str = ""


@dataclass(frozen=True, slots=True)
class Rich:
    """All of it. `closing` is text that belongs below the pictures, where the buttons are."""

    enclosed: tuple[Enclosed, ...] = ()
    buttons: tuple[Button, ...] = ()
    closing: str = ""

    def __bool__(self) -> bool:
        return bool(self.enclosed or self.buttons)


PLAIN: Final = Rich()


@dataclass(slots=True)
class Gathering:
    """Takes the replies of one answer as they come, and parts what is text from what is more."""

    _enclosed: list[Enclosed] = field(default_factory=list)
    _buttons: list[Button] = field(default_factory=list)
    _closing: list[str] = field(default_factory=list)
    _was_text: bool = True
    _length: int = 0
    is_question: bool = False
    """Whether it asked its person something back."""

    @property
    def rich(self) -> Rich:
        """What has come besides text so far."""
        return Rich(tuple(self._enclosed), tuple(self._buttons), "\n\n".join(self._closing))

    def take(self, reply: Reply) -> Iterator[str]:
        """The text to go on with, if the reply has any. Raises `Invalid` past the limits."""
        for text in self._text_of(reply):
            self._length += len(text)
            if self._length > MOST_TEXT:
                raise Invalid(f"An answer has at most {MOST_TEXT:,} characters.")
            yield text

    def _text_of(self, reply: Reply) -> Iterator[str]:
        match reply:
            case Text(markdown):
                # What is not text stands in a paragraph of its own.
                yield markdown if self._was_text else f"\n\n{markdown}"
            case Buttons(markdown, buttons):
                yield from self._press(markdown, buttons)
            case Question(markdown, options):
                self.is_question = True
                yield from self._press(markdown, tuple(Button(option, option) for option in options))
            case Chart():
                yield from self._draw(reply)
            case Image() | File():
                self._enclose(enclosed(reply))
        self._was_text = isinstance(reply, Text)

    def _press(self, markdown: str, buttons: tuple[Button, ...]) -> Iterator[str]:
        if len(self._buttons) + len(buttons) > MOST_BUTTONS:
            raise Invalid(f"An answer has at most {MOST_BUTTONS} buttons.")
        self._buttons += buttons
        if self._enclosed:
            self._closing.append(markdown)
        else:
            yield f"\n\n{markdown}"

    def _draw(self, chart: Chart) -> Iterator[str]:
        drawn = png(chart)
        table = as_markdown(chart)
        if drawn is None:
            yield f"\n\n{table}"
        else:
            self._enclose(Enclosed("chart.png", "image/png", drawn, alt=chart.title, words=table))

    def _enclose(self, one: Enclosed) -> None:
        size = sum(len(other.content) for other in self._enclosed) + len(one.content)
        if len(self._enclosed) >= MOST_FILES or size > MOST_BYTES:
            raise Invalid(f"An answer has at most {MOST_FILES} files, {MOST_BYTES:,} bytes in all.")
        self._enclosed.append(one)


def gathered(replies: list[Reply]) -> tuple[str, Rich]:
    """A whole answer that is there at once: its text, and what it has besides."""
    gathering = Gathering()
    text = "".join(piece for reply in replies for piece in gathering.take(reply))
    return text.strip(), gathering.rich


def enclosed(reply: Image | File) -> Enclosed:
    """The file; a picture of a kind that not every messenger shows is a file to download."""
    if isinstance(reply, File):
        return Enclosed(_file_name(reply.name), reply.media_type, reply.content, words=as_markdown(reply))
    media_type = _sniffed(reply.content)
    ending = _PICTURES.get(media_type or "", "")
    if not ending:
        return Enclosed("picture", reply.media_type, reply.content, words=as_markdown(reply))
    return Enclosed(f"picture.{ending}", media_type or "", reply.content, alt=reply.alt, words=as_markdown(reply))


def _sniffed(content: bytes) -> str | None:
    """What the picture is by its first bytes: what a skill calls it may be anything."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return None


def _file_name(name: str) -> str:
    """The name without folders and control characters, at most 100 characters, its ending kept."""
    last = "".join(letter for letter in name.replace("\\", "/").rpartition("/")[2] if letter.isprintable()).strip(". ")
    if len(last) > 100:  # noqa: PLR2004 (see above)
        stem, _, ending = last.rpartition(".")
        last = f"{(stem or last)[: 99 - len(ending[:20])]}.{ending[:20]}"
    return last or "file"
