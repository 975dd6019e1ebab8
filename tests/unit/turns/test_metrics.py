"""What a scrape shows."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.orm import Session

from parlour.store.errors import DatabaseUnavailable
from parlour.store.ids import new_id
from parlour.store.models import Account, Base, Conversation, Delivery, Turn, User, Workspace
from parlour.turns.metrics import BacklogCollector, Metrics, read_backlog
from parlour.turns.ports import Verdict
from parlour.turns.stuck import SIGNS, read_stuck

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class StillClock:
    """A clock that stands."""

    def now(self) -> datetime:
        return NOW


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


def _stock(engine: Engine, states: list[tuple[str, datetime]]) -> UUID:
    """A conversation with one turn for each state and arrival."""
    workspace, account, user, conversation = new_id(), new_id(), new_id(), new_id()
    with Session(engine) as session, session.begin():
        session.add(Workspace(id=workspace, name="w", created_at=NOW))
        session.add(
            Account(id=account, workspace_id=workspace, channel="web", lookup_hash=b"a", name="web", created_at=NOW)
        )
        session.add(User(id=user, workspace_id=workspace, created_at=NOW))
        session.flush()
        session.add(
            Conversation(
                id=conversation,
                workspace_id=workspace,
                account_id=account,
                user_id=user,
                lookup_hash=b"c",
                address=b"",
                is_private=True,
                created_at=NOW,
            )
        )
        session.flush()
        for seq, (state, at) in enumerate(states):
            session.add(
                Turn(
                    id=new_id(),
                    conversation_id=conversation,
                    account_id=account,
                    user_id=user,
                    event_id=f"e{seq}",
                    seq=seq,
                    kind="message",
                    state=state,
                    due_at=at,
                    received_at=at,
                )
            )
    return conversation


def test_the_backlog_counts_open_turns_and_knows_the_oldest_queued(engine: Engine) -> None:
    old = NOW - timedelta(minutes=3)
    _stock(engine, [("queued", NOW), ("queued", old), ("running", old - timedelta(hours=1)), ("answered", old)])

    with Session(engine) as session:
        backlog = read_backlog(session)

    assert backlog.turns == {"queued": 2, "running": 1}
    assert backlog.oldest_queued_at == old


def test_the_backlog_is_read_from_the_indexes_of_open_rows_only(engine: Engine) -> None:
    """A full scan would make every scrape cost what is stored, not what is open."""
    asked: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *args: asked.append(_inlined(args[2], args[3])))

    with Session(engine) as session:
        read_backlog(session)
        statements = list(asked)
        plans = [
            str(row)
            for statement in statements
            for row in session.execute(text(f"EXPLAIN QUERY PLAN {statement}")).all()
        ]

    scans = [plan for plan in plans if "turns" in plan or "deliveries" in plan]
    assert scans
    assert all("ix_turns_open" in plan or "ix_deliveries" in plan for plan in scans), scans


def _inlined(statement: str, parameters: tuple[object, ...]) -> str:
    """The statement with its limits written out, as EXPLAIN needs it."""
    for parameter in parameters:
        statement = statement.replace("?", str(parameter), 1)
    return statement


def test_a_scrape_shows_the_backlog(engine: Engine) -> None:
    _stock(engine, [("queued", NOW - timedelta(seconds=90))])
    registry = CollectorRegistry()
    registry.register(BacklogCollector(lambda: Session(engine), StillClock()))

    shown = generate_latest(registry).decode()

    assert 'parlour_turns{state="queued"} 1.0' in shown
    assert 'parlour_deliveries{state="unknown"} 0.0' in shown
    assert "parlour_oldest_queued_seconds 90.0" in shown
    assert "parlour_store_up 1.0" in shown


def test_scrapes_within_five_seconds_ask_the_database_once(engine: Engine) -> None:
    reads, seconds = [], [0.0]

    @contextmanager
    def read() -> Iterator[Session]:
        reads.append(1)
        with Session(engine) as session:
            yield session

    collector = BacklogCollector(read, StillClock(), elapsed=lambda: seconds[0])

    for seconds[0] in (0.0, 4.9, 5.0):
        list(collector.collect())

    assert len(reads) == 2


def test_a_scrape_without_a_database_says_so_instead_of_failing() -> None:
    @contextmanager
    def read() -> Iterator[Session]:
        raise DatabaseUnavailable("gone")
        yield

    registry = CollectorRegistry()
    registry.register(BacklogCollector(read, StillClock()))

    shown = generate_latest(registry).decode()

    assert "parlour_store_up 0.0" in shown
    assert "parlour_turns{" not in shown


def test_what_is_counted_stands_in_the_registry_under_parlours_names() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)

    metrics.took_in("telegram", Verdict.ACCEPTED)
    metrics.first_piece(after_s=0.2)
    metrics.finished("answered", after_s=3)
    metrics.generated(prompt_tokens=10, completion_tokens=40, over_s=2)
    metrics.delivered("slack", "sent")
    metrics.sent("slack")
    metrics.throttled("slack")
    metrics.draft_sent("telegram")
    metrics.draft_dropped("telegram")
    metrics.lease_lost()
    metrics.republished(3)

    value = registry.get_sample_value
    assert value("parlour_intake_total", {"channel": "telegram", "verdict": "accepted"}) == 1
    assert value("parlour_answer_seconds_sum") == 3
    assert value("parlour_tokens_total", {"kind": "completion"}) == 40
    assert value("parlour_tokens_per_second_sum") == 20
    assert value("parlour_throttled_total", {"channel": "slack"}) == 1
    assert value("parlour_drafts_total", {"channel": "telegram", "fate": "dropped"}) == 1
    assert value("parlour_republished_total") == 3


def test_a_failed_turn_is_no_answer_duration() -> None:
    registry = CollectorRegistry()

    Metrics(registry).finished("failed", after_s=3)

    assert registry.get_sample_value("parlour_answer_seconds_count") == 0


def test_deliveries_are_counted_by_state(engine: Engine) -> None:
    conversation = _stock(engine, [("answered", NOW)])
    with Session(engine) as session, session.begin():
        turn = session.query(Turn).one()
        for ordinal, state in enumerate(["pending", "unknown", "sent"]):
            session.add(
                Delivery(
                    id=new_id(),
                    conversation_id=conversation,
                    account_id=turn.account_id,
                    turn_id=turn.id,
                    user_id=turn.user_id,
                    turn_seq=0,
                    ordinal=ordinal,
                    state=state,
                    due_at=NOW,
                    created_at=NOW,
                )
            )

    with Session(engine) as session:
        backlog = read_backlog(session)

    assert backlog.deliveries == {"drafting": 0, "pending": 1, "sending": 0, "unknown": 1}


# ---- stuck work -------------------------------------------------------------------------------------------------


def test_stuck_work_is_looked_for_by_the_indexes_of_open_rows(engine: Engine) -> None:
    """None of it may cost what is stored: turns, deliveries and jobs are searched by index alone."""
    asked: list[tuple[str, tuple[object, ...]]] = []
    listening = (engine, "before_cursor_execute", lambda *args: asked.append((args[2], args[3])))
    event.listen(*listening)
    with Session(engine) as session:
        read_stuck(session, now=NOW)
    event.remove(*listening)

    with engine.connect() as connection:
        plans = [
            row[3]
            for statement, parameters in asked
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]

    steps = [plan for plan in plans if plan.startswith(("SCAN", "SEARCH"))]
    of_open_rows = ("ix_turns_open", "ix_deliveries_", "ix_jobs_due_at", "ix_conversations_lease_until")
    by_id = ("INDEX sqlite_autoindex_", "PRIMARY KEY")
    few = ("SCAN accounts", "SCAN skills", "SCAN skill_scopes")
    bad = [step for step in steps if not any(word in step for word in (*of_open_rows, *by_id, *few))]
    assert len(asked) == len(SIGNS)
    assert bad == []
    # An index over all of them is no index of open ones.
    assert not [step for step in steps if "sqlite_autoindex_deliveries_2" in step or "sqlite_autoindex_turns_2" in step]


def test_a_scrape_shows_stuck_work_by_kind_and_reason(engine: Engine) -> None:
    _stock(engine, [("queued", NOW - timedelta(minutes=6))])
    registry = CollectorRegistry()
    registry.register(BacklogCollector(lambda: Session(engine), StillClock()))

    shown = generate_latest(registry).decode()

    assert 'parlour_stuck{kind="turn",reason="waiting"} 1.0' in shown
    assert 'parlour_stuck_oldest_seconds{kind="turn",reason="waiting"} 360.0' in shown
    assert 'parlour_stuck{kind="delivery",reason="unknown"} 0.0' in shown
