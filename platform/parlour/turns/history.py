"""What was said in a conversation, opened, for channels whose people read it here: web and terminal."""

from sqlalchemy import and_, select

from parlour.privacy.service import Privacy
from parlour.store.database import Database
from parlour.store.ids import AccountId, ConversationId, MessageId, TurnId, UserId
from parlour.store.models import Conversation, Feedback, Message, Turn
from parlour.turns.conversations import address_hash
from parlour.turns.ports import Address
from parlour.turns.said import ConversationView, Said
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
            .where(Message.conversation_id == conversation_id)
            .limit(limit)
        )
        if after is None:
            wanted = wanted.order_by(Message.id.desc())
        else:
            wanted = wanted.where(Message.id > after).order_by(Message.id)
        with self._database.read() as session:
            rows = session.execute(wanted).all()
        return [self._said(message, is_rated) for message, is_rated in (reversed(rows) if after is None else rows)]

    def open_turns(self, conversation_id: ConversationId) -> list[TurnId]:
        """The turns that wait or run, in order."""
        with self._database.read() as session:
            found = session.scalars(
                select(Turn.id)
                .where(Turn.conversation_id == conversation_id, is_open_turn(Turn.state))
                .order_by(Turn.seq)
            ).all()
        return [TurnId(turn_id) for turn_id in found]

    def _said(self, message: Message, is_rated: bool | None) -> Said:  # noqa: FBT001 (a column's value)
        return Said(
            id=MessageId(message.id),
            turn_id=TurnId(message.turn_id),
            author=message.author,  # type: ignore[arg-type]
            text=self._privacy.sealer.open_text(UserId(message.user_id), Message.body, message.id, message.body),
            created_at=message.created_at,
            is_rated=is_rated if message.author == Author.ASSISTANT.value else None,
        )
