"""What a conversation looks like in a terminal: Markdown drawn where there is one, plain text where there is not."""

import re
import sys
from collections.abc import Callable  # noqa: TC003 (an annotation like the others)
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.markdown import Markdown
from rich.text import Text

from parlour.turns.said import Said

_REFRESH_PER_S = 12
# What a terminal obeys: everything but line breaks and tabs.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# Lines left free under an answer in the making, so that drawing it anew never scrolls.
_MARGIN_LINES = 3


class Screen:
    """Shows messages; when the output is no terminal, as plain text in whatever encoding it has."""

    def __init__(self, out: TextIO | None = None, *, is_terminal: bool | None = None) -> None:
        self._out = out or sys.stdout
        self.is_terminal = self._out.isatty() if is_terminal is None else is_terminal
        self._console = Console(file=self._out, force_terminal=self.is_terminal, highlight=False)
        self._live: Live | None = None
        # How a message is put into words; who knows its files sets this.
        self.in_words: Callable[[Said], str] = lambda said: said.text

    def draft(self, text: str) -> None:
        """The answer so far; on a terminal only, since what is piped must hold the answer once."""
        if not self.is_terminal:
            return
        if self._live is None:
            self._live = Live(console=self._console, refresh_per_second=_REFRESH_PER_S, transient=True)
            self._live.start()
        self._live.update(self._tail(text))

    def said(self, said: Said) -> None:
        """A finished message, in place of its draft."""
        self.clear_draft()
        if not self.is_terminal:
            self.plain(self.in_words(said))
        elif said.author == "user":
            self._console.print(Text(f"> {_whole(said.text)}", style="bold"))
        else:
            self._console.print(Markdown(_whole(self.in_words(said))), style="dim" if said.author == "notice" else "")
            self._console.print()

    def hint(self, text: str) -> None:
        """A word of the program's own; on a terminal only."""
        if self.is_terminal:
            self._console.print(Text(text, style="dim"))

    def plain(self, text: str) -> None:
        """Text as it is, with what the output's encoding cannot say replaced."""
        encoding = self._out.encoding or "utf-8"
        self._out.write(_whole(text).encode(encoding, "replace").decode(encoding) + "\n")
        self._out.flush()

    def clear_draft(self) -> None:
        """Take the draft off the screen."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _tail(self, text: str) -> Markdown:
        """The end of a long draft: what is above the screen cannot be drawn anew."""
        lines = _whole(text).splitlines()
        room = max(3, self._console.height - _MARGIN_LINES)
        return Markdown("\n".join(lines[-room:]))


def _whole(text: str) -> str:
    """Without lone surrogates, which no terminal takes, and without control characters, which it would obey."""
    whole = text.encode("utf-8", "replace").decode("utf-8")
    return _CONTROLS.sub("", whole)
