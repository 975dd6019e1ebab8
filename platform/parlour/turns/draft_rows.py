"""What the ledger knows of drafts: one that is out must become the answer, whoever sends that. Synchronous."""

from enum import Enum, auto
from uuid import UUID

from sqlalchemy import Select, delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from parlour.privacy.service import Privacy
from parlour.store.database import Database
from parlour.store.ids import AccountId, ConversationId, TurnId, UserId, new_id
from parlour.store.models import Conversation, Delivery, Turn
from parlour.turns.conversations import open_address
from parlour.turns.heads import is_delivery_waiting
from parlour.turns.message_keys import MessageKeys
from parlour.turns.shipments import DraftTarget
from parlour.turns.states import DeliveryState, DraftState, TurnState


class MayShow(Enum):
    """Whether a draft may be posted."""

    YES = auto()
    NOT_YET = auto()  # no worker has the turn now, or an answer before it in the conversation has still to be sent
    NEVER = auto()  # the answer is in the ledger already, or an earlier draft's fate is not known


class DraftRows:
    """The rows of `deliveries` while only a draft of them is out."""

    def __init__(self, *, database: Database, privacy: Privacy) -> None:
        self._database = database
        self._privacy = privacy
        self._keys = MessageKeys(privacy)

    def target(self, turn_id: TurnId) -> DraftTarget | None:
        """Where drafts of the turn go, None when it is not being answered any more."""
        with self._database.read() as session:
            found = session.execute(
                select(Turn, Conversation)
                .join(Conversation, Conversation.id == Turn.conversation_id)
                .where(Turn.id == turn_id, Turn.state == TurnState.RUNNING.value)
            ).one_or_none()
            if found is None:
                return None
            turn, conversation = found
            address = open_address(self._privacy, conversation)
            return DraftTarget(
                turn_id=turn_id,
                conversation_id=ConversationId(conversation.id),
                account_id=AccountId(conversation.account_id),
                user_id=UserId(turn.user_id),
                seq=turn.seq,
                address=address,
                lane=self._keys.lane(conversation.account_id, address),
                reply_to=self._keys.answered_by(session, turn_id),
            )

    def begin(self, target: DraftTarget) -> tuple[MayShow, str | None]:
        """Put the draft into the ledger before its first post. Returns whether it may be shown; its key if it is out.

        Nothing is put where it may not be shown.
        """
        now = self._database.clock.now()
        row = Delivery(
            id=new_id(),
            conversation_id=target.conversation_id,
            account_id=target.account_id,
            turn_id=target.turn_id,
            user_id=target.user_id,
            turn_seq=target.seq,
            ordinal=0,
            state=DeliveryState.DRAFTING.value,
            draft_state=DraftState.OPENING.value,
            due_at=now,
            created_at=now,
        )
        try:
            with self._database.begin() as session:
                if not _is_being_answered(session, target):
                    return MayShow.NOT_YET, None
                # The draft becomes the answer where it stands, and must stand after the answers before it.
                if session.scalar(select(is_delivery_waiting(target.conversation_id, before_seq=target.seq))):
                    return MayShow.NOT_YET, None
                session.add(row)
        except IntegrityError:
            return self._existing(target)
        return MayShow.YES, None

    def is_out(self, target: DraftTarget, key: str) -> None:
        """Remember the draft's id, also when the answer has come meanwhile; not when it was sent or settled without."""
        with self._database.begin() as session:
            row_id = session.scalar(_row_of(target))
            if row_id is not None:
                sealed = self._keys.seal(target.user_id, row_id, [key])
                session.execute(
                    update(Delivery)
                    .where(Delivery.id == row_id, Delivery.draft_state == DraftState.OPENING.value)
                    .values(draft_state=DraftState.OPEN.value, external_keys=sealed)
                )

    def is_not_out(self, target: DraftTarget) -> None:
        """The draft's first post certainly did not happen: as if it had never been tried."""
        with self._database.begin() as session:
            row_id = session.scalar(_row_of(target))
            session.execute(
                delete(Delivery).where(Delivery.id == row_id, Delivery.state == DeliveryState.DRAFTING.value)
            )
            session.execute(update(Delivery).where(Delivery.id == row_id).values(draft_state=DraftState.NONE.value))

    def _existing(self, target: DraftTarget) -> tuple[MayShow, str | None]:
        with self._database.read() as session:
            row = session.execute(
                select(Delivery.id, Delivery.external_keys, Delivery.state, Delivery.draft_state).where(
                    Delivery.turn_id == target.turn_id, Delivery.ordinal == 0
                )
            ).one_or_none()
        if row is None or row.state != DeliveryState.DRAFTING.value or row.draft_state != DraftState.OPEN.value:
            return MayShow.NEVER, None
        keys = self._keys.open(target.user_id, row.id, row.external_keys)
        return (MayShow.YES, keys[0]) if keys else (MayShow.NEVER, None)


def _is_being_answered(session: Session, target: DraftTarget) -> bool:
    """Whether a worker still has the turn; its conversation's row is held, so that none ends it until the commit."""
    conversation = select(Conversation.id).where(Conversation.id == target.conversation_id)
    session.execute(conversation.with_for_update(read=True))
    state = session.scalar(select(Turn.state).where(Turn.id == target.turn_id))
    return state == TurnState.RUNNING.value


def _row_of(target: DraftTarget) -> Select[UUID]:
    return select(Delivery.id).where(Delivery.turn_id == target.turn_id, Delivery.ordinal == 0)
