"""Taking events in: gated, sealed, ordered and committed before anybody acknowledges them.

What has come together is committed together. The database is asked about all of it in three round trips: who wrote;
what place it has in its conversation; and the rows, with the commit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import and_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from parlour.people.admit import Access, Person, admit, ask_who
from parlour.people.profile import Profiles
from parlour.people.quotas import Quotas
from parlour.people.states import UserState
from parlour.privacy.retention import Retention
from parlour.privacy.service import Privacy
from parlour.store.database import Database
from parlour.store.ids import AccountId, ConversationId, TurnId, WorkspaceId
from parlour.store.models import Account, Conversation, Turn
from parlour.store.outbound_models import Handoff
from parlour.turns import commands
from parlour.turns.agents import AgentDesk
from parlour.turns.amending import Amending
from parlour.turns.arrival import Admitted, Arrival, rounds, verdicts
from parlour.turns.command import Context
from parlour.turns.conversations import Entrance, hold
from parlour.turns.ending import merge
from parlour.turns.entry import BOT, Bot, Entry, EntryBook
from parlour.turns.gate import RateGate
from parlour.turns.handoffs import Handoffs, plain
from parlour.turns.metrics import Metrics
from parlour.turns.outbox import Outbox
from parlour.turns.ports import (
    Frame,
    Incoming,
    IncomingKind,
    Live,
    LiveBus,
    QueueUnavailable,
    Taken,
    TurnQueue,
    Verdict,
)
from parlour.turns.pressing import say_pressed
from parlour.turns.states import Author, Mode, TurnState
from parlour.turns.text import clean, detect_language
from parlour.turns.wording import say

log = structlog.get_logger(__name__)

_OPEN = Access("open")
# In one transaction: it holds up others in all of its conversations.
_TOGETHER = 20


@dataclass(frozen=True, slots=True)
class IntakeRules:
    """What is taken in and how much of it."""

    answers_all_in_groups: bool
    max_text_chars: int
    max_waiting: int
    max_attachment_bytes: int
    stale_after: timedelta
    default_mode: Mode
    remembers: bool = True


class TakeIn:
    """The `Intake` of this process."""

    def __init__(  # noqa: PLR0913 (each a part of its own; one place calls this)
        self,
        *,
        database: Database,
        privacy: Privacy,
        access: Access,
        rules: IntakeRules,
        outbox: Outbox,
        queue: TurnQueue,
        bus: LiveBus,
        retention: Retention,
        gate: RateGate,
        notice_gate: RateGate,
        metrics: Metrics,
        handoffs: Handoffs,
        profiles: Profiles,
        quotas: Quotas,
    ) -> None:
        self._database = database
        self._privacy = privacy
        self._access = access
        self._rules = rules
        self._outbox = outbox
        self._queue = queue
        self._bus = bus
        self._retention = retention
        self._book = EntryBook(privacy=privacy, retention=retention, max_attachment_bytes=rules.max_attachment_bytes)
        self._gate = gate
        self._notice_gate = notice_gate
        self._metrics = metrics
        self._handoffs = handoffs
        self._agents = AgentDesk(handoffs, privacy)
        self._amending = Amending(privacy, retention, outbox, max_text_chars=rules.max_text_chars)
        self._profiles = profiles
        self._quotas = quotas
        # An account stays in its workspace and channel; whether it is still there is asked each time.
        self._accounts: dict[AccountId, Bot] = {}

    def receive(self, incoming: Incoming) -> Taken:
        """Store the event and say what became of it; when this returns, it is committed and may be acknowledged."""
        (taken,) = self.receive_all([incoming])
        return taken

    def receive_all(self, events: Sequence[Incoming]) -> list[Taken]:
        """Store events that came together, in their order, and say what became of each.

        When this returns they are committed; when it raises, some of them may be.
        """
        arrivals = [Arrival(event, clean(event.text)) for event in events]
        for arrival in arrivals:
            if self._is_ignored(arrival.incoming, arrival.text):
                arrival.taken = Taken(Verdict.IGNORED)
        for together in rounds([one for one in arrivals if one.taken is None], at_most=_TOGETHER):
            self._commit(together)
            # Published after the commit: a worker must never look for a turn that is not there yet.
            for arrival in together:
                self._tell(arrival)
        for arrival, taken in zip(arrivals, verdicts(arrivals), strict=True):
            account = self._accounts.get(arrival.incoming.account_id)
            self._metrics.took_in(account.channel if account else "unknown", taken.verdict)
        return verdicts(arrivals)

    def _tell(self, arrival: Arrival) -> None:
        taken = arrival.taken
        if arrival.published is not None:
            self._publish(arrival.published)
        if taken and taken.verdict is Verdict.REPLIED and taken.conversation_id and taken.turn_id:
            arrival.live.append(Live(Frame.READY, arrival.incoming.account_id, taken.conversation_id, taken.turn_id))
        for one in arrival.live:
            self._bus.publish(one)

    def _is_ignored(self, incoming: Incoming, text: str) -> bool:
        if incoming.kind in (IncomingKind.FEEDBACK, IncomingKind.STOP, IncomingKind.PRESS):
            return False
        if not incoming.is_addressed and not self._rules.answers_all_in_groups:
            return True
        return not text and not incoming.attachments

    def _commit(self, together: Sequence[Arrival]) -> None:
        try:
            with self._database.begin() as session:
                self._take(session, together)
        except IntegrityError:
            for arrival in together:
                arrival.begin_anew()
            if len(together) == 1:
                # Either this very event was committed a moment ago (then it is a duplicate), or something is wrong.
                together[0].taken = self._known(together[0].incoming)
                if together[0].taken is None:
                    raise
                return
            # One of them; which, and what becomes of the others, shows when each is by itself.
            for arrival in together:
                self._commit([arrival])

    def _known(self, incoming: Incoming) -> Taken | None:
        with self._database.read() as session:
            found = session.execute(
                select(Turn.id, Turn.conversation_id).where(
                    Turn.account_id == incoming.account_id, Turn.event_id == incoming.event_id
                )
            ).one_or_none()
        return Taken(Verdict.DUPLICATE, TurnId(found[0]), ConversationId(found[1])) if found else None

    def _take(self, session: Session, together: Sequence[Arrival]) -> None:
        """Decide on each, step by step: what one step asks the database goes there for all of them at once."""
        now = self._database.clock.now()
        if len(together) > 1:
            hold(session, self._privacy, [arrival.incoming for arrival in together])
        for arrival in together:
            self._ask(session, arrival)
        admitted = [(arrival, self._admit(session, arrival, now)) for arrival in together]
        for arrival, one in admitted:
            if isinstance(one, Taken):
                arrival.taken = one
            else:
                entry = self._enter(session, one, now)
                entry.live = arrival.live
                arrival.taken, arrival.published = self._decide(entry)

    def _ask(self, session: Session, arrival: Arrival) -> None:
        """Who wrote to whom."""
        incoming = arrival.incoming
        arrival.account = BOT.ask(session, account=incoming.account_id)
        account = self._accounts.get(incoming.account_id) or arrival.account.first()
        if account is not None:
            self._accounts[incoming.account_id] = account
            workspace_id = WorkspaceId(account.workspace_id)
            sender = incoming.sender.external_id
            arrival.who = ask_who(session, self._privacy, workspace_id, account.channel, sender)

    def _admit(  # noqa: PLR0911 (each return is one reason to take nothing)
        self, session: Session, arrival: Arrival, now: datetime
    ) -> Taken | Admitted:
        incoming, text = arrival.incoming, arrival.text
        account = arrival.account.first() if arrival.account else None
        if account is None or arrival.who is None:
            return Taken(Verdict.REFUSED)
        # Whoever is where conversations are handed over to people was let in by who let them in there.
        is_agent = self._handoffs.is_at_place(account.channel, incoming.address)
        person = admit(
            session,
            self._privacy,
            _OPEN if is_agent else self._access,
            workspace_id=WorkspaceId(account.workspace_id),
            channel=account.channel,
            sender=incoming.sender,
            now=now,
            who=arrival.who,
        )
        if person is None or person.state not in (UserState.ACTIVE, UserState.PENDING):
            return Taken(Verdict.REFUSED)
        if not arrival.is_let_through(self._gate, person.user_id):
            return self._refuse_flood(session, arrival, account, person, now)
        heard = self._hear(session, account, incoming, text, person, now) if is_agent else None
        if heard is not None:
            arrival.live += heard
            return Taken(Verdict.REPLIED)
        if incoming.kind in (IncomingKind.FEEDBACK, IncomingKind.EDIT, IncomingKind.STOP):
            if person.state == UserState.PENDING:
                return Taken(Verdict.REFUSED)
            return self._amending.take(session, incoming, text, person, now)
        is_press = incoming.kind is IncomingKind.PRESS
        said = say_pressed(session, self._privacy, incoming) if is_press else incoming
        if said is None:
            return Taken(Verdict.IGNORED)
        return self._at_entrance(session, said, clean(said.text), account, person)

    def _at_entrance(self, session: Session, incoming: Incoming, text: str, account: Bot, person: Person) -> Admitted:
        entrance = Entrance(session, self._privacy, account_id=account.id, address=incoming.address)
        return Admitted(incoming, text, account, person, entrance)

    def _enter(self, session: Session, one: Admitted, now: datetime) -> Entry:
        conversation = one.entrance.enter(one.person, now)
        language = one.person.language or detect_language(one.text, hint=one.incoming.sender.language)
        return Entry(session, one.incoming, one.text, one.account, one.person, conversation, now, language, [])

    def _decide(self, entry: Entry) -> tuple[Taken, TurnId | None]:
        """Refuse with a word, run a command, or queue the turn."""
        refusal = self._refusal(entry)
        if refusal is not None:
            return self._refuse(entry, *refusal), None
        if entry.incoming.kind is IncomingKind.COMMAND:
            return self._command(entry)
        handoff = self._handoff(entry)
        if handoff is not None:
            return self._pass_on(entry, handoff), None
        over = self._over_quota(entry)
        if over is not None:
            return self._refuse(entry, *over), None
        self._book.add_turn(entry, TurnState.QUEUED)
        self._book.add_message(entry, entry.text)
        self._book.add_attachments(entry)
        return self._queued(entry)

    def _refuse(self, entry: Entry, key: str, values: dict[str, object]) -> Taken:
        self._book.add_turn(entry, TurnState.REFUSED, error=key)
        return self._reply(entry, say(key, entry.language, **values))

    def _refusal(self, entry: Entry) -> tuple[str, dict[str, object]] | None:
        rules, incoming = self._rules, entry.incoming
        if entry.person.state == UserState.PENDING and not _is_linking(entry):
            return "pairing", {"code": entry.person.pairing_code}
        if len(entry.text) > rules.max_text_chars:
            return "too_long", {"limit": rules.max_text_chars}
        if entry.now - incoming.sent_at > rules.stale_after:
            return "stale", {"age_days": (entry.now - incoming.sent_at).days}
        if entry.conversation.waiting >= rules.max_waiting and incoming.kind is not IncomingKind.COMMAND:
            return "too_many_waiting", {"limit": rules.max_waiting}
        return None

    def _over_quota(self, entry: Entry) -> tuple[str, dict[str, object]] | None:
        """Count the turn against the day's quotas; what to say where one is used up."""
        person, now = entry.person, entry.now
        exceeded = self._quotas.take(entry.session, user_id=person.user_id, workspace_id=person.workspace_id, now=now)
        if exceeded is None:
            return None
        hours, minutes = divmod(-(-(exceeded.resets_at - now).total_seconds() // 60), 60)
        values = {"limit": exceeded.limit, "at": f"{exceeded.resets_at:%H:%M}"}
        return f"quota_{exceeded.scope}_{exceeded.unit}", {**values, "hours": int(hours), "minutes": int(minutes)}

    def _refuse_flood(self, session: Session, arrival: Arrival, account: Bot, person: Person, now: datetime) -> Taken:
        """Say once a minute that messages are being left out; store nothing of the others."""
        if not arrival.is_let_through(self._notice_gate, person.user_id):
            return Taken(Verdict.REFUSED)
        said = self._at_entrance(session, arrival.incoming, arrival.text, account, person)
        entry = self._enter(session, said, now)
        self._book.add_turn(entry, TurnState.REFUSED, error="too_fast")
        return self._reply(entry, say("too_fast", entry.language))

    def _hear(
        self, session: Session, account: Bot, incoming: Incoming, text: str, person: Person, now: datetime
    ) -> list[Live] | None:
        return self._agents.hear(session, session.get_one(Account, account.id), incoming, text, person, now)

    def _handoff(self, entry: Entry) -> Handoff | None:
        """The handoff that is open there. A plain turn is spared the question: the row at hand says so."""
        if entry.conversation.handoff_id is None:
            return None
        return self._handoffs.open_in(entry.session, _conversation(entry))

    def _queued(self, entry: Entry) -> tuple[Taken, TurnId | None]:
        mode = Mode(entry.conversation.mode) if entry.conversation.mode else self._rules.default_mode
        if mode is Mode.INTERRUPT and entry.conversation.waiting:
            self._interrupt(entry)
        taken = Taken(Verdict.ACCEPTED, entry.turn_id, entry.conversation_id)
        # Only the first open turn is published; whoever finishes a turn publishes the next one.
        return taken, (entry.turn_id if entry.conversation.waiting == 0 else None)

    def _interrupt(self, entry: Entry) -> None:
        """Stop the running turn; what waits behind it is answered together with this one."""
        session, conversation = entry.session, entry.conversation
        before = Turn.seq < conversation.last_seq
        running = (Turn.conversation_id == conversation.id, before, Turn.state == TurnState.RUNNING.value)
        session.execute(update(Turn).where(*running).values(is_stop_requested=True))
        waiting = and_(before, Turn.state == TurnState.QUEUED.value)
        merge(session, self._outbox, waiting, conversation_id=conversation.id, into=entry.turn_id, now=entry.now)

    def _pass_on(self, entry: Entry, handoff: Handoff) -> Taken:
        """To the human who has the conversation, or will; the assistant is silent."""
        self._book.add_turn(entry, TurnState.ANSWERED, kind="handoff")
        self._book.add_message(entry, entry.text)
        self._book.add_attachments(entry)
        name = self._handoffs.name_of(entry.session, entry.person.user_id)
        files = [f"[{plain(file.name)}]" for file in entry.incoming.attachments]
        words = " ".join([entry.text, *files]).strip()
        entry.live += self._handoffs.note(entry.session, handoff, f"**{name}**: {words}", entry.turn_id.hex, entry.now)
        return Taken(Verdict.ACCEPTED, entry.turn_id, entry.conversation_id)

    def _command(self, entry: Entry) -> tuple[Taken, TurnId | None]:
        self._book.add_turn(entry, TurnState.ANSWERED, kind="command")
        turn, conversation = entry.session.get_one(Turn, entry.turn_id), _conversation(entry)
        order = commands.run(
            Context(
                session=entry.session,
                privacy=self._privacy,
                conversation=conversation,
                turn=turn,
                person=entry.person,
                language=entry.language,
                now=entry.now,
                keep_days=self._retention.days(
                    entry.session, account_id=entry.account.id, conversation_id=entry.conversation.id
                ),
                handoffs=self._handoffs,
                outbox=self._outbox,
                profiles=self._profiles,
                remembers=self._rules.remembers,
            ),
            entry.text,
        )
        entry.live += order.live
        over = self._over_quota(entry) if order.asks_again is not None else None
        if over is not None:
            key, values = over
            turn.state, turn.error = TurnState.REFUSED.value, key
            return self._reply(entry, say(key, entry.language, **values)), None
        if order.asks_again is not None:
            turn.state, turn.kind, turn.finished_at = TurnState.QUEUED.value, "retry", None
            self._book.add_message(entry, order.asks_again)
            return self._queued(entry)
        if order.reply is None:
            return Taken(Verdict.REPLIED, entry.turn_id, entry.conversation_id), None
        return self._reply(entry, order.reply), None

    def _reply(self, entry: Entry, text: str) -> Taken:
        self._outbox.put(entry.session, entry.recipient, text, author=Author.NOTICE, now=entry.now)
        return Taken(Verdict.REPLIED, entry.turn_id, entry.conversation_id)

    def _publish(self, turn_id: TurnId) -> None:
        try:
            self._queue.publish(turn_id)
        except QueueUnavailable:
            # Not lost: the turn is in SQL, and the sweeper publishes it as soon as the broker is back.
            log.warning("turn_not_published", turn_id=str(turn_id))


def _is_linking(entry: Entry) -> bool:
    """Whether a stranger types the code of a person who is known: that needs no one else's approval."""
    name, _, code = entry.text.partition(" ")
    return entry.incoming.kind is IncomingKind.COMMAND and name.lower() == "link" and bool(code.strip())


def _conversation(entry: Entry) -> Conversation:
    """Its row as it stands now, whatever was read of it before."""
    return entry.session.get_one(Conversation, entry.conversation.id, populate_existing=True)
