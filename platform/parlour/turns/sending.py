"""Sending a person a file that they asked for elsewhere, in private."""

from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from parlour.skills.rich import Enclosed, Rich
from parlour.store.database import Database
from parlour.store.ids import ConversationId, UserId, new_id
from parlour.store.models import Account, Conversation, Turn
from parlour.turns.announce import Announcement, announce
from parlour.turns.outbox import Outbox
from parlour.turns.ports import LiveBus
from parlour.turns.states import Author

# Under what Telegram takes of a bot, 50 MB.
LARGEST_BYTES: Final = 45_000_000


class NoPrivateChat(Exception):
    """The person has no private conversation with the assistant: there is nowhere to send it."""


class FileSender:
    """Puts files into people's private conversations, through the ledger."""

    def __init__(self, *, database: Database, outbox: Outbox, bus: LiveBus) -> None:
        self._database = database
        self._outbox = outbox
        self._bus = bus

    def send_file(
        self,
        user_id: UserId,
        name: str,
        content: bytes,
        caption: str,
        *,
        conversation_id: ConversationId | None = None,
        media_type: str = "application/octet-stream",
        once: str | None = None,
    ) -> ConversationId:
        """Send the file with a caption (Markdown) to the person alone; which conversation it went to.

        That is `conversation_id` where it is a private one of theirs, else the one they used last. What has the same
        `once` as a file before is not sent a second time. Raises `NoPrivateChat`, `ValueError` past `LARGEST_BYTES`,
        and `KeyShredded` never: an erased person is sent nothing.
        """
        if len(content) > LARGEST_BYTES:
            raise ValueError(f"{name} has {len(content):,} bytes; the most that can be sent is {LARGEST_BYTES:,}.")
        rich = Rich((Enclosed(name, media_type, content, words=f"[{name}, {len(content):,} bytes]"),))
        what = Announcement(caption, f"file:{once or new_id()}"[:128], author=Author.NOTICE, rich=rich)
        with self._database.begin() as session:
            place = _private_chat(session, user_id, conversation_id)
            if place is None:
                raise NoPrivateChat
            said = announce(session, self._outbox, place, user_id, what, now=self._database.clock.now())
        if said is not None:
            self._bus.publish(said)
        return place


def _private_chat(session: Session, user_id: UserId, wanted: ConversationId | None) -> ConversationId | None:
    last_used = (
        select(func.max(Turn.received_at)).where(Turn.conversation_id == Conversation.id).correlate(Conversation)
    ).scalar_subquery()
    found = session.scalars(
        select(Conversation.id)
        .join(Account, Account.id == Conversation.account_id)
        .where(Conversation.user_id == user_id, Conversation.is_private, Account.state != "removed")
        .order_by((Conversation.id == wanted).desc() if wanted else last_used.desc(), last_used.desc())
        .limit(1)
    ).first()
    return None if found is None else ConversationId(found)
