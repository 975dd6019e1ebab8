"""The messenger's own ids of messages, as `messages` and `deliveries` keep them: sealed."""

import json
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from parlour.privacy.service import Privacy
from parlour.store.ids import TurnId, UserId
from parlour.store.models import Delivery, Message, Turn
from parlour.store.prepared import Query
from parlour.turns.announce import thread_root
from parlour.turns.budget import Lane
from parlour.turns.due import Due
from parlour.turns.ports import Address
from parlour.turns.states import Author


class AnsweredMessage(NamedTuple):
    """The message that a turn answers; nothing but None where there is none."""

    id: UUID | None
    user_id: UUID | None
    external_key: bytes | None


_ANSWERED = Query(
    select(Message.id, Message.user_id, Message.external_key).where(
        Message.turn_id == bindparam("turn"), Message.author == Author.USER.value
    ),
    AnsweredMessage,
)


class MessageKeys:
    """Seals and opens them, and names the lane of an address."""

    def __init__(self, privacy: Privacy) -> None:
        self._privacy = privacy

    def seal(self, user_id: UserId, delivery_id: UUID, keys: Sequence[str]) -> bytes:
        """The ids of what is out of a delivery: its draft first, then each part."""
        return self._privacy.sealer.seal(user_id, Delivery.external_keys, delivery_id, json.dumps(list(keys)))

    def open(self, user_id: UserId, delivery_id: UUID, sealed: bytes | None) -> tuple[str, ...]:
        """What `seal` sealed; nothing of nothing."""
        if sealed is None:
            return ()
        opened = self._privacy.sealer.open(user_id, Delivery.external_keys, delivery_id, sealed)
        return tuple(str(key) for key in json.loads(opened))

    def answered_by(self, session: Session, turn_id: TurnId) -> str | None:
        """The messenger's id of the message that the turn answers, None where it told none."""
        found = _ANSWERED.first(session, turn=turn_id)
        return None if found is None else self.open_asked(found)

    def open_asked(self, asked: AnsweredMessage) -> str | None:
        """The messenger's id of that message, None where it told none."""
        if asked.id is None or asked.user_id is None or asked.external_key is None:
            return None
        column = Message.external_key
        return self._privacy.sealer.open_text(UserId(asked.user_id), column, asked.id, asked.external_key)

    def thread_of(self, session: Session, delivery: Due) -> str | None:
        """The messenger's id of the message that opened the thread which the delivery belongs to, None without one."""
        once = session.scalars(select(Turn.event_id).where(Turn.id == delivery.turn_id)).one()
        root = session.execute(
            select(Delivery.id, Delivery.user_id, Delivery.external_keys)
            .join(Turn, Turn.id == Delivery.turn_id)
            .where(Turn.account_id == delivery.account_id, Turn.event_id == thread_root(once))
        ).one_or_none()
        keys = () if root is None else self.open(UserId(root.user_id), root.id, root.external_keys)
        return keys[0] if keys else None

    def lane(self, account_id: UUID, address: Address) -> Lane:
        """What posts to this address count against."""
        chat = self._privacy.lookup.hash("lane", str(account_id), address.chat)
        return Lane(account=str(account_id), chat=chat.hex())
