"""Keeping data for its time and no longer: rules are set, rows are dated by them, and what is past its date goes."""

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from threading import Lock
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, bindparam, delete, exists, func, null, or_, select, update
from sqlalchemy.orm import Session, aliased

from parlour.privacy.audit import Deed, record
from parlour.privacy.classes import KEPT, DataClass, Kept, kept
from parlour.privacy.holds import held
from parlour.privacy.persons import SubjectUnknown
from parlour.privacy.rules import Policy, Rule, Scope, check_scope
from parlour.privacy.service import Privacy
from parlour.privacy.withdrawing import is_in_use
from parlour.store.changes import changed_rows
from parlour.store.database import Database
from parlour.store.ids import WorkspaceId, new_id
from parlour.store.models import Account, Conversation, Feedback, Message, Turn, User
from parlour.store.privacy_models import RetentionChange, RetentionRule

# A rule set in one process is known in the others after so long at the latest.
NOTICED_AFTER_S: Final = 5.0
# Until then rows may still be written with a date by the old rule: they are dated once more after this.
_SETTLED_AFTER: Final = timedelta(seconds=60)
# Small, with a rest behind each: what answers people meanwhile gets its turn (docs/benchmarks.md has the figures).
# Nobody waits for a purge, so what a fast machine has to spare goes into rest and not into speed.
_BATCH: Final = 1_000
_REST: Final = 0.25
_ROWS_PER_S: Final = 25_000
_REDATE_BATCH: Final = 1_000
# A turn whose messages are still there (under a hold, say), and a person who must stay, is looked at again after this.
POSTPONED: Final = timedelta(days=1)
_DEFAULTS: Final = {
    DataClass.SKILL_DOCUMENT: timedelta(days=365),
    DataClass.FEEDBACK: timedelta(days=365),
    DataClass.OPERATIONAL: timedelta(days=365),
    DataClass.IDENTITY: None,
}
_ACCOUNTS: Final = select(Account.id, Account.workspace_id, Account.channel)


def defaults(keep_messages: timedelta, keep_profiles: timedelta) -> dict[DataClass, timedelta | None]:
    """What holds where no rule is set."""
    said = {DataClass.MESSAGE: keep_messages, DataClass.ATTACHMENT: keep_messages}
    return {**_DEFAULTS, **said, DataClass.PROFILE: keep_profiles}


class Retention:
    """The dates that new rows get. Safe to use from many threads; knows the rules by heart for a few seconds."""

    def __init__(
        self, *, keep_messages: timedelta, keep_profiles: timedelta, elapsed: Callable[[], float] = time.monotonic
    ) -> None:
        self.defaults = defaults(keep_messages, keep_profiles)
        self._elapsed = elapsed
        self._lock = Lock()
        self._known: tuple[float, Policy, dict[UUID, tuple[UUID, str]]] | None = None

    def until(
        self, session: Session, data_class: DataClass, *, account_id: UUID, conversation_id: UUID, since: datetime
    ) -> datetime | None:
        """When a row of this conversation goes."""
        policy, accounts = self._current(session, account_id)
        workspace_id, channel = accounts[account_id]
        return policy.until(data_class, since, workspace_id, channel=channel, conversation_id=conversation_id)

    def until_of_person(
        self, session: Session, data_class: DataClass, workspace_id: UUID, since: datetime
    ) -> datetime | None:
        """When a row goes that belongs to a person and to no conversation."""
        return self._current(session, None)[0].until(data_class, since, workspace_id)

    def days(self, session: Session, *, account_id: UUID, conversation_id: UUID) -> int | None:
        """How many days messages of this conversation are kept, None: until somebody deletes them."""
        policy, accounts = self._current(session, account_id)
        workspace_id, channel = accounts[account_id]
        keep = policy.keep(DataClass.MESSAGE, workspace_id, channel=channel, conversation_id=conversation_id)
        return None if keep is None else keep.days

    def _current(self, session: Session, account_id: UUID | None) -> tuple[Policy, dict[UUID, tuple[UUID, str]]]:
        with self._lock:
            known, now = self._known, self._elapsed()
            if known is None or now - known[0] >= NOTICED_AFTER_S or (account_id and account_id not in known[2]):
                accounts = {row[0]: (row[1], row[2]) for row in session.execute(_ACCOUNTS)}
                known = self._known = (now, read_policy(session, self.defaults), accounts)
            return known[1], known[2]


