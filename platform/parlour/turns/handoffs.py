"""Handing a conversation over to a human: asked for, taken by one, talked through, ended. All of it in SQL."""

from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Final
from uuid import UUID

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from parlour.people.admit import Person
from parlour.people.states import Role, UserState
from parlour.privacy.classes import DataClass
from parlour.privacy.errors import PrivacyError
from parlour.privacy.retention import Retention
from parlour.privacy.service import Privacy
from parlour.sdk.replies import Button
from parlour.skills.rich import PLAIN, Rich
from parlour.store.changes import changed_rows
from parlour.store.ids import ConversationId, UserId, WorkspaceId, new_id
from parlour.store.models import Account, Conversation, Identity, Message
from parlour.store.outbound_models import Handoff
from parlour.turns.announce import Announcement, announce
from parlour.turns.conversations import Entrance
from parlour.turns.outbox import Outbox
from parlour.turns.ports import Address, Live
from parlour.turns.states import ANNOUNCED, IN_THREAD, Author, HandoffState
from parlour.turns.wording import say

PREFIX: Final = "handoff:"
CLAIM, DONE = "/claim", "/done"
# Enough for whoever takes over to know what it is about.
_RECENT: Final = 6
_LONGEST_QUOTE: Final = 300
_LONGEST_SUMMARY: Final = 2_000
# How long people waited lately says how long one will wait now.
_LATELY: Final = 20


class NobodyThere(Exception):
    """No place is set, or its bot is not there, where people could take a conversation over."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where people are who take over: a Slack channel, a Telegram group or a topic in one."""

    channel: str
    chat: str
    thread: str | None = None

    @classmethod
    def of(cls, setting: str) -> "Place | None":
        """The place that the setting names, None where it is empty."""
        channel, _, rest = setting.partition(":")
        chat, _, thread = rest.partition("/")
        return cls(channel, chat, thread or None) if chat else None

    @property
    def address(self) -> Address:
        """Where to post."""
        return Address(self.chat, self.thread, is_private=False)


@dataclass(frozen=True, slots=True)
class Queue:
    """Where a request stands: how many wait before, how long it took lately, whether somebody has it already."""

    before: int
    minutes: int | None
    agent: str | None = None
    live: tuple[Live, ...] = ()


