"""What is older than it should be is seen, told once, and taken up by itself."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import update
from structlog.testing import capture_logs

from parlour.store.ids import JobId
from parlour.store.models import Account, Delivery
from parlour.turns import operating
from parlour.turns.ledger import Ledger
from parlour.turns.running import LONGEST_ANSWER_S
from parlour.turns.shipments import Outcome, Shipment
from parlour.turns.states import DeliveryState
from parlour.turns.stuck import TURN_RUNS, Stuck, StuckWatch, stuck_work
from parlour.turns.sweeper import sweep_jobs
from tests.fakes.turns import FakeMessenger, ScriptedEngine
from tests.support.skill_book import a_job
from tests.support.stage import Stage, Worker

LEASE_S = 30


class Told:
    """A `JobQueue` that remembers."""

    def __init__(self) -> None:
        self.jobs: list[JobId] = []

    def publish_job(self, job_id: JobId) -> None:
        self.jobs.append(job_id)


def amounts(stage: Stage) -> dict[tuple[str, str], int]:
    """How much is stuck, by kind and reason."""
    return {(str(one.kind), one.reason): one.count for one in stuck_work(stage.platform.database)}


def only(stage: Stage) -> Stuck:
    (stuck,) = stuck_work(stage.platform.database)
    return stuck


def taken_by(stage: Stage, ledger: Ledger) -> list[Shipment]:
    """What the ledger gives out, with the lease held."""
    assert ledger.hold(stage.account_id)
    return ledger.take_due(FakeMessenger(stage.account_id), limit=50)[0]


def held(stage: Stage) -> Ledger:
    """A living gateway's ledger: it renews its lease."""
    ledger = stage.ledger()
    ledger.lease = timedelta(days=30)
    assert ledger.hold(stage.account_id)
    return ledger


def run_on(stage: Stage, worker: Worker, seconds: float) -> None:
    """Let so much time pass in which the worker renews its lease."""
    for _ in range(round(seconds / 25)):
        stage.clock.advance(25)
        worker.running.look()


def test_where_all_is_well_nothing_is_stuck(stage: Stage) -> None:
    stage.answered("hello")
    stage.say("and again")

    assert stuck_work(stage.platform.database) == []


# ---- turns ------------------------------------------------------------------------------------------------------


def test_a_turn_that_nobody_takes_is_stuck_and_swept_up(stage: Stage) -> None:
    turn_id = stage.say("hello").turn_id
    stage.say("behind it")
    stage.queue.take()
    stage.clock.advance(4 * 60)
    assert amounts(stage) == {}
    stage.clock.advance(2 * 60)

    stuck = only(stage)
    stage.platform.sweep()
    still = amounts(stage)
    stage.work(stage.worker())

    assert (stuck.kind, stuck.reason, stuck.count, stuck.ids) == ("turn", "waiting", 1, (turn_id,))
    assert stage.clock.now() - stuck.since == timedelta(minutes=6)
    # Published again, and not taken yet.
    assert still == {("turn", "waiting"): 1}
    assert stage.states() == ["answered", "answered"]
    assert amounts(stage) == {}


def test_a_turn_whose_worker_died_is_stuck_and_taken_over(stage: Stage) -> None:
    turn_id = stage.say("hello").turn_id
    assert turn_id
    stage.queue.take()
    assert stage.worker().claim(turn_id)
    stage.clock.advance(LEASE_S + 29)
    assert amounts(stage) == {}
    stage.clock.advance(2)

    stuck = only(stage)
    stage.platform.sweep()
    stage.work(stage.worker(owner="worker-2"))

    assert (stuck.kind, stuck.reason, stuck.ids) == ("turn", "lease_lapsed", (turn_id,))
    assert stage.states() == ["answered"]
    assert amounts(stage) == {}


def test_a_turn_that_comes_to_no_end_is_stuck_and_tried_again(stage: Stage) -> None:
    turn_id = stage.say("hello").turn_id
    found: list[Stuck] = []

    def hang() -> None:
        for _ in range(6):
            run_on(stage, worker, TURN_RUNS.total_seconds() / 6)
            found.extend(stuck_work(stage.platform.database))

    worker = stage.worker(ScriptedEngine([hang, "late"], ["All well."]))
    stage.work(worker)

    assert {(one.kind, one.reason, one.ids) for one in found} == {("turn", "running", (turn_id,))}
    assert stage.turns()[0].attempts == 2
    assert stage.messages("assistant") == ["All well."]
    assert amounts(stage) == {}


