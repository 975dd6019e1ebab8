"""What a person sees of a conversation: values alone, so that a terminal loads no database for them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from parlour.sdk.replies import Button
from parlour.store.ids import AttachmentId, ConversationId, MessageId, TurnId, UserId


@dataclass(frozen=True, slots=True)
class ConversationView:
    """A private conversation and the person it belongs to, under whose key its drafts open."""

    id: ConversationId
    user_id: UserId


@dataclass(frozen=True, slots=True)
class Enclosure:
    """A file or picture of an answer. `alt` is None for a file; `words` stand where a picture cannot be shown."""

    id: AttachmentId
    name: str
    media_type: str
    size: int
    alt: str | None
    words: str


@dataclass(frozen=True, slots=True)
class FileView:
    """A file of an answer, opened."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Said:
    """One message as a person sees it. `text` is Markdown where the assistant wrote it; `closing` is what stands below
    the files.
    """

    id: MessageId
    turn_id: TurnId
    author: Literal["user", "assistant", "notice"]
    text: str
    created_at: datetime
    is_rated: bool | None = None
    """For an answer: whether the person rated it up (True), down (False) or not at all (None)."""
    enclosures: tuple[Enclosure, ...] = ()
    buttons: tuple[Button, ...] = ()
    closing: str = ""
