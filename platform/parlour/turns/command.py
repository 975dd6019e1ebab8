"""What a command is: where it was given, what it does, what comes of it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from parlour.people.admit import Person
from parlour.people.profile import Profiles
from parlour.privacy.service import Privacy
from parlour.store.models import Conversation, Turn
from parlour.turns.handoffs import Handoffs
from parlour.turns.outbox import Outbox
from parlour.turns.ports import Live


@dataclass(frozen=True, slots=True)
class Context:
    """Where a command was given. Its effects go into the same transaction as the event."""

    session: Session
    privacy: Privacy
    conversation: Conversation
    turn: Turn
    person: Person
    language: str
    now: datetime
    # None: until somebody deletes it.
    keep_days: int | None
    handoffs: Handoffs
    outbox: Outbox
    profiles: Profiles
    remembers: bool
    """Whether this installation remembers people at all."""


@dataclass(frozen=True, slots=True)
class Order:
    """What comes of a command: a reply at once, or a text to be answered as if it had been sent again."""

    reply: str | None = None
    asks_again: str | None = None
    # What to publish once it is committed.
    live: tuple[Live, ...] = ()


@dataclass(frozen=True, slots=True)
class Command:
    """A command as messengers list it."""

    name: str
    english: str
    chinese: str
    run: Callable[[Context, str], Order]

    def describe(self, language: str) -> str:
        """What it does, in the person's language."""
        return self.chinese if language == "zh" else self.english
