"""What is said where humans take conversations over: claims, answers that go to the person, and the end of it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from parlour.people.admit import Person
from parlour.privacy.service import Privacy
from parlour.store.ids import UserId
from parlour.store.models import Account, Conversation, Message, Turn
from parlour.store.outbound_models import Handoff
from parlour.turns.conversations import address_hash, message_hash
from parlour.turns.extras import open_extras
from parlour.turns.handoffs import CLAIM, DONE, PREFIX, Handoffs, plain
from parlour.turns.ports import Incoming, IncomingKind, Live
from parlour.turns.states import HandoffState
from parlour.turns.wording import say


class AgentDesk:
    """Reads events of the agents' place."""

    def __init__(self, handoffs: Handoffs, privacy: Privacy) -> None:
        self._handoffs = handoffs
        self._privacy = privacy

    def hear(
        self, session: Session, account: Account, incoming: Incoming, text: str, person: Person, now: datetime
    ) -> list[Live] | None:
        """What to publish after the commit; None for an event that is about no handoff."""
        if not self._handoffs.is_at_place(account.channel, incoming.address):
            return None
        deed = self._deed(session, account, incoming, text)
        if deed is None:
            return None
        order, words = deed
        handoff = self._meant(session, account, incoming, person, order)
        if handoff is None:
            return None
        # The person's conversation first, then the agents' place: whoever locks both does so in this order.
        session.get(Conversation, handoff.conversation_id, with_for_update=True, populate_existing=True)
        session.refresh(handoff)
        name = plain(incoming.sender.name)
        # Long enough that two events never share it, short enough for the column whatever the messenger's ids are.
        once = self._privacy.lookup.hash("agent-event", str(account.id), incoming.event_id).hex()[:32]
        if handoff.state == HandoffState.ENDED.value:
            # Its own end comes here too, when it is told twice.
            return [] if order == DONE else self._say(session, handoff, "handoff_is_over", once, now)
        if order == DONE:
            return self._handoffs.end(session, handoff, name, words, now)
        return self._talk(session, handoff, person, name, words, once, now, incoming=incoming, is_claim=order == CLAIM)

    def _talk(  # noqa: PLR0913 (who said what to whom)
        self,
        session: Session,
        handoff: Handoff,
        person: Person,
        name: str,
        words: str,
        once: str,
        now: datetime,
        *,
        incoming: Incoming,
        is_claim: bool,
    ) -> list[Live]:
        """The first to press or to reply has it; what they write goes to the person, what others write does not."""
        claimed = self._handoffs.claim(session, handoff, person.user_id, name, now)
        live = claimed or []
        if claimed is None and handoff.agent_id != person.user_id:
            holder = self._handoffs.agent_of(handoff)
            return self._say(session, handoff, "handoff_taken", once, now, name=holder)
        if words and not is_claim:
            live += self._handoffs.tell(session, handoff, f"**{name}**: {words}", once, now)
        if incoming.attachments:
            live += self._say(session, handoff, "handoff_files_stay", f"{once}f", now)
        return live

    def _say(
        self, session: Session, handoff: Handoff, key: str, once: str, now: datetime, **values: object
    ) -> list[Live]:
        return self._handoffs.note(session, handoff, say(key, handoff.language, **values), once, now)

    def _deed(self, session: Session, account: Account, incoming: Incoming, text: str) -> tuple[str, str] | None:
        """What is asked for, `/claim`, `/done` or to say something, and the words to it; None for what is neither."""
        match incoming.kind:
            case IncomingKind.MESSAGE:
                return "", text
            case IncomingKind.COMMAND:
                name, _, rest = text.partition(" ")
                return (f"/{name.lower()}", rest.strip()) if f"/{name.lower()}" in {CLAIM, DONE} else None
            case IncomingKind.PRESS:
                pressed = self._pressed(session, account, incoming)
                return None if pressed is None else (pressed, "")
        return None

    def _pressed(self, session: Session, account: Account, incoming: Incoming) -> str | None:
        message = self._message(session, account, incoming.message_key)
        if message is None or not incoming.text.isdecimal():
            return None
        extras = open_extras(self._privacy.sealer, UserId(message.user_id), message.id, message.extras)
        number = int(incoming.text)
        says = extras.buttons[number].says if number < len(extras.buttons) else ""
        return says if says in {CLAIM, DONE} else None

    def _meant(
        self, session: Session, account: Account, incoming: Incoming, person: Person, order: str
    ) -> Handoff | None:
        """The handoff that the event is about: by the message pressed or answered, by the thread it stands in."""
        is_press = incoming.kind is IncomingKind.PRESS
        thread = incoming.address.thread if account.channel == "slack" else None
        message = self._message(session, account, incoming.message_key if is_press else incoming.reply_to or thread)
        if message is not None:
            once = session.scalars(select(Turn.event_id).where(Turn.id == message.turn_id)).one()
            return session.get(Handoff, UUID(once.split(":")[1])) if once.startswith(PREFIX) else None
        return self._only_one(session, person) if order == DONE else None

    def _only_one(self, session: Session, person: Person) -> Handoff | None:
        """The one that this agent has, if it is one: `/done` without a reply can mean no other."""
        mine = session.scalars(
            select(Handoff)
            .where(Handoff.agent_id == person.user_id, Handoff.state == HandoffState.CLAIMED.value)
            .limit(2)
        ).all()
        return mine[0] if len(mine) == 1 else None

    def _message(self, session: Session, account: Account, key: str | None) -> Message | None:
        """The message of ours at the place that has this id in the messenger."""
        place = self._handoffs.place
        if key is None or place is None:
            return None
        found = session.scalars(
            select(Conversation.id).where(
                Conversation.account_id == account.id,
                Conversation.lookup_hash == address_hash(self._privacy, account.id, place.address),
            )
        ).one_or_none()
        if found is None:
            return None
        return session.scalars(
            select(Message).where(
                Message.conversation_id == found, Message.external_hash == message_hash(self._privacy, found, key)
            )
        ).one_or_none()