class Handoffs:
    """All handoffs of an installation. Every method works inside the caller's transaction and returns what to publish
    once that is committed.
    """

    def __init__(self, *, privacy: Privacy, outbox: Outbox, place: Place | None, retention: Retention) -> None:
        self._privacy = privacy
        self._outbox = outbox
        self._retention = retention
        self.place = place

    def is_at_place(self, channel: str, address: Address) -> bool:
        """Whether something was said where those are who take over. Asks no database: it is asked for every event."""
        place = self.place
        if place is None or place.channel != channel or place.chat != address.chat:
            return False
        # A thread in Slack belongs to its channel; a topic in Telegram is a place of its own.
        return channel == "slack" or place.thread == address.thread

    # ---- asking -------------------------------------------------------------------------------------------------

    def request(
        self, session: Session, conversation: Conversation, user_id: UserId, summary: str, language: str, now: datetime
    ) -> Queue:
        """Ask for a human, or say where an earlier request stands. Raises `NobodyThere`."""
        standing = self.open_in(session, conversation)
        if standing is not None:
            return self._queue(session, standing)
        place = self._open_place(session, conversation, user_id, now)
        handoff = Handoff(
            id=new_id(),
            conversation_id=conversation.id,
            user_id=user_id,
            place_id=place,
            state=HandoffState.WAITING.value,
            language=language,
            created_at=now,
            expires_at=self._retention.until(
                session,
                DataClass.OPERATIONAL,
                account_id=conversation.account_id,
                conversation_id=conversation.id,
                since=now,
            ),
        )
        session.add(handoff)
        conversation.handoff_id = handoff.id
        session.flush()
        queue = self._queue(session, handoff)
        words = {
            "name": self.name_of(session, user_id),
            "summary": _quoted(summary[:_LONGEST_SUMMARY]),
            "before": queue.before,
        }
        buttons = (Button(say("handoff_take", language), CLAIM), Button(say("handoff_end", language), DONE))
        what = Announcement(
            say("handoff_request", language, **words),
            f"{PREFIX}{handoff.id.hex}:root",
            author=Author.NOTICE,
            rich=Rich(buttons=buttons),
        )
        said = announce(session, self._outbox, ConversationId(place), user_id, what, now=now)
        return Queue(queue.before, queue.minutes, live=(said,) if said else ())

    def open_in(self, session: Session, conversation: Conversation) -> Handoff | None:
        """The handoff that is open in the conversation. One whose row is gone, with its person, is over."""
        if conversation.handoff_id is None:
            return None
        handoff = session.get(Handoff, conversation.handoff_id)
        if handoff is None or handoff.state == HandoffState.ENDED.value:
            conversation.handoff_id = None
            return None
        return handoff

    def recent(self, session: Session, conversation: Conversation, user_id: UserId, now: datetime) -> str:
        """What was said last, for whoever takes over: by the person and to them.

        In a group nobody else is quoted: the words would be kept under this person's key, and outlive their author's.
        """
        rows = session.scalars(
            select(Message)
            .where(
                Message.conversation_id == conversation.id,
                Message.user_id == user_id,
                Message.seq > conversation.fresh_from_seq,
                Message.author != Author.NOTICE.value,
                or_(Message.expires_at.is_(None), Message.expires_at > now),
            )
            .order_by(Message.seq.desc(), Message.created_at.desc())
            .limit(_RECENT)
        ).all()
        lines = []
        for row in reversed(rows):
            try:
                text = self._privacy.sealer.open_text(UserId(row.user_id), Message.body, row.id, row.body)
            except PrivacyError:
                continue
            who = "🙂" if row.author == Author.USER.value else "🤖"
            lines.append(f"{who} {' '.join(text.split())[:_LONGEST_QUOTE]}")
        return "\n".join(lines)

    def _open_place(self, session: Session, conversation: Conversation, user_id: UserId, now: datetime) -> UUID:
        """The conversation where agents are. Raises `NobodyThere`."""
        if self.place is None:
            raise NobodyThere
        account = session.scalars(
            select(Account)
            .where(
                Account.workspace_id == conversation.workspace_id,
                Account.channel == self.place.channel,
                Account.state != "removed",
            )
            .order_by(Account.created_at)
            .limit(1)
        ).one_or_none()
        if account is None:
            raise NobodyThere
        person = Person(user_id, WorkspaceId(account.workspace_id), UserState.ACTIVE, Role.MEMBER, None, is_new=False)
        entrance = Entrance(session, self._privacy, account_id=account.id, address=self.place.address)
        return entrance.enter(person, now).id

    def _queue(self, session: Session, handoff: Handoff) -> Queue:
        if handoff.state == HandoffState.CLAIMED.value:
            return Queue(0, None, agent=self.agent_of(handoff))
        before = session.scalars(
            select(func.count()).where(
                Handoff.place_id == handoff.place_id,
                Handoff.state == HandoffState.WAITING.value,
                # Ids grow with time.
                Handoff.id < handoff.id,
            )
        ).one()
        lately = session.execute(
            select(Handoff.created_at, Handoff.claimed_at)
            .where(Handoff.place_id == handoff.place_id, Handoff.claimed_at.is_not(None))
            .order_by(Handoff.id.desc())
            .limit(_LATELY)
        ).all()
        waits = [(claimed - created).total_seconds() for created, claimed in lately if claimed]
        return Queue(before, max(1, round(median(waits) / 60)) if waits else None)

    # ---- taking and ending --------------------------------------------------------------------------------------

    def claim(
        self, session: Session, handoff: Handoff, agent_id: UserId, name: str, now: datetime
    ) -> list[Live] | None:
        """Let this human have it, if nobody has; None where somebody was quicker.

        One statement decides: of two who press at the same moment one changes the row.
        """
        sealed = self._privacy.sealer.seal(agent_id, Handoff.agent_name, handoff.id, name)
        taking = (
            update(Handoff)
            .where(Handoff.id == handoff.id, Handoff.state == HandoffState.WAITING.value)
            .values(state=HandoffState.CLAIMED.value, agent_id=agent_id, agent_name=sealed, claimed_at=now)
        )
        if not changed_rows(session, taking):
            return None
        session.refresh(handoff)
        button = Rich(buttons=(Button(say("handoff_end", handoff.language), DONE),))
        taken = say("handoff_claimed", handoff.language, name=name)
        here = say("handoff_here", handoff.language, name=name)
        return [
            *self.tell(session, handoff, here, "here", now, author=Author.NOTICE),
            *self.note(session, handoff, taken, "claimed", now, rich=button),
        ]

    def end(self, session: Session, handoff: Handoff, by: str, remark: str, now: datetime) -> list[Live]:
        """Give the conversation back to the assistant; `remark` goes into its context. Twice is once."""
        ending = (
            update(Handoff)
            .where(Handoff.id == handoff.id, Handoff.state != HandoffState.ENDED.value)
            .values(state=HandoffState.ENDED.value, ended_at=now)
        )
        if not changed_rows(session, ending):
            return []
        session.execute(
            update(Conversation)
            .where(Conversation.id == handoff.conversation_id, Conversation.handoff_id == handoff.id)
            .values(handoff_id=None)
        )
        live = self.tell(session, handoff, f"**{by}**: {remark}", "remark", now) if remark else []
        over = say("handoff_over", handoff.language)
        live += self.tell(session, handoff, over, "over", now, author=Author.NOTICE)
        return live + self.note(session, handoff, say("handoff_closed", handoff.language, name=by), "closed", now)

    # ---- passing on ---------------------------------------------------------------------------------------------

    def note(
        self, session: Session, handoff: Handoff, text: str, once: str, now: datetime, *, rich: Rich = PLAIN
    ) -> list[Live]:
        """Say something to the agents, in the request's thread."""
        what = Announcement(text, f"{PREFIX}{handoff.id.hex}:{once}", author=Author.NOTICE, rich=rich, kind=IN_THREAD)
        return self._announce(session, handoff, handoff.place_id, what, now)

    def tell(
        self,
        session: Session,
        handoff: Handoff,
        text: str,
        once: str,
        now: datetime,
        *,
        author: Author = Author.ASSISTANT,
    ) -> list[Live]:
        """Say something to the person. As the assistant's author it is part of the assistant's context later."""
        what = Announcement(text, f"{PREFIX}{handoff.id.hex}:p:{once}", author=author, kind=ANNOUNCED)
        return self._announce(session, handoff, handoff.conversation_id, what, now)

    def _announce(
        self, session: Session, handoff: Handoff, place: UUID, what: Announcement, now: datetime
    ) -> list[Live]:
        said = announce(session, self._outbox, ConversationId(place), UserId(handoff.user_id), what, now=now)
        return [said] if said else []

    # ---- names --------------------------------------------------------------------------------------------------

    def name_of(self, session: Session, user_id: UserId) -> str:
        """How the messenger calls the person."""
        row = session.scalars(
            select(Identity).where(Identity.user_id == user_id, Identity.name.is_not(None)).limit(1)
        ).first()
        if row is None or row.name is None:
            return "?"
        return plain(self._privacy.sealer.open_text(user_id, Identity.name, row.id, row.name))

    def agent_of(self, handoff: Handoff) -> str:
        """How the human who has it is called."""
        if handoff.agent_id is None or handoff.agent_name is None:
            return "?"
        try:
            sealer, agent = self._privacy.sealer, UserId(handoff.agent_id)
            return sealer.open_text(agent, Handoff.agent_name, handoff.id, handoff.agent_name)
        except PrivacyError:
            return "?"


def plain(name: str) -> str:
    """A name without what Markdown would read as markup."""
    return "".join(letter for letter in name if letter not in "*_`[]<>\\\n").strip()[:80] or "?"


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}" for line in text.splitlines()) or "> …"
