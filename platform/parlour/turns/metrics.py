"""What is counted: Prometheus counters of this process, and the backlog as SQL tells it.

No label ever carries content, a person's id or a conversation's.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from time import monotonic

import structlog
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import Select, TextClause, func, select, text
from sqlalchemy.orm import Session

from parlour.store.clock import Clock
from parlour.store.errors import StoreError
from parlour.store.models import Base, Delivery, Turn
from parlour.turns.ports import Verdict
from parlour.turns.stuck import SIGNS, Stuck, read_stuck

log = structlog.get_logger()

# Literals, not parameters: SQLite uses a partial index only for a condition that it can see when it plans.
_TURN_STATES = ("queued", "running")
_DELIVERY_STATES = ("drafting", "pending", "sending", "unknown")
# Past this many, a scrape says "this many" instead of counting on: a backlog must not make its own scrape slow.
COUNTED_AT_MOST = 100_000
_OLDEST_AMONG = 1_000

_WAITS_S = (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 120)
_ANSWERS_S = (0.1, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300)
_RATES = (1, 2, 5, 10, 20, 40, 60, 80, 100, 150, 200, 500)


class Metrics:
    """Counters and histograms of one process. One instance per registry; `bootstrap` makes the process's own."""

    def __init__(self, registry: CollectorRegistry) -> None:
        # The time of each series' making would double what is scraped, and nobody reads it.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry
        ProcessCollector(registry=registry)
        self._intake = Counter(
            "parlour_intake", "Events by what intake did.", ["channel", "verdict"], registry=registry
        )
        self._finished = Counter("parlour_turns_finished", "Turns by how they ended.", ["state"], registry=registry)
        self._skill_failures = Counter(
            "parlour_skill_failures",
            "Turns that a skill could not answer, by why.",
            ["skill", "code"],
            registry=registry,
        )
        self._first_piece = Histogram(
            "parlour_first_piece_seconds",
            "From arrival to the first piece of the answer.",
            buckets=_WAITS_S,
            registry=registry,
        )
        self._answer = Histogram(
            "parlour_answer_seconds", "From arrival to the finished answer.", buckets=_ANSWERS_S, registry=registry
        )
        self._tokens = Counter("parlour_tokens", "Tokens by kind: prompt or completion.", ["kind"], registry=registry)
        self._token_rate = Histogram(
            "parlour_tokens_per_second",
            "Completion tokens per second of one answer.",
            buckets=_RATES,
            registry=registry,
        )
        self._deliveries = Counter(
            "parlour_deliveries_finished", "Deliveries by how they ended.", ["channel", "state"], registry=registry
        )
        self._sends = Counter("parlour_sends", "Requests that posted or edited.", ["channel"], registry=registry)
        self._throttled = Counter("parlour_throttled", "Requests answered with 429.", ["channel"], registry=registry)
        self._drafts = Counter(
            "parlour_drafts", "Drafts by fate: sent or dropped.", ["channel", "fate"], registry=registry
        )
        self._leases_lost = Counter(
            "parlour_leases_lost", "Answers given up because another worker took over.", registry=registry
        )
        self._republished = Counter("parlour_republished", "Turns that the sweeper published again.", registry=registry)

    def took_in(self, channel: str, verdict: Verdict) -> None:
        """Intake decided about an event."""
        self._intake.labels(channel, verdict.value).inc()

    def first_piece(self, *, after_s: float) -> None:
        """The first piece of an answer came, so long after its message."""
        self._first_piece.observe(after_s)

    def finished(self, state: str, *, after_s: float) -> None:
        """A turn ended: answered, failed, stopped, merged, refused or dropped."""
        self._finished.labels(state).inc()
        if state == "answered":
            self._answer.observe(after_s)

    def skill_failed(self, skill: str, code: str) -> None:
        """A skill could not answer a turn, or not to the end."""
        self._skill_failures.labels(skill, code).inc()

    def generated(self, *, prompt_tokens: int, completion_tokens: int, over_s: float) -> None:
        """A model wrote an answer of so many tokens in so many seconds."""
        self._tokens.labels("prompt").inc(prompt_tokens)
        self._tokens.labels("completion").inc(completion_tokens)
        if over_s > 0 and completion_tokens:
            self._token_rate.observe(completion_tokens / over_s)

    def delivered(self, channel: str, state: str) -> None:
        """A delivery ended: sent or failed."""
        self._deliveries.labels(channel, state).inc()

    def sent(self, channel: str) -> None:
        """A request that posts or edits went to the messenger."""
        self._sends.labels(channel).inc()

    def throttled(self, channel: str) -> None:
        """The messenger answered 429."""
        self._throttled.labels(channel).inc()

    def throttled_since_start(self) -> dict[str, int]:
        """How often each messenger answered 429 since this process began."""
        samples = [one for metric in self._throttled.collect() for one in metric.samples]
        return {one.labels["channel"]: int(one.value) for one in samples if one.name.endswith("_total")}

    def draft_sent(self, channel: str) -> None:
        """A draft was shown."""
        self._drafts.labels(channel, "sent").inc()

    def draft_dropped(self, channel: str) -> None:
        """A draft was left out to stay within the limits."""
        self._drafts.labels(channel, "dropped").inc()

    def lease_lost(self) -> None:
        """A worker found that another one had taken over its turn."""
        self._leases_lost.inc()

    def republished(self, turns: int = 1) -> None:
        """The sweeper published turns that were due."""
        self._republished.inc(turns)


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is open in SQL: turns and deliveries by state, and when the oldest queued turn arrived."""

    turns: dict[str, int] = field(default_factory=dict)
    deliveries: dict[str, int] = field(default_factory=dict)
    oldest_queued_at: datetime | None = None


def read_backlog(session: Session) -> Backlog:
    """What is open now. Walks the indexes of open rows only, so its cost follows the backlog, never what is stored."""
    return Backlog(
        turns={state: _count(session, Turn, state) for state in _TURN_STATES},
        deliveries={state: _count(session, Delivery, state) for state in _DELIVERY_STATES},
        oldest_queued_at=session.scalar(_oldest_queued()),
    )


def _count(session: Session, table: type[Base], state: str) -> int:
    some = select(table.__table__.c.id).where(_is(table, state)).limit(COUNTED_AT_MOST).subquery()
    return session.scalar(select(func.count()).select_from(some)) or 0


def _is(table: type[Base], state: str) -> TextClause:
    """The state as a literal, together with the partial index's own condition."""
    states = _TURN_STATES if table is Turn else _DELIVERY_STATES
    quoted = ", ".join(f"'{name}'" for name in states)
    return text(f"state IN ({quoted}) AND state = '{state}'")


