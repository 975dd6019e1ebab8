"""What an answer has besides its text, as its row keeps it: which files belong to it, and its buttons.

Sealed in one column of the message; the files' contents are sealed in `attachments`. A plain answer has none of it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from parlour.privacy.sealing import Sealer
from parlour.sdk.replies import Button
from parlour.skills.rich import Enclosed, Rich
from parlour.store.ids import AttachmentId, UserId
from parlour.store.models import Message
from parlour.turns.said import Enclosure

# What a model reads of a picture or file that it sent; a table of a year of days is cut.
_MOST_WORDS: Final = 2_000


@dataclass(frozen=True, slots=True)
class Extras:
    """The files, the buttons, and how much of the text, counted from its end, stands below the files."""

    enclosures: tuple[Enclosure, ...] = ()
    buttons: tuple[Button, ...] = ()
    closing_chars: int = 0

    def parted(self, text: str) -> tuple[str, str]:
        """The text before the files, and that below them."""
        if not self.closing_chars:
            return text, ""
        at = len(text) - self.closing_chars
        return text[:at].strip(), text[at:].strip()

    @property
    def in_words(self) -> str:
        """The files as text."""
        return "\n\n".join(one.words for one in self.enclosures)[:_MOST_WORDS]


NO_EXTRAS: Final = Extras()


def extras_of(rich: Rich, ids: Sequence[AttachmentId]) -> Extras:
    """What the message's row says of it; `ids` are those of the files' rows."""
    return Extras(
        tuple(_described(one, file_id) for one, file_id in zip(rich.enclosed, ids, strict=True)),
        rich.buttons,
        len(rich.closing),
    )


def _described(one: Enclosed, file_id: AttachmentId) -> Enclosure:
    return Enclosure(file_id, one.name, one.media_type, len(one.content), one.alt, one.words)


def seal_extras(sealer: Sealer, user_id: UserId, message_id: UUID, extras: Extras) -> bytes:
    """As it is stored."""
    packed = {
        "files": [[str(one.id), one.name, one.media_type, one.size, one.alt, one.words] for one in extras.enclosures],
        "buttons": [[one.label, one.says] for one in extras.buttons],
        "closing": extras.closing_chars,
    }
    return sealer.seal(user_id, Message.extras, message_id, json.dumps(packed))


def open_extras(sealer: Sealer, user_id: UserId, message_id: UUID, sealed: bytes | None) -> Extras:
    """What `seal_extras` sealed; nothing of nothing."""
    if sealed is None:
        return NO_EXTRAS
    packed = json.loads(sealer.open(user_id, Message.extras, message_id, sealed))
    return Extras(
        tuple(Enclosure(AttachmentId(UUID(row[0])), *row[1:]) for row in packed["files"]),
        tuple(Button(label, says) for label, says in packed["buttons"]),
        packed["closing"],
    )
