"""The chat page's HTML and its static files, from the templates in `web_pages`."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from itertools import groupby
from typing import Final

from jinja2 import Environment, FunctionLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from starlette.responses import Response

from parlour.channels.web_markdown import plain_to_html, to_html
from parlour.channels.web_texts import TEXTS
from parlour.store.ids import TurnId, new_id
from parlour.turns.said import Enclosure, Said

STATIC_PATH: Final = "/chat/static"
FILES_PATH: Final = "/chat/files"
_TYPES: Final = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_NOTHING: Final = Markup("")
_PAGES = files("parlour.channels") / "web_pages"

# Nothing inline, nothing from elsewhere, nowhere to send a form but here.
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class Static:
    """A file of the page. Its address changes with its content, so browsers may keep it for good."""

    content: bytes
    media_type: str
    address: str

    def response(self) -> Response:
        """The file, to be kept."""
        headers = {"Cache-Control": "public, max-age=31536000, immutable"}
        return Response(self.content, media_type=self.media_type, headers=headers)


class ChatPage:
    """Renders the page and its parts. Reads its files once, when it is made."""

    def __init__(self, title: str, *, file_bytes: int) -> None:
        self.static = {entry.name: _static(entry.name, entry.read_bytes()) for entry in (_PAGES / "static").iterdir()}
        self._title = title
        self._file_bytes = file_bytes
        environment = Environment(
            loader=FunctionLoader(lambda name: (_PAGES / name).read_text(encoding="utf-8")),
            autoescape=select_autoescape(default=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        # For forms that work without a script: sent twice, each is one message.
        environment.globals["fresh_id"] = lambda: str(new_id())
        self._chat = environment.get_template("chat.html")
        self._article = environment.get_template("message.html").make_module({}).article  # type: ignore[attr-defined]

    def chat(self, said: Sequence[Said], waiting: Sequence[TurnId], *, language: str, problem: str = "") -> str:
        """The whole page with the conversation so far."""
        return self._chat.render(
            title=self._title,
            language=language,
            texts=TEXTS[language],
            turns=_by_turn(said, waiting),
            waiting=[str(turn_id) for turn_id in waiting],
            last=str(max((one.id for one in said), default="")),
            # Made here so that a form sent twice by a page without script is one message.
            message_id=str(new_id()),
            new_id=str(new_id()),
            file_bytes=self._file_bytes,
            static={name: file.address for name, file in self.static.items()},
            problem=problem,
        )

    def article(self, said: Said, language: str) -> str:
        """One message."""
        return str(self._article(_shown(said), TEXTS[language]))


@dataclass(frozen=True, slots=True)
class ShownFile:
    """A file of an answer. `table` is a chart's numbers, for who cannot see it."""

    address: str
    name: str
    size: str
    alt: str | None
    table: Markup


@dataclass(frozen=True, slots=True)
class Shown:
    """A message with its Markdown as HTML."""

    said: Said
    html: Markup
    files: tuple[ShownFile, ...] = ()
    closing: Markup = _NOTHING


def _shown(said: Said) -> Shown:
    if said.author == "user":
        return Shown(said, plain_to_html(said.text))
    files = tuple(_shown_file(one) for one in said.enclosures)
    return Shown(said, to_html(said.text), files, to_html(said.closing) if said.closing else _NOTHING)


def _shown_file(one: Enclosure) -> ShownFile:
    is_chart = one.alt is not None and one.words.startswith("**")
    table = to_html(one.words) if is_chart else _NOTHING
    return ShownFile(f"{FILES_PATH}/{one.id}", one.name, _size(one.size), one.alt, table)


def _size(size: int) -> str:
    return f"{size / 1_000_000:.1f} MB" if size >= 1_000_000 else f"{max(1, round(size / 1_000))} kB"  # noqa: PLR2004


def _by_turn(said: Sequence[Said], waiting: Sequence[TurnId]) -> list[tuple[str, list[Shown]]]:
    """Messages grouped by turn in the order of arrival, so that an answer stands under its question."""
    of_turn = {str(turn): [*group] for turn, group in groupby(sorted(said, key=_turn), key=_turn)}
    turns = {**{str(turn_id): [] for turn_id in waiting}, **of_turn}
    return [(turn, [_shown(one) for one in turns[turn]]) for turn in sorted(turns)]


def _turn(said: Said) -> str:
    return str(said.turn_id)


def _static(name: str, content: bytes) -> Static:
    version = sha256(content).hexdigest()[:12]
    return Static(content, _TYPES[name.rpartition(".")[2]], f"{STATIC_PATH}/{name}?v={version}")
