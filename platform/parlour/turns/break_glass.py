"""Opening what people said, for somebody who is not part of the talk: with a reason, and written down before.

Nobody reads a person's messages by default. Whoever has the right to breaks the glass: it is seen in the audit log for
good, whether they read anything or not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self
from uuid import UUID

from sqlalchemy import or_, select

from parlour.people.doer import Doer
from parlour.privacy.audit import LONGEST_REASON, Deed, record
from parlour.privacy.errors import KeyShredded, KeysMissing
from parlour.privacy.persons import as_uuid
from parlour.privacy.service import Privacy
from parlour.store.database import Database
from parlour.store.ids import UserId, WorkspaceId
from parlour.store.models import Message
from parlour.store.places import number_or_none
from parlour.turns.conversation_list import show_conversation

SHORTEST_REASON: Final = 10
MOST: Final = 200


class ReasonMissing(Exception):
    """There is no reason given that somebody could judge later."""


@dataclass(frozen=True, slots=True)
class OpenedMessage:
    """What was said. `text` is None where the key of whoever said it is gone."""

    id: UUID
    user_id: UUID
    author: str
    created_at: datetime
    text: str | None


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a message stands in its conversation: by its turn's number, and its own id."""

    seq: int
    id: UUID

    @property
    def word(self) -> str:
        """As it stands in a form."""
        return f"{self.seq}~{self.id}"

    @classmethod
    def of(cls, word: str) -> Self | None:
        """The spot that `word` stands for, None where it stands for none."""
        told, _, message_id = word.partition("~")
        seq, found = number_or_none(told), as_uuid(message_id)
        return cls(seq, found) if seq is not None and found is not None else None


@dataclass(frozen=True, slots=True)
class Opened:
    """What was opened, oldest first. `older` is where to go on for what was said before; None: there is nothing."""

    messages: Sequence[OpenedMessage]
    older: Spot | None


def checked_reason(reason: str) -> str:
    """The reason without blanks around it. Raises `ReasonMissing`."""
    words = reason.strip()
    if not SHORTEST_REASON <= len(words) <= LONGEST_REASON:
        problem = f"A reason of {len(words)} characters says too little." if len(words) < SHORTEST_REASON else ""
        problem = problem or f"A reason of {len(words)} characters is too long."
        raise ReasonMissing(f"{problem} Give {SHORTEST_REASON} to {LONGEST_REASON}.")
    return words


def break_glass(
    database: Database,
    workspace_id: WorkspaceId,
    conversation_id: UUID,
    *,
    reason: str,
    by: Doer,
    before: Spot | None = None,
) -> Opened:
    """The newest messages of a conversation, or the newest before that spot, opened, at most `MOST`.

    Each opening is written down, one that goes on where another ended too.
    Raises `ReasonMissing` and `NoSuchConversation`; then nothing is written down, for nothing was to be opened.
    """
    words = checked_reason(reason)
    show_conversation(database, workspace_id, conversation_id)
    with database.begin() as session:
        deed = Deed(by.actor, "content.open", str(conversation_id), workspace_id, words)
        record(session, by.privacy, deed, now=database.clock.now())
    # Committed: from here on whatever is seen, or fails to open, stands in the log.
    rows = _rows(database, conversation_id, before)
    shown = rows[:MOST]
    older = Spot(shown[-1].seq, shown[-1].id) if len(rows) > MOST else None
    return Opened([_opened(by.privacy, row) for row in reversed(shown)], older)


def _rows(database: Database, conversation_id: UUID, before: Spot | None) -> Sequence[Message]:
    """The newest first, with one more than is shown to know whether there are older ones."""
    is_kept = or_(Message.expires_at.is_(None), Message.expires_at > database.clock.now())
    wanted = select(Message).where(Message.conversation_id == conversation_id, is_kept)
    if before is not None:
        is_older = or_(Message.seq < before.seq, Message.id < before.id)
        wanted = wanted.where(Message.seq <= before.seq, is_older)
    with database.read() as session:
        return session.scalars(wanted.order_by(Message.seq.desc(), Message.id.desc()).limit(MOST + 1)).all()


def _opened(privacy: Privacy, row: Message) -> OpenedMessage:
    text: str | None
    try:
        text = privacy.sealer.open_text(UserId(row.user_id), Message.body, row.id, row.body)
    except (KeyShredded, KeysMissing):
        text = None
    return OpenedMessage(row.id, row.user_id, row.author, row.created_at, text)
