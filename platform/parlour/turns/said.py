"""What a person sees of a conversation: values alone, so that a terminal loads no database for them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from parlour.store.ids import ConversationId, MessageId, TurnId, UserId


@dataclass(frozen=True, slots=True)
class ConversationView:
    """A private conversation and the person it belongs to, under whose key its drafts open."""

    id: ConversationId
    user_id: UserId


@dataclass(frozen=True, slots=True)
class Said:
    """One message as a person sees it. `text` is Markdown where the assistant wrote it."""

    id: MessageId
    turn_id: TurnId
    author: Literal["user", "assistant", "notice"]
    text: str
    created_at: datetime
    is_rated: bool | None = None
    """For an answer: whether the person rated it up (True), down (False) or not at all (None)."""