def read_policy(session: Session, otherwise: dict[DataClass, timedelta | None]) -> Policy:
    """All rules that are set."""
    rows = session.scalars(select(RetentionRule).order_by(RetentionRule.id)).all()
    return Policy([_rule(row) for row in rows], otherwise)


def set_rule(database: Database, privacy: Privacy, rule: Rule, *, actor: str, reason: str | None = None) -> None:
    """Set a rule, or set it anew, and have the rows it covers dated by it.

    Raises `RuleRefused` and `SubjectUnknown`. The rows get their dates by `redate`, at once or by the scheduler.
    """
    check_scope(rule.data_class, rule.scope)
    now = database.clock.now()
    with database.begin() as session:
        check_place(session, rule.workspace_id, rule.scope)
        session.execute(delete(RetentionRule).where(*_same(rule.workspace_id, rule.scope, rule.data_class)))
        session.add(
            RetentionRule(
                id=new_id(),
                workspace_id=rule.workspace_id,
                scope=rule.scope.word,
                conversation_id=rule.scope.conversation_id,
                data_class=rule.data_class.value,
                keep_days=None if rule.keep is None else rule.keep.days,
                created_at=now,
            )
        )
        _changed(session, rule.workspace_id, rule.scope, rule.data_class, now)
        days = "forever" if rule.keep is None else f"{rule.keep.days}d"
        action = f"retention.set {rule.data_class} {days}"
        deed = Deed(actor, action, _subject(rule.workspace_id, rule.scope), WorkspaceId(rule.workspace_id), reason)
        record(session, privacy, deed, now=now)


def first_rules(session: Session, workspace_id: UUID, keep: timedelta, *, now: datetime) -> None:
    """Set the rules of a new workspace, in the caller's transaction: messages and files are kept so long."""
    session.add_all(
        RetentionRule(
            id=new_id(),
            workspace_id=workspace_id,
            scope=Scope().word,
            data_class=data_class.value,
            keep_days=keep.days,
            created_at=now,
        )
        for data_class in (DataClass.MESSAGE, DataClass.ATTACHMENT)
    )


def date_undated(database: Database, retention: Retention) -> int:
    """Give a date to what was written without one although a rule is set: people and profiles. Returns how many."""
    with database.read() as session:
        rules = read_policy(session, retention.defaults).rules
        undated = [
            rule
            for rule in rules
            if rule.data_class in {DataClass.PROFILE, DataClass.IDENTITY} and rule.keep is not None
            for one in kept(rule.data_class)
            if session.execute(
                select(one.table.id).where(one.table.expires_at.is_(None), one.workspace == rule.workspace_id).limit(1)
            ).first()
        ]
    for rule in undated:
        with database.begin() as session:
            _changed(session, rule.workspace_id, rule.scope, rule.data_class, database.clock.now())
    return redate(database, retention) if undated else 0


def clear_rule(
    database: Database,
    privacy: Privacy,
    workspace_id: UUID,
    scope: Scope,
    data_class: DataClass,
    *,
    actor: str,
    reason: str | None = None,
) -> bool:
    """Take a rule away, so that the next wider one counts; whether there was one."""
    now = database.clock.now()
    with database.begin() as session:
        gone = changed_rows(session, delete(RetentionRule).where(*_same(workspace_id, scope, data_class)))
        if gone:
            _changed(session, workspace_id, scope, data_class, now)
            action = f"retention.clear {data_class}"
            deed = Deed(actor, action, _subject(workspace_id, scope), WorkspaceId(workspace_id), reason)
            record(session, privacy, deed, now=now)
    return bool(gone)