def _oldest_queued() -> Select[datetime | None]:
    first = select(Turn.received_at).where(_is(Turn, "queued")).order_by(Turn.due_at).limit(_OLDEST_AMONG).subquery()
    return select(func.min(first.c.received_at))


class BacklogCollector(Collector):
    """Shows the backlog on every scrape, read at most once in `fresh_s` seconds however many scrape.

    With the database gone a scrape still works and says so: `parlour_store_up 0`, and no backlog.
    """

    def __init__(
        self,
        read: Callable[[], AbstractContextManager[Session]],
        clock: Clock,
        *,
        fresh_s: float = 5.0,
        elapsed: Callable[[], float] = monotonic,
    ) -> None:
        self._read = read
        self._clock = clock
        self._fresh_s = fresh_s
        self._elapsed = elapsed
        self._lock = Lock()
        self._read_at: float | None = None
        self._seen: tuple[Backlog, Sequence[Stuck]] | None = None

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """The names alone, so that registering asks no database."""
        yield from self._families(Backlog())
        yield from self._stuck([])

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The gauges."""
        seen = self._fresh()
        yield GaugeMetricFamily("parlour_store_up", "1 when the database answers.", value=float(seen is not None))
        if seen is not None:
            backlog, stuck = seen
            yield from self._families(backlog)
            yield from self._stuck(stuck)

    def _fresh(self) -> tuple[Backlog, Sequence[Stuck]] | None:
        with self._lock:
            if self._read_at is None or self._elapsed() - self._read_at >= self._fresh_s:
                self._seen = self._ask()
                self._read_at = self._elapsed()
            return self._seen

    def _ask(self) -> tuple[Backlog, Sequence[Stuck]] | None:
        try:
            with self._read() as session:
                return read_backlog(session), read_stuck(session, now=self._clock.now())
        except StoreError as error:
            log.warning("backlog_unreadable", reason=type(error).__name__)
            return None

    def _families(self, backlog: Backlog) -> Iterator[GaugeMetricFamily]:
        turns = GaugeMetricFamily("parlour_turns", "Open turns by state.", labels=["state"])
        for state, count in backlog.turns.items():
            turns.add_metric([state], count)
        yield turns
        deliveries = GaugeMetricFamily("parlour_deliveries", "Open deliveries by state.", labels=["state"])
        for state, count in backlog.deliveries.items():
            deliveries.add_metric([state], count)
        yield deliveries
        age_s = 0.0
        if backlog.oldest_queued_at is not None:
            age_s = max(0.0, (self._clock.now() - backlog.oldest_queued_at).total_seconds())
        yield GaugeMetricFamily("parlour_oldest_queued_seconds", "Age of the oldest queued turn.", value=age_s)

    def _stuck(self, found: Sequence[Stuck]) -> Iterator[GaugeMetricFamily]:
        """One series for each kind and reason, at 0 while all is well: an alert on it has something to compare."""
        now, labels = self._clock.now(), ["kind", "reason"]
        stuck = {(one.kind, one.reason): one for one in found}
        counts = GaugeMetricFamily("parlour_stuck", "Work that is older than it should be.", labels=labels)
        ages = GaugeMetricFamily("parlour_stuck_oldest_seconds", "Age of the oldest stuck work.", labels=labels)
        for sign in SIGNS:
            one = stuck.get((sign.kind, sign.reason))
            counts.add_metric([sign.kind.value, sign.reason], one.count if one else 0)
            age_s = max(0.0, (now - one.since).total_seconds()) if one else 0.0
            ages.add_metric([sign.kind.value, sign.reason], age_s)
        yield counts
        yield ages
