"""A pressed button as what it says: a message or command in the name of whoever pressed it."""

from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from parlour.privacy.errors import KeyShredded
from parlour.privacy.service import Privacy
from parlour.store.ids import UserId
from parlour.store.models import Conversation, Message
from parlour.turns.conversations import address_hash, message_hash
from parlour.turns.extras import open_extras
from parlour.turns.ports import Incoming, IncomingKind
from parlour.turns.states import Author


def say_pressed(session: Session, privacy: Privacy, incoming: Incoming) -> Incoming | None:
    """The event that the press stands for, None where there is no such button any more.

    What it says was stored when the answer was: a messenger's event only tells which button of which message.
    """
    found = session.execute(
        select(Conversation.id).where(
            Conversation.account_id == incoming.account_id,
            Conversation.lookup_hash == address_hash(privacy, incoming.account_id, incoming.address),
        )
    ).one_or_none()
    if found is None or not incoming.text.isdecimal():
        return None
    message = session.scalars(
        select(Message).where(
            Message.conversation_id == found.id,
            Message.external_hash == message_hash(privacy, found.id, incoming.message_key or ""),
            Message.author != Author.USER.value,
        )
    ).one_or_none()
    if message is None:
        return None
    try:
        extras = open_extras(privacy.sealer, UserId(message.user_id), message.id, message.extras)
    except KeyShredded:
        return None
    number = int(incoming.text)
    return _said(incoming, extras.buttons[number].says) if number < len(extras.buttons) else None


def _said(incoming: Incoming, says: str) -> Incoming:
    text, kind = says.strip(), IncomingKind.MESSAGE
    if text.startswith("/") and len(text) > 1:
        text, kind = text[1:], IncomingKind.COMMAND
    # It is nobody's message in the messenger: nothing can be answered as a reply to it, or edited.
    return replace(incoming, kind=kind, text=text, message_key=None, is_addressed=True)