def redate(
    database: Database,
    retention: Retention,
    *,
    step: Callable[[int], object] = lambda _: None,
    batch: int = _REDATE_BATCH,
) -> int:
    """Give rows the dates of the rules as they stand now, for every change not settled; return how many rows.

    In batches of `batch` rows, a transaction each. A change is settled once a minute has passed since it was made:
    until then other processes may write rows by the old rule. Safe to break off and to run twice.
    """
    begun = database.clock.now()
    with database.read() as session:
        changes = session.scalars(select(RetentionChange).order_by(RetentionChange.id)).all()
    done = 0
    for change in changes:
        for one in affected(DataClass(change.data_class), Scope.of(change.scope)):
            done += _redate(database, retention, one, change, batch=batch, step=step)
        if change.changed_at + _SETTLED_AFTER <= begun:
            with database.begin() as session:
                session.execute(delete(RetentionChange).where(RetentionChange.id == change.id))
    return done


def purge_expired(
    database: Database,
    *,
    now: datetime,
    batch: int = _BATCH,
    rows_per_s: float = _ROWS_PER_S,
    rest: Callable[[float], object] = time.sleep,
) -> dict[str, int]:
    """Delete what is past its date and return how many rows of each table went; what is under a hold stays.

    Works in batches of about `batch` rows, each a transaction of its own, along the index on expiry: its cost follows
    what expires, not what is stored. Between two batches it lets `rest` pass a quarter of the time, in seconds, that
    the first of them took, or more where that would still make over `rows_per_s`. People who were not heard of for
    their time are for `silence.erase_silent`.
    """

    def rest_after(took: float) -> None:
        rest(max(took * _REST, batch / rows_per_s - took))

    gone = {}
    for one in KEPT:
        if one.table is not User:
            count = _purge(database, one, now=now, batch=batch, rest_after=rest_after)
            if count:
                gone[one.table.__tablename__] = count
    return gone


def _purge(database: Database, one: Kept, *, now: datetime, batch: int, rest_after: Callable[[float], None]) -> int:
    gone, table = 0, one.table
    after: datetime | None = None
    while True:
        began = time.monotonic()
        with database.begin() as session:
            window = [table.expires_at <= now] + ([table.expires_at > after] if after is not None else [])
            last = session.scalars(_nth(table.expires_at, window, batch)).first()
            upto = [*window] if last is None else [*window, table.expires_at <= last]
            holds = held(session)
            free = [holds.lets_go(one)] if holds else []
            going = _going(one, [*upto, *free])
            if table is Turn:
                _note_last_heard(session, going)
            gone += changed_rows(session, delete(table).where(*going).execution_options(synchronize_session=False))
            if table is Turn:
                session.execute(
                    update(Turn)
                    .where(*upto)
                    .values(expires_at=now + POSTPONED)
                    .execution_options(synchronize_session=False)
                )
        if last is None:
            return gone
        after = last
        rest_after(time.monotonic() - began)


def _nth(column: Any, window: list[ColumnElement[bool]], batch: int) -> Select[Any]:  # noqa: ANN401 (a column)
    """The date of the last row of a batch; none when fewer are left. Read from the index alone."""
    return select(column).where(*window).order_by(column).offset(batch - 1).limit(1)


def _going(one: Kept, conditions: list[ColumnElement[bool]]) -> list[ColumnElement[bool]]:
    if one.table is not Turn:
        return conditions
    # What hangs on a turn goes with it; so it waits for its messages, and for what others said of it.
    return [
        *conditions,
        ~exists().where(Message.turn_id == Turn.id),
        ~exists().where(Feedback.turn_id == Turn.id),
    ]


def _note_last_heard(session: Session, going: list[ColumnElement[bool]]) -> None:
    """Keep the time of the turns that go, for people of whom nothing newer tells when they were last heard of.

    Written here, once a silence, so that nothing is written per message.
    """
    at = func.max(Turn.received_at).label("at")
    newest = select(Turn.user_id, at).where(*going).group_by(Turn.user_id).subquery()
    newer = aliased(Turn)
    session.execute(
        update(User)
        .where(
            User.id == newest.c.user_id,
            or_(User.heard_at.is_(None), User.heard_at < newest.c.at),
            ~exists().where(newer.user_id == newest.c.user_id, newer.received_at > newest.c.at),
        )
        .values(heard_at=newest.c.at)
        .execution_options(synchronize_session=False)
    )


