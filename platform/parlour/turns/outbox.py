"""Writing what the assistant says into the ledger, in the transaction that decides it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Insert, bindparam, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from parlour.privacy.classes import DataClass
from parlour.privacy.retention import Retention
from parlour.privacy.service import Privacy
from parlour.skills.rich import PLAIN, Enclosed, Rich
from parlour.store.ids import AccountId, AttachmentId, ConversationId, TurnId, UserId, new_id
from parlour.store.models import Attachment, Delivery, Message, Turn
from parlour.store.prepared import Change
from parlour.turns.conversations import message_hash
from parlour.turns.extras import extras_of, seal_extras
from parlour.turns.states import ANNOUNCED, PULL_CHANNELS, Author, DeliveryState, is_open_delivery


def _deliver_on(dialect: str) -> Insert:
    """Puts a delivery into the ledger, or the answer into the delivery that so far was a draft."""
    row = sqlite.insert(Delivery) if dialect == "sqlite" else postgresql.insert(Delivery)
    new = row.excluded
    outcome = {name: new[name] for name in ("message_id", "state", "due_at", "sent_at")}
    return row.on_conflict_do_update(index_elements=["turn_id", "ordinal"], set_=outcome)


_DELIVERY: Final = (
    "id conversation_id account_id turn_id user_id turn_seq ordinal part_count part_index "
    "draft_state attempts created_at message_id state due_at sent_at"
)
_DELIVER: Final = Change(_deliver_on, columns=_DELIVERY)
# News that is put off may be put off no longer than until somebody says something in its conversation: what is said
# then comes behind it. What is being sent just now is left to whoever sends it.
_OVERTAKEN: Final = Change(
    update(Delivery)
    .where(
        Delivery.id.in_(
            select(Delivery.id)
            .join(Turn, Turn.id == Delivery.turn_id)
            .where(
                Delivery.conversation_id == bindparam("conversation"),
                is_open_delivery(Delivery.state),
                Delivery.state == DeliveryState.PENDING.value,
                Delivery.due_at > bindparam("now"),
                Turn.kind == ANNOUNCED,
            )
            .with_for_update(of=Delivery, skip_locked=True)
        )
    )
    .values(due_at=bindparam("now"))
)
_WRITE: Final = Change(
    insert(Message),
    columns=("id conversation_id turn_id user_id seq author body extras external_hash created_at expires_at"),
)


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who is answered, where, and as part of which turn."""

    channel: str
    account_id: AccountId
    conversation_id: ConversationId
    turn_id: TurnId
    turn_seq: int
    user_id: UserId


class Outbox:
    """Puts messages of the assistant into `messages` and their sending into `deliveries`."""

    def __init__(self, *, privacy: Privacy, retention: Retention) -> None:
        self._privacy = privacy
        self._retention = retention

    def put(
        self,
        session: Session,
        to: Recipient,
        text: str,
        *,
        author: Author,
        now: datetime,
        rich: Rich = PLAIN,
        due_at: datetime | None = None,
        ordinal: int = 0,
    ) -> UUID:
        """Say `text` as the answer of the turn, in the caller's transaction. Returns the message's id.

        A draft of the turn that is already out becomes this answer: the ledger has one row a turn, so that a draft can
        never be left behind as a last word. For web and terminal the row itself is the delivery. `rich` is what the
        answer has besides its text; `due_at` puts the sending off. What is
        said besides the answer has an `ordinal` above 0 and comes behind it.
        """
        message_id = new_id()
        if rich.closing:
            text = f"{text}\n\n{rich.closing}".strip()
        is_pull = to.channel in PULL_CHANNELS
        sealer, file_ids = self._privacy.sealer, [AttachmentId(new_id()) for _ in rich.enclosed]
        _WRITE.put_off(
            session,
            id=message_id,
            conversation_id=to.conversation_id,
            turn_id=to.turn_id,
            user_id=to.user_id,
            seq=to.turn_seq,
            author=author.value,
            body=sealer.seal(to.user_id, Message.body, message_id, text),
            extras=seal_extras(sealer, to.user_id, message_id, extras_of(rich, file_ids)) if rich else None,
            # Where nothing is sent, an answer goes by its turn's id; messengers tell theirs when it is delivered.
            external_hash=message_hash(self._privacy, to.conversation_id, str(to.turn_id)) if is_pull else None,
            created_at=now,
            expires_at=self._until(session, to, DataClass.MESSAGE, now),
        )
        if file_ids:
            self._enclose(session, to, message_id, zip(file_ids, rich.enclosed, strict=True), now)
        self._deliver(session, to, message_id, now, is_pull=is_pull, due_at=due_at or now, ordinal=ordinal)
        return message_id

    def _enclose(
        self,
        session: Session,
        to: Recipient,
        message_id: UUID,
        files: Iterable[tuple[AttachmentId, Enclosed]],
        now: datetime,
    ) -> None:
        seal, user_id = self._privacy.sealer.seal, to.user_id
        until = self._until(session, to, DataClass.ATTACHMENT, now)
        rows = [
            {
                "id": file_id,
                "message_id": message_id,
                "account_id": to.account_id,
                "user_id": user_id,
                "state": "stored",
                "attempts": 0,
                "size": len(one.content),
                "name": seal(user_id, Attachment.name, file_id, one.name),
                "media_type": seal(user_id, Attachment.media_type, file_id, one.media_type),
                "reference": seal(user_id, Attachment.reference, file_id, ""),
                "content": seal(user_id, Attachment.content, file_id, one.content),
                "created_at": now,
                "expires_at": until,
            }
            for file_id, one in files
        ]
        session.execute(insert(Attachment), rows)

    def until(
        self, session: Session, data_class: DataClass, *, account_id: UUID, conversation_id: UUID, since: datetime
    ) -> datetime | None:
        """When a row of this conversation goes."""
        return self._retention.until(
            session, data_class, account_id=account_id, conversation_id=conversation_id, since=since
        )

    def _until(self, session: Session, to: Recipient, data_class: DataClass, now: datetime) -> datetime | None:
        return self.until(session, data_class, account_id=to.account_id, conversation_id=to.conversation_id, since=now)

    def _deliver(
        self,
        session: Session,
        to: Recipient,
        message_id: UUID,
        now: datetime,
        *,
        is_pull: bool,
        due_at: datetime,
        ordinal: int,
    ) -> None:
        if ordinal == 0 and due_at == now:
            _OVERTAKEN.put_off(session, conversation=to.conversation_id, now=now)
        _DELIVER.put_off(
            session,
            id=new_id(),
            conversation_id=to.conversation_id,
            account_id=to.account_id,
            turn_id=to.turn_id,
            user_id=to.user_id,
            turn_seq=to.turn_seq,
            ordinal=ordinal,
            part_count=0,
            part_index=0,
            draft_state="none",
            attempts=0,
            created_at=now,
            message_id=message_id,
            state=(DeliveryState.SENT if is_pull else DeliveryState.PENDING).value,
            due_at=due_at,
            sent_at=now if is_pull else None,
        )
