"""What a delivery is sent as: its text in parts that each fit one message, its files and pictures in between."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from parlour.turns.extras import Extras
from parlour.turns.said import Enclosure

Part = str | Enclosure


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts in order. `handle` is the place of the one that the answer is found by later, where its buttons are."""

    all: tuple[Part, ...]
    buttons: tuple[str, ...] = ()

    @property
    def handle(self) -> int:
        """The last text; the last file of an answer that has no text."""
        return max((place for place, part in enumerate(self.all) if isinstance(part, str)), default=len(self.all) - 1)

    @property
    def are_kept(self) -> bool:
        """Whether they are to be stored until all are sent: no new splitter, and no draft, may shift them midway."""
        return len(self.all) > 1 or any(isinstance(part, Enclosure) for part in self.all)


def parts_of(text: str, extras: Extras, split: Callable[[str], list[str]], *, has_draft: bool) -> Parts:
    """Plan them: the text, the files, the text below the files.

    A draft is a text and becomes the first part, so with one out a text comes first, whatever was planned.
    """
    before, below = extras.parted(text)
    if has_draft and not before:
        before, below = below or "…", ""
    texts = split(before) if before or not extras.enclosures else []
    closing = split(below) if below else []
    return Parts((*texts, *extras.enclosures, *closing), _labels(extras))


def pack(parts: Parts) -> str:
    """The plan as it is stored: files by their ids, which the message's row knows."""
    return json.dumps([part if isinstance(part, str) else {"file": str(part.id)} for part in parts.all])


def unpack(packed: str | bytes, extras: Extras) -> Parts:
    """The plan that `pack` made."""
    files = {str(one.id): one for one in extras.enclosures}
    stored: Sequence[str | dict[str, str]] = json.loads(packed)
    return Parts(tuple(part if isinstance(part, str) else files[part["file"]] for part in stored), _labels(extras))


def _labels(extras: Extras) -> tuple[str, ...]:
    return tuple(button.label for button in extras.buttons)