def affected(data_class: DataClass, scope: Scope) -> list[Kept]:
    """The tables whose dates hang on rules of the class there: a turn's on its messages' too."""
    found = [one for one in kept(data_class) if scope == Scope() or one.conversation is not None]
    if data_class is DataClass.MESSAGE:
        found += [one for one in kept(DataClass.OPERATIONAL) if one.conversation is not None]
    return found


def _redate(
    database: Database,
    retention: Retention,
    one: Kept,
    change: RetentionChange,
    *,
    batch: int,
    step: Callable[[int], object],
) -> int:
    done, table, scope = 0, one.table, Scope.of(change.scope)
    after: UUID | None = None
    set_date = (
        update(table.__table__).where(table.__table__.c.id == bindparam("row")).values(expires_at=bindparam("new"))
    )
    while True:
        with database.begin() as session:
            policy = read_policy(session, retention.defaults)
            rows = session.execute(_to_date(one, change.workspace_id, scope, after).limit(batch)).all()
            dated = []
            for row_id, since, old, conversation_id, channel in rows:
                new = _date(policy, one, change.workspace_id, since, conversation_id, channel)
                if new != old:
                    dated.append({"row": row_id, "new": new})
            if dated:
                session.connection().execute(set_date, dated)
        done += len(dated)
        step(len(rows))
        if len(rows) < batch:
            return done
        after = rows[-1][0]


def _date(
    policy: Policy, one: Kept, workspace_id: UUID, since: datetime, conversation_id: UUID | None, channel: str | None
) -> datetime | None:
    """When the row goes by the rules as they stand."""
    where: dict[str, Any] = {"channel": channel, "conversation_id": conversation_id}
    if one.is_ended_by_people and policy.rule_for(one.data_class, workspace_id, **where) is None:
        return None
    return policy.until(one.data_class, since, workspace_id, **where)


def _to_date(one: Kept, workspace_id: UUID, scope: Scope, after: UUID | None) -> Select[Any]:
    """Rows that the scope covers, by id: id, time, date, conversation and channel."""
    table = one.table
    conversation = one.conversation if one.conversation is not None else null()
    channel = one.channel if one.channel is not None else null()
    wanted = select(table.id, one.since, table.expires_at, conversation, channel).order_by(table.id)
    wanted = wanted.where(one.workspace == workspace_id, is_in_use(table.expires_at))
    if scope.conversation_id is not None:
        wanted = wanted.where(conversation == scope.conversation_id)
    elif scope.channel is not None:
        wanted = wanted.where(channel == scope.channel)
    return wanted if after is None else wanted.where(table.id > after)


def check_place(session: Session, workspace_id: UUID, scope: Scope) -> None:
    """Raises `SubjectUnknown` for a conversation that the workspace does not have, or a channel without a bot."""
    if scope.conversation_id is not None:
        conversation = session.get(Conversation, scope.conversation_id)
        if conversation is None or conversation.workspace_id != workspace_id:
            raise SubjectUnknown(f"No conversation {scope.conversation_id}. See: parlour turn list")
    if scope.channel is not None:
        known = session.scalars(select(Account.channel).distinct()).all()
        if scope.channel not in known:
            raise SubjectUnknown(
                f"No channel {scope.channel!r} has an account. There are: {', '.join(sorted(known)) or 'none yet'}."
            )


def _changed(session: Session, workspace_id: UUID, scope: Scope, data_class: DataClass, now: datetime) -> None:
    session.add(
        RetentionChange(
            id=new_id(), workspace_id=workspace_id, scope=scope.word, data_class=data_class.value, changed_at=now
        )
    )


def _rule(row: RetentionRule) -> Rule:
    keep = None if row.keep_days is None else timedelta(days=row.keep_days)
    return Rule(row.workspace_id, Scope.of(row.scope), DataClass(row.data_class), keep)


def _same(workspace_id: UUID, scope: Scope, data_class: DataClass) -> Sequence[ColumnElement[bool]]:
    return (
        RetentionRule.workspace_id == workspace_id,
        RetentionRule.scope == scope.word,
        RetentionRule.data_class == data_class.value,
    )


def _subject(workspace_id: UUID, scope: Scope) -> str:
    return str(workspace_id) if scope == Scope() else scope.word
