"""The values that pass between the ledger and whoever posts: what to send, what became of it, where drafts go."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from parlour.store.ids import AccountId, ConversationId, DeliveryId, TurnId, UserId
from parlour.turns.budget import Lane
from parlour.turns.ports import Address
from parlour.turns.said import Enclosure
from parlour.turns.states import DeliveryState


@dataclass(frozen=True, slots=True)
class Shipment:
    """One part of one delivery, taken for sending by this process."""

    delivery_id: DeliveryId
    turn_id: TurnId
    conversation_id: ConversationId
    user_id: UserId
    message_id: UUID
    address: Address
    lane: Lane
    text: str
    index: int
    count: int
    attempts: int
    must_settle: bool
    keys: tuple[str, ...]
    has_draft: bool
    reply_to: str | None
    language: str
    is_answer: bool
    created_at: datetime
    enclosure: Enclosure | None = None
    # Labels, for the part that they stand under.
    buttons: tuple[str, ...] = ()
    # Whether this is the part by whose id in the messenger the answer is found again: where the buttons are.
    is_handle: bool = False
    # The message of ours in whose thread it belongs.
    under: str | None = None

    @property
    def draft_key(self) -> str | None:
        """The messenger's id of the draft that the first part replaces."""
        return self.keys[0] if self.has_draft and self.index == 0 and self.keys else None

    @property
    def state_for_later(self) -> DeliveryState:
        """Where a try that did nothing leaves the row: what was unknown before is unknown still."""
        return DeliveryState.UNKNOWN if self.must_settle else DeliveryState.PENDING


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a shipment: the row's next state, and when it is due again."""

    shipment: Shipment
    state: DeliveryState
    delay_s: float = 0.0
    external_key: str | None = None
    error: str | None = None
    counts: bool = True
    holds_up_chat: bool = False
    drops_draft: bool = False


@dataclass(frozen=True, slots=True)
class DraftTarget:
    """Where the drafts of a turn go."""

    turn_id: TurnId
    conversation_id: ConversationId
    account_id: AccountId
    user_id: UserId
    seq: int
    address: Address
    lane: Lane
    reply_to: str | None


def with_draft(shipment: Shipment, key: str | None) -> Shipment:
    """The shipment, knowing of a draft that this process put out after the row was read."""
    if key is None or shipment.index > 0:
        return shipment
    return replace(shipment, keys=(key,), has_draft=True, must_settle=False)
