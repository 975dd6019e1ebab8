"""Saying something that no turn asked for: through the ledger like an answer, once, in its place in the talk."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from parlour.privacy.classes import DataClass
from parlour.privacy.errors import KeyShredded
from parlour.skills.rich import PLAIN, Rich
from parlour.store.changes import changed_rows
from parlour.store.ids import AccountId, ConversationId, TurnId, UserId, new_id
from parlour.store.models import Account, Conversation, Turn, User
from parlour.turns.outbox import Outbox, Recipient
from parlour.turns.ports import Frame, Live
from parlour.turns.states import ANNOUNCED, Author, TurnState


def thread_root(once: str) -> str:
    """The `once` of the announcement that opened the thread: `handoff:<id>:anything` belongs to `handoff:<id>:root`."""
    return f"{once.rpartition(':')[0]}:root"


@dataclass(frozen=True, slots=True)
class Announcement:
    """What is said. `once` is unique in the account for what must not be said twice; at most 128 characters."""

    text: str
    once: str
    author: Author = Author.ASSISTANT
    rich: Rich = PLAIN
    kind: str = ANNOUNCED


def announce(
    session: Session,
    outbox: Outbox,
    conversation_id: ConversationId,
    user_id: UserId,
    what: Announcement,
    *,
    now: datetime,
    due_at: datetime | None = None,
) -> Live | None:
    """Say it in the caller's transaction, sealed under that person's key; what to publish once that is committed.

    None: it was said before, or the person is erased. The turn that it stands in is a finished one: nothing waits for
    it, and it takes its place behind what was said so far.
    """
    conversation = session.get(Conversation, conversation_id)
    if conversation is None or _is_said(session, conversation, what):
        return None
    channel, language = session.execute(
        select(Account.channel, User.language)
        .join(User, User.workspace_id == Account.workspace_id)
        .where(Account.id == conversation.account_id, User.id == user_id)
    ).one()
    until = outbox.until(
        session, DataClass.OPERATIONAL, account_id=conversation.account_id, conversation_id=conversation_id, since=now
    )
    turn = _turn(session, conversation, user_id, what, language, now=now, until=until)
    if turn is None:
        return None
    to = Recipient(
        channel=channel,
        account_id=AccountId(conversation.account_id),
        conversation_id=conversation_id,
        turn_id=TurnId(turn.id),
        turn_seq=turn.seq,
        user_id=user_id,
    )
    try:
        outbox.put(session, to, what.text, author=what.author, now=now, rich=what.rich, due_at=due_at)
    except KeyShredded:
        session.delete(turn)
        return None
    return Live(Frame.READY, to.account_id, conversation_id, to.turn_id)


def _is_said(session: Session, conversation: Conversation, what: Announcement) -> bool:
    said = select(Turn.id).where(Turn.account_id == conversation.account_id, Turn.event_id == what.once)
    return session.scalar(said) is not None


def _turn(
    session: Session,
    conversation: Conversation,
    user_id: UserId,
    what: Announcement,
    language: str | None,
    *,
    now: datetime,
    until: datetime | None,
) -> Turn | None:
    """Its row, None where another process says the same at this moment."""
    seq = session.scalars(
        update(Conversation)
        .where(Conversation.id == conversation.id)
        .values(last_seq=Conversation.last_seq + 1)
        .returning(Conversation.last_seq)
        .execution_options(synchronize_session=False)
    ).one()
    turn_id = new_id()
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    row = dialect.insert(Turn).values(
        id=turn_id,
        conversation_id=conversation.id,
        account_id=conversation.account_id,
        user_id=user_id,
        event_id=what.once,
        seq=seq,
        kind=what.kind,
        state=TurnState.ANSWERED.value,
        attempts=0,
        is_stop_requested=False,
        prompt_tokens=0,
        completion_tokens=0,
        language=language,
        due_at=now,
        received_at=now,
        finished_at=now,
        expires_at=until,
    )
    made = changed_rows(session, row.on_conflict_do_nothing(index_elements=["account_id", "event_id"]))
    return session.get_one(Turn, turn_id) if made else None
