"""An event on its way in, and what is stored of it: its turn, its message, its files."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, insert, select
from sqlalchemy.orm import Session

from parlour.people.admit import Person
from parlour.privacy.classes import DataClass
from parlour.privacy.retention import Retention
from parlour.privacy.service import Privacy
from parlour.store.ids import AccountId, ConversationId, TurnId, UserId, new_id
from parlour.store.models import Account, Attachment, Message, Turn, Workspace
from parlour.store.prepared import Change, Query
from parlour.turns.conversations import Entered, message_hash
from parlour.turns.outbox import Recipient
from parlour.turns.ports import Incoming, Live
from parlour.turns.states import Author, TurnState
from parlour.turns.text import clean

# The sweeper looks for turns whose publication got lost only after this time: normally a worker has them long before.
PUBLISH_GRACE: Final = timedelta(seconds=2)


class Bot(NamedTuple):
    """The account that an event came to."""

    id: UUID
    workspace_id: UUID
    channel: str


# Unless it or its workspace was removed.
BOT: Final = Query(
    select(Account.id, Account.workspace_id, Account.channel)
    .join(Workspace, Workspace.id == Account.workspace_id)
    .where(Account.id == bindparam("account"), Account.state != "removed", Workspace.removed_at.is_(None)),
    Bot,
)
_TURN: Final = Change(
    insert(Turn),
    columns=(
        "id conversation_id account_id user_id event_id seq kind state attempts is_stop_requested "
        "language error due_at received_at finished_at prompt_tokens completion_tokens expires_at"
    ),
)
_MESSAGE: Final = Change(
    insert(Message),
    columns=("id conversation_id turn_id user_id seq author body external_hash external_key created_at expires_at"),
)


@dataclass(slots=True)
class Entry:
    """One event on its way in, inside one transaction."""

    session: Session
    incoming: Incoming
    text: str
    account: Bot
    person: Person
    conversation: Entered
    now: datetime
    language: str
    # What is published after the commit.
    live: list[Live]
    turn_id: TurnId = field(init=False)
    message_id: UUID = field(init=False)

    @property
    def conversation_id(self) -> ConversationId:
        """Where it was said."""
        return ConversationId(self.conversation.id)

    @property
    def recipient(self) -> Recipient:
        """Whom an answer goes to."""
        return Recipient(
            channel=self.account.channel,
            account_id=AccountId(self.account.id),
            conversation_id=self.conversation_id,
            turn_id=self.turn_id,
            turn_seq=self.conversation.last_seq,
            user_id=UserId(self.person.user_id),
        )


class EntryBook:
    """Writes entries down, sealed and dated."""

    def __init__(self, *, privacy: Privacy, retention: Retention, max_attachment_bytes: int) -> None:
        self._privacy = privacy
        self._retention = retention
        self._max_attachment_bytes = max_attachment_bytes

    def add_turn(self, entry: Entry, state: TurnState, *, kind: str = "message", error: str | None = None) -> None:
        """Its turn. Where the event has one already, the transaction comes to SQLAlchemy's `IntegrityError`."""
        entry.turn_id = TurnId(new_id())
        _TURN.put_off(
            entry.session,
            id=entry.turn_id,
            conversation_id=entry.conversation.id,
            account_id=entry.account.id,
            user_id=entry.person.user_id,
            event_id=entry.incoming.event_id,
            seq=entry.conversation.last_seq,
            kind=kind,
            state=state.value,
            attempts=0,
            is_stop_requested=False,
            language=entry.language,
            error=error,
            due_at=entry.now + PUBLISH_GRACE,
            received_at=entry.now,
            finished_at=None if state is TurnState.QUEUED else entry.now,
            prompt_tokens=0,
            completion_tokens=0,
            expires_at=self._until(entry, DataClass.OPERATIONAL),
        )

    def add_message(self, entry: Entry, text: str) -> None:
        """What was said."""
        message_id, key, user_id = new_id(), entry.incoming.message_key, entry.person.user_id
        seal = self._privacy.sealer.seal
        _MESSAGE.put_off(
            entry.session,
            id=message_id,
            conversation_id=entry.conversation.id,
            turn_id=entry.turn_id,
            user_id=user_id,
            seq=entry.conversation.last_seq,
            author=Author.USER.value,
            body=seal(user_id, Message.body, message_id, text),
            external_hash=message_hash(self._privacy, entry.conversation.id, key) if key else None,
            external_key=seal(user_id, Message.external_key, message_id, key) if key else None,
            created_at=entry.now,
            expires_at=self._until(entry, DataClass.MESSAGE),
        )
        entry.message_id = message_id

    def add_attachments(self, entry: Entry) -> None:
        """Take the files in, most by reference: a background task of the gateway fetches those after the commit."""
        seal = self._privacy.sealer.seal
        user_id = entry.person.user_id
        for file in entry.incoming.attachments:
            row_id = new_id()
            is_too_large = file.size is not None and file.size > self._max_attachment_bytes
            content = None if is_too_large else file.content
            entry.session.add(
                Attachment(
                    id=row_id,
                    message_id=entry.message_id,
                    account_id=entry.account.id,
                    user_id=user_id,
                    state="too_large" if is_too_large else "waiting" if content is None else "stored",
                    size=file.size,
                    name=seal(user_id, Attachment.name, row_id, clean(file.name) or "file"),
                    media_type=seal(user_id, Attachment.media_type, row_id, file.media_type),
                    reference=seal(user_id, Attachment.reference, row_id, file.reference),
                    content=None if content is None else seal(user_id, Attachment.content, row_id, content),
                    created_at=entry.now,
                    expires_at=self._until(entry, DataClass.ATTACHMENT),
                )
            )

    def _until(self, entry: Entry, data_class: DataClass) -> datetime | None:
        """When a row of this event goes."""
        return self._retention.until(
            entry.session,
            data_class,
            account_id=entry.account.id,
            conversation_id=entry.conversation.id,
            since=entry.now,
        )
