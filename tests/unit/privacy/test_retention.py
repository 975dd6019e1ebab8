"""For any rules and holds, exactly what should go goes."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, update

from parlour.privacy.classes import GO_WITH, KEPT, DataClass, personal_tables
from parlour.privacy.holds import Held, add_hold
from parlour.privacy.preview import Due, preview
from parlour.privacy.retention import clear_rule, purge_expired, redate, set_rule
from parlour.privacy.rules import Policy, Rule, RuleRefused, Scope, checked_class, checked_days
from parlour.privacy.silence import erase_silent
from parlour.store.ids import new_id
from parlour.store.models import Attachment, Feedback, Message, Turn, User
from parlour.store.people_models import UsageDay
from parlour.store.privacy_models import LegalHold, RetentionChange, RetentionRule
from tests.fakes.clock import START
from tests.support.stage import Stage

DAYS = st.one_of(st.none(), st.integers(1, 400))
CLASSES = (DataClass.MESSAGE, DataClass.ATTACHMENT, DataClass.FEEDBACK, DataClass.OPERATIONAL)


@dataclass(frozen=True)
class Row:
    """A row as it stood before a purge, by what decides about it."""

    id: UUID
    data_class: DataClass
    since: datetime
    conversation_id: UUID
    user_id: UUID
    parent: UUID | None


# ---- exactly what should go --------------------------------------------------------------------------------------


# An example is a whole database.
@settings(max_examples=settings().max_examples // 5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_exactly_what_should_go_goes(stage: Stage, data: st.DataObject) -> None:
    _empty(stage)
    conversations = _talk(stage, data)
    rules = _rules(stage, data, conversations)
    held = _holds(stage, data, conversations)
    before = _rows(stage)
    now = START + timedelta(days=data.draw(st.integers(0, 500), label="days later"), hours=1)
    parts, counted = stage.platform, _counted(stage)
    redate(parts.database, parts.retention, batch=3)
    told = _told(preview(parts.database, parts.retention, now=now))

    purge_expired(parts.database, now=now, batch=2)

    assert told == counted - _counted(stage)
    expected = _stays(stage, before, Policy(rules, stage.platform.retention.defaults), held, now)
    assert {row.id for row in _rows(stage)} == expected


@settings(max_examples=settings().max_examples // 5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_rule_deletes_exactly_what_its_preview_tells(stage: Stage, data: st.DataObject) -> None:
    _empty(stage)
    conversations, parts = _talk(stage, data), stage.platform
    _rules(stage, data, conversations)
    _holds(stage, data, conversations)
    now = START + timedelta(days=data.draw(st.integers(0, 500), label="days later"), hours=1)
    redate(parts.database, parts.retention)
    purge_expired(parts.database, now=now)
    data_class = data.draw(st.sampled_from([*CLASSES, DataClass.IDENTITY]), label="class")
    scopes = _places(conversations) if data_class in CLASSES else [Scope()]
    keep = timedelta(days=data.draw(st.integers(1, 400), label="days of the rule"))
    rule = Rule(parts.accounts.ensure_workspace(), data.draw(st.sampled_from(scopes), label="scope"), data_class, keep)
    counted = _counted(stage)

    told = _told(preview(parts.database, parts.retention, now=now, rule=rule))

    set_rule(parts.database, parts.privacy, rule, actor="command:test")
    redate(parts.database, parts.retention)
    purge_expired(parts.database, now=now)
    erase_silent(parts.database, parts.eraser, parts.retention, now=now)
    gone = counted - _counted(stage)
    # A person is told as one row, whatever goes with them.
    assert told == (gone if data_class in CLASSES else Counter({"users": gone["users"]}))


def _counted(stage: Stage) -> Counter[str]:
    return Counter({one.table.__tablename__: stage.count(one.table) for one in KEPT})


def _told(found: list[Due]) -> Counter[str]:
    told: Counter[str] = Counter()
    for one in found:
        told[one.table] += one.rows
    return told


def _stays(stage: Stage, rows: list[Row], policy: Policy, held: Held, now: datetime) -> set[UUID]:
    """What stays, reckoned from the rules alone: what hangs on another row never outlives it, a turn waits for all."""
    workspace_id = stage.platform.accounts.ensure_workspace()

    def is_kept(row: Row) -> bool:
        until = policy.until(
            row.data_class,
            row.since,
            workspace_id,
            channel="telegram",
            conversation_id=row.conversation_id,
        )
        return until is None or until > now or held.keeps(workspace_id, row.conversation_id, row.user_id)

    by_itself = {row.id: is_kept(row) for row in rows}
    messages = {row.id for row in rows if row.data_class is DataClass.MESSAGE and by_itself[row.id]}
    stays = set(messages)
    stays |= {r.id for r in rows if r.data_class is DataClass.ATTACHMENT and by_itself[r.id] and r.parent in messages}
    waiting_for = {row.parent for row in rows if row.id in messages}
    feedback = [row for row in rows if row.data_class is DataClass.FEEDBACK]
    waiting_for |= {row.parent for row in feedback if by_itself[row.id]}
    turns = {
        row.id
        for row in rows
        if row.data_class is DataClass.OPERATIONAL and (by_itself[row.id] or row.id in waiting_for)
    }
    return stays | turns | {row.id for row in feedback if by_itself[row.id]}


def _talk(stage: Stage, data: st.DataObject) -> list[UUID]:
    """Turns of different age in two conversations, of two people, each with message, file and feedback."""
    found: list[UUID] = []
    for number in range(data.draw(st.integers(1, 5), label="turns")):
        sender = data.draw(st.sampled_from(["ann", "bob"]))
        taken = stage.say(f"text {number}", sender=sender, chat=data.draw(st.sampled_from(["here", "there"])))
        assert taken.turn_id is not None
        assert taken.conversation_id is not None
        found.append(taken.conversation_id)
        age = timedelta(days=data.draw(st.integers(0, 300), label="age"))
        _add_file_and_feedback(stage, taken.turn_id, START - age)
    return found


def _add_file_and_feedback(stage: Stage, turn_id: UUID, at: datetime) -> None:
    with stage.platform.database.begin() as session:
        turn = session.get_one(Turn, turn_id)
        turn.received_at = at
        message = session.scalars(select(Message).where(Message.turn_id == turn_id)).one()
        message.created_at = at
        session.add(
            Attachment(
                id=new_id(), message_id=message.id, account_id=turn.account_id, user_id=turn.user_id, state="stored",
                name=b"n", media_type=b"m", reference=b"r", created_at=at,
            )
        )  # fmt: skip
        session.add(Feedback(id=new_id(), turn_id=turn_id, user_id=turn.user_id, is_positive=True, created_at=at))


def _rules(stage: Stage, data: st.DataObject, conversations: list[UUID]) -> list[Rule]:
    parts, workspace_id = stage.platform, stage.platform.accounts.ensure_workspace()
    places = _places(conversations)
    rules = []
    for data_class in CLASSES:
        for scope in places:
            # For the workspace always: what is there has the date of a default, or none, until a rule is set.
            if scope == Scope() or data.draw(st.booleans(), label=f"{data_class} in {scope.word}"):
                days = data.draw(DAYS)
                keep = None if days is None else timedelta(days=days)
                rules.append(Rule(workspace_id, scope, data_class, keep))
                set_rule(parts.database, parts.privacy, rules[-1], actor="command:test")
    return rules


def _places(conversations: list[UUID]) -> list[Scope]:
    return [Scope(), Scope(channel="telegram"), *(Scope(conversation_id=one) for one in sorted(set(conversations)))]


def _holds(stage: Stage, data: st.DataObject, conversations: list[UUID]) -> Held:
    parts, workspace_id = stage.platform, stage.platform.accounts.ensure_workspace()
    what = data.draw(st.sampled_from(["nothing", "nothing", "conversation", "person", "workspace"]), label="hold")
    if what == "nothing":
        return Held()
    with parts.database.read() as session:
        user_id = session.scalars(select(User.id).order_by(User.id)).first()
    add_hold(
        parts.database,
        parts.privacy,
        workspace_id=workspace_id,
        user_id=user_id if what == "person" else None,
        conversation_id=conversations[0] if what == "conversation" else None,
        reason="Case 17",
        actor="command:test",
    )
    if what == "workspace":
        return Held(workspaces=frozenset({workspace_id}))
    if what == "conversation":
        return Held(conversations=frozenset({conversations[0]}))
    assert user_id is not None
    return Held(users=frozenset({user_id}))


def _rows(stage: Stage) -> list[Row]:
    parents = {Message: "turn_id", Attachment: "message_id", Feedback: "turn_id"}
    found = []
    with stage.platform.database.read() as session:
        for one in KEPT:
            if one.data_class in CLASSES and one.conversation is not None:
                rows = session.execute(select(one.table, one.conversation)).all()
                found += [
                    Row(
                        row.id,
                        one.data_class,
                        getattr(row, one.since.key),
                        conversation_id,
                        row.user_id,
                        getattr(row, parents.get(one.table, ""), None),
                    )
                    for row, conversation_id in rows
                ]
    return found


def _empty(stage: Stage) -> None:
    with stage.platform.database.begin() as session:
        for table in (LegalHold, RetentionRule, RetentionChange, User):
            session.execute(delete(table))


# ---- rules -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["0", "-1", "1000000", "1.5", "", "ninety", "٣"])
def test_a_number_of_days_that_means_nothing_is_refused(word: str) -> None:
    with pytest.raises(RuleRefused, match="1 to 36500, or forever"):
        checked_days(word)


def test_a_mistyped_class_is_told_which_there_are() -> None:
    with pytest.raises(RuleRefused, match=r"'mesage'.*message, attachment"):
        checked_class("mesage")


def test_a_workspace_begins_with_ninety_days_for_messages(stage: Stage) -> None:
    with stage.platform.database.read() as session:
        rules = {rule.data_class: rule.keep_days for rule in session.scalars(select(RetentionRule))}

    assert rules == {"message": 90, "attachment": 90}


def test_what_is_past_its_time_is_in_no_prompt_before_the_purge(stage: Stage) -> None:
    stage.answered("an old secret")
    with stage.platform.database.begin() as session:
        session.execute(update(Message).values(expires_at=START))
    worker = stage.worker()

    stage.say("something new")
    stage.work(worker)

    assert worker.engine.prompt == [("user", "something new")]


def test_a_rule_taken_away_gives_the_wider_ones_date_back(stage: Stage) -> None:
    taken, parts = stage.answered("text"), stage.platform
    workspace_id = parts.accounts.ensure_workspace()
    scope = Scope(conversation_id=taken.conversation_id)
    rule = Rule(workspace_id, scope, DataClass.MESSAGE, timedelta(days=1))
    set_rule(parts.database, parts.privacy, rule, actor="command:test")
    redate(parts.database, parts.retention)
    with parts.database.read() as session:
        short = set(session.scalars(select(Message.expires_at)))

    clear_rule(parts.database, parts.privacy, workspace_id, scope, DataClass.MESSAGE, actor="command:test")
    redate(parts.database, parts.retention)

    with parts.database.read() as session:
        assert short == {START + timedelta(days=1)}
        assert set(session.scalars(select(Message.expires_at))) == {START + timedelta(days=90)}


def test_a_change_is_settled_a_minute_later(stage: Stage) -> None:
    """Other processes may write by the old rule for some seconds."""
    parts = stage.platform
    rule = Rule(parts.accounts.ensure_workspace(), Scope(), DataClass.MESSAGE, timedelta(days=1))
    set_rule(parts.database, parts.privacy, rule, actor="command:test")
    redate(parts.database, parts.retention)
    at_once = stage.count(RetentionChange)

    stage.clock.advance(61)
    redate(parts.database, parts.retention)

    assert (at_once, stage.count(RetentionChange)) == (1, 0)


def test_a_preview_tells_what_a_rule_would_delete_and_deletes_nothing(stage: Stage) -> None:
    stage.answered("text")
    parts = stage.platform
    rule = Rule(parts.accounts.ensure_workspace(), Scope(), DataClass.MESSAGE, timedelta(days=30))
    later = START + timedelta(days=40)

    found = preview(parts.database, parts.retention, now=later, rule=rule)

    assert [(one.table, one.age, one.rows) for one in found] == [("messages", "30 to 90 days", 2)]
    assert preview(parts.database, parts.retention, now=later) == []
    assert stage.count(Message) == 2


def test_a_preview_of_people_counts_from_when_they_were_last_heard_of(stage: Stage) -> None:
    """Not from when they came, as their own date does: it is only a reminder to look."""
    parts = stage.platform
    for who in ("ann2", "bob", "silent"):
        stage.answered("hello", sender=who)
    stage.clock.advance(100 * 86_400)
    first, linked = stage.answered("hello", sender="ann"), stage.answered("hello", sender="ann3")
    with parts.database.begin() as session:
        ann2 = session.scalars(select(User.id).order_by(User.id)).first()
        for taken in (first, linked):
            was = session.get_one(User, stage.turn(taken).user_id)
            was.state, was.merged_into, was.created_at = "merged", ann2, START
    stage.clock.advance(300 * 86_400)
    stage.answered("still here", sender="bob")
    rule = Rule(parts.accounts.ensure_workspace(), Scope(), DataClass.IDENTITY, timedelta(days=365))

    told = preview(parts.database, parts.retention, now=stage.clock.now(), rule=rule)

    _keep_people(stage, days=365)
    due = preview(parts.database, parts.retention, now=stage.clock.now())
    assert [(one.table, one.rows) for one in told] == [("users", 1)]
    assert [one for one in due if one.table == "users"] == told
    assert erase_silent(parts.database, parts.eraser, parts.retention, now=stage.clock.now()) == 1


def test_a_preview_leaves_turns_to_their_messages_and_days_of_use_to_the_workspace(stage: Stage) -> None:
    stage.answered("hello")
    parts = stage.platform
    workspace_id = parts.accounts.ensure_workspace()
    with parts.database.begin() as session:
        its = {"workspace_id": workspace_id, "user_id": session.scalars(select(User.id)).one(), "turns": 1, "tokens": 1}
        session.add(UsageDay(id=new_id(), day=START - timedelta(days=100), **its))
    stage.clock.advance(40 * 86_400)
    rules = [
        Rule(workspace_id, scope, DataClass.OPERATIONAL, timedelta(days=7))
        for scope in (Scope(channel="telegram"), Scope())
    ]

    told = [preview(parts.database, parts.retention, now=stage.clock.now(), rule=rule) for rule in rules]

    assert [[(one.table, one.rows) for one in due] for due in told] == [[], [("usage_days", 1)]]


def test_people_who_were_not_heard_of_go_and_those_who_wrote_stay(stage: Stage) -> None:
    stage.answered("once", sender="ann")
    stage.answered("early", sender="bob")
    parts = stage.platform
    rule = Rule(parts.accounts.ensure_workspace(), Scope(), DataClass.IDENTITY, timedelta(days=30))
    set_rule(parts.database, parts.privacy, rule, actor="command:test")
    redate(parts.database, parts.retention)
    stage.clock.advance(20 * 86_400)
    stage.answered("late", sender="bob")
    stage.clock.advance(11 * 86_400)

    gone = erase_silent(parts.database, parts.eraser, parts.retention, now=stage.clock.now())

    assert gone == 1
    assert "once" not in stage.messages()
    assert "late" in stage.messages()


def test_whoever_linked_another_messenger_and_writes_there_is_not_silent(stage: Stage) -> None:
    before = stage.answered("from the old one", sender="ann")
    now = stage.answered("from the new one", sender="ann2")
    parts = stage.platform
    with parts.database.begin() as session:
        goes, stays = (session.get_one(User, stage.turn(taken).user_id) for taken in (before, now))
        goes.state, goes.merged_into = "merged", stays.id
    _keep_people(stage, days=30)
    stage.clock.advance(31 * 86_400)
    stage.answered("late", sender="ann2")

    gone = erase_silent(parts.database, parts.eraser, parts.retention, now=stage.clock.now())

    assert gone == 0
    assert "late" in stage.messages()


@pytest.mark.parametrize(("days", "gone"), [(800, 0), (1131, 1)])
def test_when_a_person_was_last_heard_of_is_known_after_a_purge_of_their_turns(
    stage: Stage, days: int, gone: int
) -> None:
    stage.answered("first")
    stage.answered("of somebody else", sender="bob")
    _keep_people(stage, days=730)
    parts = stage.platform
    stage.clock.advance(400 * 86_400)
    stage.answered("last")
    for _ in range(2):
        purge_expired(parts.database, now=stage.clock.now())
        stage.answered("of somebody else", sender="bob")
        stage.clock.advance((days - 400) / 2 * 86_400)
    purge_expired(parts.database, now=stage.clock.now())

    silent = erase_silent(parts.database, parts.eraser, parts.retention, now=stage.clock.now())

    assert stage.count(Message) <= 2
    assert silent == gone


def test_people_who_must_stay_keep_nobody_else(stage: Stage) -> None:
    """A batch full of them: one of whom was heard, one under a hold, one who wrote in a held group, the last owner."""
    parts, workspace_id = stage.platform, stage.platform.accounts.ensure_workspace()
    owner = stage.turn(stage.answered("I am the owner", sender="olga")).user_id
    under_hold = stage.turn(stage.answered("hello", sender="hal")).user_id
    in_group = stage.answered("hello", sender="gus", chat="group", is_private=False).conversation_id
    for number in range(5):
        stage.answered("hello", sender=f"silent-{number}")
    with parts.database.begin() as session:
        session.get_one(User, owner).role = "owner"
    for who, where in ((under_hold, None), (None, in_group)):
        add_hold(
            parts.database,
            parts.privacy,
            workspace_id=workspace_id,
            user_id=who,
            conversation_id=where,
            reason="Case 17",
            actor="command:test",
        )
    _keep_people(stage, days=30)
    stage.clock.advance(31 * 86_400)
    stage.answered("still here", sender="ann")

    told = preview(parts.database, parts.retention, now=stage.clock.now(), workspace_id=workspace_id)

    gone = erase_silent(parts.database, parts.eraser, parts.retention, now=stage.clock.now(), batch=2)

    assert [one.rows for one in told if one.table == "users"] == [5]
    assert gone == 5
    assert stage.count(User) == 4


def _keep_people(stage: Stage, *, days: int) -> None:
    parts = stage.platform
    rule = Rule(parts.accounts.ensure_workspace(), Scope(), DataClass.IDENTITY, timedelta(days=days))
    set_rule(parts.database, parts.privacy, rule, actor="command:test")
    redate(parts.database, parts.retention)


def test_every_table_about_people_has_a_class_or_goes_with_another() -> None:
    """A new table without a place in `KEPT` or `GO_WITH` fails here."""
    known = {one.table.__tablename__ for one in KEPT} | GO_WITH.keys()

    assert {table.name for table in personal_tables()} == known


@pytest.mark.parametrize(("rows_per_s", "least"), [(1e9, 0), (0.01, 200)])
def test_a_purge_rests_between_two_batches_and_not_behind_the_last(
    stage: Stage, rows_per_s: float, least: float
) -> None:
    """A part of the time that a batch takes, or what is left of the time that so many rows may take."""
    for number in range(4):
        stage.answered("text", chat=f"chat-{number}")
    with stage.platform.database.begin() as session:
        for number, message in enumerate(session.scalars(select(Message)).all()):
            message.expires_at = START + timedelta(seconds=number)
    rests: list[float] = []

    gone = purge_expired(
        stage.platform.database,
        now=START + timedelta(minutes=1),
        batch=3,
        rows_per_s=rows_per_s,
        rest=rests.append,
    )

    assert gone == {"messages": 8}
    assert len(rests) == 2
    assert min(rests) > least
