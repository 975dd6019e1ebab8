"""What an erasure means for work in flight: gateways are told to look, and find nothing left to send."""

from collections.abc import Collection, Sequence

from parlour.privacy.erasure import Work
from parlour.store.ids import AccountId, ConversationId, TurnId, UserId
from parlour.turns.ports import Frame, Live, LiveBus


class BusNotice:
    """Tells gateways of turns that were ended. Drafts on the bus need no deleting: their key is gone."""

    def __init__(self, bus: LiveBus) -> None:
        self._bus = bus

    def erased(self, users: Collection[UserId], work: Sequence[Work]) -> None:
        """Have senders look at these turns again."""
        for one in work:
            ids = AccountId(one.account_id), ConversationId(one.conversation_id), TurnId(one.turn_id)
            self._bus.publish(Live(Frame.READY, *ids))
