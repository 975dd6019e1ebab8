"""Stops, thumbs and edits change what is already there; what comes twice or late changes no more than once."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from parlour.people.admit import Person
from parlour.privacy.classes import DataClass
from parlour.privacy.retention import Retention
from parlour.privacy.service import Privacy
from parlour.store.models import Conversation, Message, Turn
from parlour.turns import commands
from parlour.turns.conversations import address_hash, message_hash
from parlour.turns.outbox import Outbox
from parlour.turns.ports import Incoming, IncomingKind, Taken, Verdict
from parlour.turns.rating import rate
from parlour.turns.states import Author, TurnState


class Amending:
    """Stops, rates and edits, in the transaction that takes the event in."""

    def __init__(self, privacy: Privacy, retention: Retention, outbox: Outbox, *, max_text_chars: int) -> None:
        self._privacy = privacy
        self._retention = retention
        self._outbox = outbox
        self._max_text_chars = max_text_chars

    def take(self, session: Session, incoming: Incoming, text: str, person: Person, now: datetime) -> Taken:
        """Do what the event says, if there still is what it is about."""
        # Held, so that no worker takes a turn between what is read of it here and what is written.
        conversation = session.scalars(
            select(Conversation)
            .where(
                Conversation.account_id == incoming.account_id,
                Conversation.lookup_hash == address_hash(self._privacy, incoming.account_id, incoming.address),
            )
            .with_for_update(key_share=True)
        ).one_or_none()
        if conversation is None:
            return Taken(Verdict.IGNORED)
        if incoming.kind is IncomingKind.STOP:
            commands.stop(session, self._outbox, conversation.id, only=text or None, now=now)
            return Taken(Verdict.REPLIED)
        external_hash = message_hash(self._privacy, conversation.id, incoming.message_key or "")
        if incoming.kind is IncomingKind.FEEDBACK:
            until = self._retention.until(
                session,
                DataClass.FEEDBACK,
                account_id=incoming.account_id,
                conversation_id=conversation.id,
                since=now,
            )
            return rate(
                session,
                conversation.id,
                external_hash,
                person.user_id,
                is_positive=text == "up",
                now=now,
                expires_at=until,
            )
        return self._edit(session, conversation.id, external_hash, person, text, at=incoming.sent_at)

    def _edit(
        self, session: Session, conversation_id: UUID, external_hash: bytes, person: Person, text: str, *, at: datetime
    ) -> Taken:
        """Change a message while its turn still waits; once it is being answered, the answer stands as it was asked.

        `at` is when it was edited: an edit that is told again does not take back a later one.
        """
        message = session.scalars(
            select(Message)
            .join(Turn, Turn.id == Message.turn_id)
            .where(
                Message.conversation_id == conversation_id,
                Message.external_hash == external_hash,
                Message.user_id == person.user_id,
                Message.author == Author.USER.value,
                Turn.state == TurnState.QUEUED.value,
                or_(Message.edited_at.is_(None), Message.edited_at <= at),
            )
        ).one_or_none()
        if message is None or len(text) > self._max_text_chars:
            return Taken(Verdict.IGNORED)
        message.edited_at = at
        message.body = self._privacy.sealer.seal(person.user_id, Message.body, message.id, text)
        return Taken(Verdict.REPLIED)
