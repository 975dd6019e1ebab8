"""Finding the conversation an event belongs to, and giving the event its place in it."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import LargeBinary, Uuid, any_, bindparam, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from parlour.people.admit import Person
from parlour.privacy.service import Privacy
from parlour.store.ids import UserId, new_id
from parlour.store.models import Conversation, Turn
from parlour.store.prepared import Query, only
from parlour.turns.ports import Address, Incoming
from parlour.turns.states import is_open_turn


class Entered(NamedTuple):
    """A conversation with a new place in it, `last_seq`, and how many of its turns are open."""

    id: UUID
    last_seq: int
    mode: str | None
    handoff_id: UUID | None
    waiting: int = 0


_IS_THERE = (Conversation.account_id == bindparam("account"), Conversation.lookup_hash == bindparam("found_by"))
_ADVANCE = Query(
    update(Conversation)
    .where(*_IS_THERE)
    .values(last_seq=Conversation.last_seq + 1)
    .returning(Conversation.id, Conversation.last_seq, Conversation.mode, Conversation.handoff_id),
    Entered,
)
# A statement of its own: it sees what was committed while the one above waited for the row.
_WAITING = Query(
    select(func.count())
    .select_from(Turn)
    .join(Conversation, Conversation.id == Turn.conversation_id)
    .where(*_IS_THERE, is_open_turn(Turn.state)),
    only,
)

_HOLD = Query(
    select(Conversation.id)
    .where(
        Conversation.account_id == any_(bindparam("accounts", type_=postgresql.ARRAY(Uuid))),
        Conversation.lookup_hash == any_(bindparam("found_by", type_=postgresql.ARRAY(LargeBinary))),
    )
    .order_by(Conversation.id)
    .with_for_update(key_share=True),
    only,
)


def hold(session: Session, privacy: Privacy, events: Sequence[Incoming]) -> None:
    """Lock the conversations of events that are taken in together, with whatever the transaction asks next.

    Whoever locks several does so in the order of their ids. On SQLite nobody else writes meanwhile.
    """
    if session.get_bind().dialect.name == "postgresql":
        found_by = [address_hash(privacy, event.account_id, event.address) for event in events]
        _HOLD.ask(session, accounts=list({event.account_id for event in events}), found_by=found_by)


class Entrance:
    """To the conversation at an address: asked for ahead, along with what else is asked, and gone through then."""

    def __init__(self, session: Session, privacy: Privacy, *, account_id: UUID, address: Address) -> None:
        """Move its `last_seq` on to this event's place.

        That locks the row until the caller commits: events of one conversation get their places one after another.
        """
        self._session = session
        self._privacy = privacy
        self._account_id = account_id
        self._address = address
        self._lookup_hash = address_hash(privacy, account_id, address)
        self._ask()

    def _ask(self) -> None:
        where = {"account": self._account_id, "found_by": self._lookup_hash}
        self._found = _ADVANCE.ask(self._session, **where)
        self._waiting = _WAITING.ask(self._session, **where)

    def enter(self, person: Person, now: datetime) -> Entered:
        """The conversation, made on first sight."""
        found = self._found.first()
        if found is None:
            _open(
                self._session,
                self._privacy,
                account_id=self._account_id,
                address=self._address,
                lookup_hash=self._lookup_hash,
                person=person,
                now=now,
            )
            self._ask()
            found = self._found.first()
        if found is None:
            raise RuntimeError(f"conversation of account {self._account_id} vanished while it was being opened")
        return found._replace(waiting=self._waiting.one())


def address_hash(privacy: Privacy, account_id: UUID, address: Address) -> bytes:
    """The keyed hash under which a conversation is found; the address itself is stored sealed."""
    return privacy.lookup.hash("conversation", str(account_id), address.chat, address.thread or "")


def message_hash(privacy: Privacy, conversation_id: UUID, key: str) -> bytes:
    """The keyed hash under which a message is found by the messenger's own id of it."""
    return privacy.lookup.hash("message", str(conversation_id), key)


def open_address(privacy: Privacy, conversation: Conversation) -> Address:
    """Where to post."""
    subject = conversation.user_id or conversation.workspace_id
    return opened_address(privacy, subject, conversation.id, conversation.address)


def opened_address(privacy: Privacy, subject: UUID, conversation_id: UUID, sealed: bytes) -> Address:
    """The same from a conversation's columns; `subject` is its person, or the workspace where it is a group's."""
    return Address(**json.loads(privacy.sealer.open(UserId(subject), Conversation.address, conversation_id, sealed)))


def _open(
    session: Session,
    privacy: Privacy,
    *,
    account_id: UUID,
    address: Address,
    lookup_hash: bytes,
    person: Person,
    now: datetime,
) -> None:
    """Insert the conversation unless another process was faster."""
    conversation_id = new_id()
    owner = person.user_id if address.is_private else None
    subject = owner or person.workspace_id
    sealed = privacy.sealer.seal(subject, Conversation.address, conversation_id, json.dumps(asdict(address)))
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    session.execute(
        dialect.insert(Conversation)
        .values(
            id=conversation_id,
            workspace_id=person.workspace_id,
            account_id=account_id,
            user_id=owner,
            lookup_hash=lookup_hash,
            address=sealed,
            is_private=address.is_private,
            fresh_from_seq=0,
            last_seq=0,
            fence=0,
            created_at=now,
        )
        .on_conflict_do_nothing(index_elements=["account_id", "lookup_hash"])
    )
