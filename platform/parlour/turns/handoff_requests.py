"""Skills that ask for a human: `Handoff`, on the host's side. Synchronous."""

from sqlalchemy import select

from parlour.sdk.errors import NotAvailable
from parlour.skills.desk import Whose
from parlour.store.database import Database
from parlour.store.models import Conversation, Turn
from parlour.turns.handoffs import Handoffs, NobodyThere
from parlour.turns.ports import LiveBus


class HandoffRequests:
    """See `skills.desk.HandoffPort`."""

    def __init__(self, *, database: Database, handoffs: Handoffs, bus: LiveBus) -> None:
        self._database = database
        self._handoffs = handoffs
        self._bus = bus

    def request(self, whose: Whose, summary: str) -> int:
        """Ask for a human for the run's conversation; how many wait before. Raises `NotAvailable`."""
        if whose.conversation_id is None or whose.user_id is None:
            raise NotAvailable("A job has no conversation that could be handed over.")
        now = self._database.clock.now()
        with self._database.begin() as session:
            conversation = session.get_one(Conversation, whose.conversation_id, with_for_update=True)
            language = session.scalars(
                select(Turn.language).where(Turn.conversation_id == conversation.id).order_by(Turn.seq.desc()).limit(1)
            ).first()
            try:
                queue = self._handoffs.request(session, conversation, whose.user_id, summary, language or "en", now)
            except NobodyThere:
                raise NotAvailable("Nobody is set up to take over. An operator names a place: handoff.place") from None
        for live in queue.live:
            self._bus.publish(live)
        return queue.before