def test_a_turn_that_never_comes_to_an_end_is_given_up_with_a_word(stage: Stage) -> None:
    stage.say("hello")

    def hang() -> None:
        run_on(stage, worker, LONGEST_ANSWER_S)

    worker = stage.worker(ScriptedEngine([hang, "late"]))
    stage.work(worker)

    assert [(turn.state, turn.error, turn.attempts) for turn in stage.turns()] == [("failed", "gave_up", 3)]
    assert amounts(stage) == {}


def test_stuck_turns_are_listed(stage: Stage) -> None:
    stuck = stage.say("hello").turn_id
    stage.clock.advance(6 * 60)
    stage.say("hello", sender="ben")

    listed = operating.list_stuck(stage.platform.database)

    assert [view.id for view in listed] == [stuck]


# ---- deliveries -------------------------------------------------------------------------------------------------


def test_a_delivery_that_nobody_sends_is_stuck_and_taken_by_the_next_gateway(stage: Stage) -> None:
    stage.answered("hello")
    stage.answered("and again")
    stage.clock.advance(59)
    assert amounts(stage) == {}
    stage.clock.advance(2)

    stuck = amounts(stage)
    (shipment,) = taken_by(stage, stage.ledger())

    # One for the conversation, whose first one holds up the second, and one for the account that has no sender.
    assert stuck == {("delivery", "waiting"): 1, ("sender", "missing"): 1}
    assert shipment.delivery_id == stage.deliveries()[0].id
    assert amounts(stage) == {}


def test_what_a_limit_puts_off_is_not_stuck(stage: Stage) -> None:
    stage.answered("hello")
    ledger = held(stage)
    (shipment,) = taken_by(stage, ledger)
    ledger.record([Outcome(shipment, DeliveryState.PENDING, delay_s=3_600, holds_up_chat=True)])
    stage.clock.advance(3_000)

    assert amounts(stage) == {}


def test_a_sender_that_is_gone_is_told_with_its_account(stage: Stage) -> None:
    ledger = stage.ledger()
    ledger.hold(stage.account_id)
    stage.answered("hello")
    stage.clock.advance(ledger.lease.total_seconds() + 61)

    missing = next(one for one in stuck_work(stage.platform.database) if one.kind == "sender")
    others = taken_by(stage, stage.ledger(owner="gateway-2"))

    assert missing.ids == (stage.account_id,)
    assert len(others) == 1
    assert amounts(stage) == {}


def test_an_account_that_has_nothing_to_send_needs_no_sender(stage: Stage) -> None:
    stage.ledger().hold(stage.account_id)
    stage.clock.advance(86_400)

    assert amounts(stage) == {}


def test_what_a_dead_gateway_was_sending_is_stuck_and_settled_by_the_next(stage: Stage) -> None:
    stage.answered("hello")
    first = stage.ledger()
    assert taken_by(stage, first)
    stage.clock.advance(first.lease.total_seconds() + 61)

    stuck = amounts(stage)
    (shipment,) = taken_by(stage, stage.ledger(owner="gateway-2"))

    assert stuck == {("delivery", "owner_gone"): 1}
    assert shipment.must_settle
    assert amounts(stage) == {}


def test_what_a_living_gateway_sends_for_ever_is_stuck_and_left_to_it(stage: Stage) -> None:
    """Taking it away from a gateway that lives could send it twice."""
    stage.answered("hello")
    assert taken_by(stage, held(stage))
    stage.clock.advance(14 * 60)
    assert amounts(stage) == {}

    stage.clock.advance(61)

    assert amounts(stage) == {("delivery", "sending"): 1}


def test_an_unknown_outcome_is_stuck_after_a_while_and_settled(stage: Stage) -> None:
    stage.answered("hello")
    ledger = held(stage)
    (shipment,) = taken_by(stage, ledger)
    ledger.record([Outcome(shipment, DeliveryState.UNKNOWN, delay_s=10)])
    stage.clock.advance(4 * 60)
    assert ("delivery", "unknown") not in amounts(stage)
    stage.clock.advance(61)

    stuck = amounts(stage)
    (again,) = taken_by(stage, ledger)
    ledger.record([Outcome(again, DeliveryState.SENT, external_key="7")])

    assert stuck == {("delivery", "unknown"): 1}
    assert again.must_settle
    assert amounts(stage) == {}


