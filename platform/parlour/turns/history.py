"""What was said in a conversation, opened, for channels whose people read it here: web and terminal."""

from datetime import datetime

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from parlour.privacy.service import Privacy
from parlour.store.database import Database
from parlour.store.ids import AccountId, AttachmentId, ConversationId, MessageId, TurnId, UserId
from parlour.store.models import Attachment, Conversation, Feedback, Message, Turn
from parlour.turns.conversations import address_hash
from parlour.turns.extras import open_extras
from parlour.turns.ports import Address
from parlour.turns.said import ConversationView, FileView, Said
from parlour.turns.states import Author, is_open_turn


class History:
    """Reads conversations, opened. Synchronous: call it from a thread."""

    def __init__(self, *, database: Database, privacy: Privacy) -> None:
        self._database = database
        self._privacy = privacy

    def find(self, account_id: AccountId, address: Address) -> ConversationView | None:
        """The private conversation at this address, None before the first message."""
        with self._database.read() as session:
            found = session.execute(
                select(Conversation.id, Conversation.user_id).where(
                    Conversation.account_id == account_id,
                    Conversation.lookup_hash == address_hash(self._privacy, account_id, address),
                    Conversation.user_id.is_not(None),
                )
            ).one_or_none()
        return ConversationView(ConversationId(found.id), UserId(found.user_id)) if found and found.user_id else None

    def messages(
        self, conversation_id: ConversationId, *, after: MessageId | None = None, limit: int = 50
    ) -> list[Said]:
        """Oldest first: the newest `limit`, or the first `limit` with an id above `after`, which need not exist."""
        wanted = (
            select(Message, Feedback.is_positive)
            .outerjoin(Feedback, and_(Feedback.turn_id == Message.turn_id, Feedback.user_id == Message.user_id))
            .where(Message.conversation_id == conversation_id, self._is_kept(Message.expires_at))
            .limit(limit)
        )
        if after is None:
            wanted = wanted.order_by(Message.id.desc())
        else:
            wanted = wanted.where(Message.id > after).order_by(Message.id)
        with self._database.read() as session:
            rows = session.execute(wanted).all()
        return [self._said(message, is_rated) for message, is_rated in (reversed(rows) if after is None else rows)]

    def file(self, conversation_id: ConversationId, file_id: AttachmentId) -> FileView | None:
        """A file of an answer in this conversation, None where it has no such file."""
        wanted = (
            select(Attachment)
            .join(Message, Message.id == Attachment.message_id)
            .where(
                Attachment.id == file_id,
                Attachment.content.is_not(None),
                Message.conversation_id == conversation_id,
                Message.author != Author.USER.value,
                self._is_kept(Message.expires_at),
                self._is_kept(Attachment.expires_at),
            )
        )
        with self._database.read() as session:
            row = session.scalars(wanted).one_or_none()
        if row is None or row.content is None:
            return None
        sealer, owner = self._privacy.sealer, UserId(row.user_id)
        return FileView(
            name=sealer.open_text(owner, Attachment.name, row.id, row.name),
            media_type=sealer.open_text(owner, Attachment.media_type, row.id, row.media_type),
            content=sealer.open(owner, Attachment.content, row.id, row.content),
        )

    def open_turns(self, conversation_id: ConversationId) -> list[TurnId]:
        """The turns that wait or run, in order."""
        with self._database.read() as session:
            found = session.scalars(
                select(Turn.id)
                .where(Turn.conversation_id == conversation_id, is_open_turn(Turn.state))
                .order_by(Turn.seq)
            ).all()
        return [TurnId(turn_id) for turn_id in found]

    def _is_kept(self, expires_at: InstrumentedAttribute[datetime | None]) -> ColumnElement[bool]:
        """What is past its time is not shown any more, though the purge comes later."""
        return or_(expires_at.is_(None), expires_at > self._database.clock.now())

    def _said(self, message: Message, is_rated: bool | None) -> Said:  # noqa: FBT001 (a column's value)
        sealer, owner = self._privacy.sealer, UserId(message.user_id)
        extras = open_extras(sealer, owner, message.id, message.extras)
        text, closing = extras.parted(sealer.open_text(owner, Message.body, message.id, message.body))
        return Said(
            id=MessageId(message.id),
            turn_id=TurnId(message.turn_id),
            author=message.author,  # type: ignore[arg-type]
            text=text,
            created_at=message.created_at,
            is_rated=is_rated if message.author == Author.ASSISTANT.value else None,
            enclosures=extras.enclosures,
            buttons=extras.buttons,
            closing=closing,
        )