def test_what_an_account_that_was_removed_has_left_is_not_stuck(stage: Stage) -> None:
    stage.answered("hello")
    with stage.platform.database.begin() as session:
        session.execute(update(Account).values(state="removed"))
    stage.clock.advance(3_600)

    assert amounts(stage) == {}


# ---- jobs -------------------------------------------------------------------------------------------------------


def test_a_job_that_nobody_begins_is_stuck_and_published_again(stage: Stage) -> None:
    jobs, told = a_job(stage), Told()
    stage.clock.advance(5 * 60)
    sweep_jobs(jobs, told)
    stage.clock.advance(14 * 60)
    assert amounts(stage) == {}
    stage.clock.advance(61)

    stuck = only(stage)
    sweep_jobs(jobs, told)
    claim = jobs.claim(told.jobs[-1])

    assert (stuck.kind, stuck.reason, stuck.ids) == ("job", "waiting", tuple(told.jobs[:1]))
    assert len(told.jobs) == 2
    assert claim
    assert amounts(stage) == {}


def test_a_job_whose_worker_died_is_stuck_and_begun_by_another(stage: Stage) -> None:
    jobs, told = a_job(stage), Told()
    stage.clock.advance(5 * 60)
    assert jobs.claim()
    stage.clock.advance(LEASE_S + 31)

    stuck = amounts(stage)
    sweep_jobs(jobs, told)
    again = jobs.claim(told.jobs[0])

    assert stuck == {("job", "lease_lapsed"): 1}
    assert again
    assert amounts(stage) == {}


def test_a_job_of_a_disabled_skill_rests(stage: Stage) -> None:
    a_job(stage, state="disabled")
    stage.clock.advance(3_600)

    assert amounts(stage) == {}


# ---- the log ----------------------------------------------------------------------------------------------------


@pytest.fixture
def look(stage: Stage) -> Callable[[], list[dict[str, object]]]:
    """Has the watch look, and gives what it logs."""
    watch = StuckWatch(stage.platform.database)

    def looks() -> list[dict[str, object]]:
        with capture_logs() as logged:
            watch.look()
        return [dict(line) for line in logged]

    return looks


def test_stuck_work_is_logged_once_with_its_ids_and_once_when_it_is_freed(
    stage: Stage, look: Callable[[], list[dict[str, object]]]
) -> None:
    turn_id = stage.say("a secret").turn_id
    stage.clock.advance(6 * 60)

    first, second = look(), look()
    stage.work(stage.worker())
    freed, after = look(), look()

    assert first == [
        {
            "event": "work_stuck",
            "log_level": "warning",
            "kind": "turn",
            "reason": "waiting",
            "count": 1,
            "oldest_s": 360,
            "ids": [str(turn_id)],
        }
    ]
    assert second == []
    assert [(line["event"], line["kind"], line["reason"]) for line in freed] == [("work_freed", "turn", "waiting")]
    assert after == []


def test_a_growing_outage_is_logged_when_it_has_doubled(
    stage: Stage, look: Callable[[], list[dict[str, object]]]
) -> None:
    counts = []
    for people in range(1, 9):
        stage.say("hello", sender=f"person-{people}")
        stage.clock.advance(6 * 60)
        counts += [line["count"] for line in look()]

    assert counts == [1, 2, 4, 8]


def test_other_work_stuck_for_the_same_reason_is_news(
    stage: Stage, look: Callable[[], list[dict[str, object]]]
) -> None:
    stage.say("hello")
    stage.clock.advance(6 * 60)
    look()
    stage.work(stage.worker())
    other = stage.say("hello", sender="ben").turn_id
    with stage.platform.database.begin() as session:
        session.execute(update(Delivery).values(state=DeliveryState.SENT.value))
    stage.clock.advance(6 * 60)

    assert [line["ids"] for line in look()] == [[str(other)]]


def test_no_more_than_three_ids_are_told(stage: Stage) -> None:
    for person in "abcde":
        stage.say("hello", sender=person)
    stage.clock.advance(6 * 60)

    stuck = only(stage)

    assert (stuck.count, len(stuck.ids)) == (5, 3)
