"""One turn of a conversation at a time, across workers that come and go (G3, G4)."""

from collections.abc import Callable
from threading import Barrier, Thread

import pytest
from sqlalchemy import update

from parlour.store.ids import TurnId
from parlour.store.models import Turn, Workspace
from parlour.turns.order import Claim, next_open, release
from parlour.turns.ports import IncomingAttachment, Taken
from tests.fakes.turns import ScriptedEngine, Step
from tests.support.stage import Stage, Worker

MakeStage = Callable[..., Stage]


def claimed(worker: Worker, taken: Taken) -> Claim:
    """The claim, which the test counts on getting."""
    assert taken.turn_id
    claim = worker.claim(taken.turn_id)
    assert claim is not None
    return claim


# ---- claiming ----


def test_a_claim_marks_the_turn_running_and_counts_the_try(stage: Stage) -> None:
    taken = stage.say("hello")

    claim = claimed(stage.worker(), taken)

    turn = stage.turn(taken)
    assert (turn.state, turn.attempts, turn.started_at) == ("running", 1, stage.clock.now())
    assert (claim.fence, claim.attempt, claim.seq, claim.language) == (1, 1, 1, "en")


def test_a_conversation_that_is_claimed_is_refused_to_everybody(stage: Stage) -> None:
    taken = stage.say("hello")
    worker = stage.worker()
    claimed(worker, taken)
    assert taken.turn_id

    assert worker.claim(taken.turn_id) is None
    assert stage.worker(owner="worker-2").claim(taken.turn_id) is None


def test_workers_told_at_once_get_the_conversation_once(stage: Stage) -> None:
    taken = stage.say("hello")
    start, claims = Barrier(4), list[Claim | None]()

    def claim(worker: Worker) -> None:
        assert taken.turn_id
        start.wait(60)
        claims.append(worker.claim(taken.turn_id))

    threads = [Thread(target=claim, args=(stage.worker(owner=f"worker-{number}"),)) for number in range(4)]
    _join(threads)

    assert len([one for one in claims if one is not None]) == 1
    assert len(claims) == 4


def test_conversations_run_side_by_side(stage: Stage) -> None:
    worker = stage.worker()

    ann = claimed(worker, stage.say("hello"))
    ben = claimed(worker, stage.say("hello", sender="ben"))

    assert ann.conversation_id != ben.conversation_id


def test_whichever_turn_a_worker_is_told_of_it_gets_the_first(stage: Stage) -> None:
    """A broker may reorder."""
    first = stage.say("one")
    second = stage.say("two")

    assert claimed(stage.worker(), second).turn_id == first.turn_id


def test_a_turn_that_is_done_is_not_claimed_again(stage: Stage) -> None:
    """A broker may repeat."""
    taken = stage.answered("hello")
    assert taken.turn_id

    assert stage.worker().claim(taken.turn_id) is None
    assert stage.conversation(taken).lease_until is None


def test_an_unknown_turn_is_no_fault(stage: Stage) -> None:
    assert stage.worker().claim(TurnId(stage.account_id)) is None


# ---- dead workers ----


def test_a_turn_is_taken_over_once_the_lease_has_run_out(stage: Stage) -> None:
    """G4."""
    taken = stage.say("hello")
    old = claimed(stage.worker(), taken)
    newer = stage.worker(owner="worker-2")
    assert taken.turn_id

    stage.clock.advance(30)
    assert newer.claim(taken.turn_id) is None
    stage.clock.advance(0.1)
    new = claimed(newer, taken)

    assert new.turn_id == old.turn_id
    assert (new.fence, new.attempt) == (old.fence + 1, 2)


def test_a_worker_back_from_the_dead_can_write_nothing(stage: Stage) -> None:
    """G4: the fence, not the clock, refuses it."""
    taken = stage.say("hello")
    old_worker = stage.worker(ScriptedEngine(["The old answer."]))
    old = claimed(old_worker, taken)
    stage.clock.advance(31)
    stage.work(stage.worker(ScriptedEngine(["The new answer."]), owner="worker-2"))

    with stage.platform.database.begin() as session:
        is_let_in = release(session, old.conversation_id, old.fence)
    old_worker.order.hand_back(old)

    assert not is_let_in
    assert stage.messages("assistant") == ["The new answer."]
    assert stage.turn(taken).state == "answered"


def test_handing_back_late_takes_nothing_from_the_new_worker(stage: Stage) -> None:
    taken = stage.say("hello")
    old_worker = stage.worker()
    old = claimed(old_worker, taken)
    stage.clock.advance(31)
    claimed(stage.worker(owner="worker-2"), taken)

    old_worker.order.hand_back(old)

    assert stage.turn(taken).state == "running"
    assert stage.conversation(taken).lease_owner == "worker-2"


def test_a_renewed_lease_is_not_taken_over(stage: Stage) -> None:
    taken = stage.say("hello")
    worker = stage.worker()
    claim = claimed(worker, taken)
    assert taken.turn_id

    stage.clock.advance(20)
    assert worker.order.renew([claim]) == {claim}
    stage.clock.advance(20)

    assert stage.worker(owner="worker-2").claim(taken.turn_id) is None


def test_a_lease_that_someone_else_has_is_not_renewed(stage: Stage) -> None:
    taken, other = stage.say("hello"), stage.say("hello", sender="ben")
    worker = stage.worker()
    lost, kept = claimed(worker, taken), claimed(worker, other)
    stage.clock.advance(20)
    worker.order.renew([kept])
    stage.clock.advance(15)
    claimed(stage.worker(owner="worker-2"), taken)

    assert worker.order.renew([lost, kept]) == {kept}


def test_a_worker_that_took_over_from_itself_renews_only_the_later_claim(stage: Stage) -> None:
    taken = stage.say("hello")
    worker = stage.worker()
    earlier = claimed(worker, taken)
    stage.clock.advance(31)
    later = claimed(worker, taken)

    assert worker.order.renew([earlier, later]) == {later}


def test_a_poisoned_turn_is_given_up_with_a_word_and_its_id_and_the_next_goes_on(stage: Stage) -> None:
    """G4: after three tries, each of which killed its worker."""
    poisoned = stage.say("你好，请回答", message_key="m1")
    following = stage.say("hello, and thank you very much")
    worker = stage.worker()
    for _ in range(3):
        claimed(worker, poisoned)
        stage.clock.advance(31)

    claim = claimed(worker, poisoned)

    turn = stage.turn(poisoned)
    assert claim.turn_id == following.turn_id
    assert (turn.state, turn.error, turn.attempts) == ("failed", "gave_up", 3)
    (word,) = stage.messages("notice")
    assert "抱歉" in word
    assert str(turn.id) in word
    assert [row.state for row in stage.deliveries()] == ["pending"]


def test_a_poisoned_turn_whose_persons_key_is_lost_holds_up_nobody_behind_it(stage: Stage) -> None:
    """G10: its person cannot even be told so."""
    poisoned = stage.say("hello", chat="group", is_private=False)
    following = stage.say("hello", sender="ben", chat="group", is_private=False)
    worker = stage.worker()
    for _ in range(3):
        claimed(worker, poisoned)
        stage.clock.advance(31)
    stage.lose_key(stage.turn(poisoned).user_id)

    claim = claimed(worker, poisoned)

    assert claim.turn_id == following.turn_id
    assert stage.states() == ["dropped", "running"]
    assert stage.deliveries() == []


def test_giving_up_the_last_turn_leaves_the_conversation_free(stage: Stage) -> None:
    taken = stage.say("hello")
    worker = stage.worker()
    for _ in range(3):
        claimed(worker, taken)
        stage.clock.advance(31)
    assert taken.turn_id

    assert worker.claim(taken.turn_id) is None

    assert stage.conversation(taken).lease_until is None
    assert claimed(worker, stage.say("next")).attempt == 1


# ---- what arrives meanwhile ----


def test_queued_turns_are_answered_one_after_another(stage: Stage) -> None:
    engine = ScriptedEngine(["one"], ["two"], ["three"])
    for text in ("a", "b", "c"):
        stage.say(text)

    stage.work(stage.worker(engine))

    assert stage.messages("assistant") == ["one", "two", "three"]
    assert len(engine.requests) == 3


def test_merged_turns_are_answered_together(make_stage: MakeStage) -> None:
    stage = make_stage(turns={"mode": "merge"})
    engine = ScriptedEngine()
    for text in ("first", "second", "third"):
        stage.say(text)

    stage.work(stage.worker(engine))

    assert engine.prompt == [("user", "first\n\nsecond\n\nthird")]
    assert stage.states() == ["merged", "merged", "answered"]
    assert stage.messages("assistant") == ["All well."]


def test_what_arrives_during_an_answer_is_merged_into_the_next(make_stage: MakeStage) -> None:
    stage = make_stage(turns={"mode": "merge"})
    engine = ScriptedEngine([lambda: (stage.say("b"), stage.say("c")), "one"], ["two"])
    stage.say("a")

    stage.work(stage.worker(engine))

    assert engine.prompt == [("user", "a"), ("assistant", "one"), ("user", "b\n\nc")]
    assert stage.states() == ["answered", "merged", "answered"]


def test_a_message_interrupts_the_running_answer(make_stage: MakeStage) -> None:
    stage = make_stage(turns={"mode": "interrupt"})
    worker = stage.worker()
    steps: list[Step] = ["So far ", lambda: stage.say("no, wait"), worker.running.look, "so long."]
    worker.engine.answers = [steps, ["The new one."]]
    stage.say("a long story please")

    stage.work(worker)

    assert stage.states() == ["stopped", "answered"]
    assert stage.messages("assistant") == ["So far", "The new one."]


def test_interrupting_twice_answers_both_together(make_stage: MakeStage) -> None:
    stage = make_stage(turns={"mode": "interrupt"})
    running = stage.say("one")
    worker = stage.worker()
    claim = claimed(worker, running)
    stage.say("two")
    stage.say("three")

    assert worker.order.stop_requested([claim]) == {claim.turn_id}
    assert stage.states() == ["running", "merged", "queued"]


def test_what_was_said_first_counts_however_often_the_answer_is_interrupted(make_stage: MakeStage) -> None:
    stage = make_stage(turns={"mode": "interrupt"})
    worker = stage.worker()
    file = IncomingAttachment("a.pdf", "application/pdf", "ref", 10)
    more = [lambda: stage.say("no", attachments=(file,)), lambda: stage.say("wait"), lambda: stage.say("a poem")]
    worker.engine.answers = [[*more, worker.running.look, "So far"], ["A poem."]]
    stage.say("a long story please")

    stage.work(worker)

    assert "a.pdf" in stage.messages("assistant")[-1]
    assert stage.states() == ["stopped", "merged", "merged", "answered"]


def test_what_was_merged_goes_along_where_its_turn_is_merged_too(make_stage: MakeStage) -> None:
    """Whoever takes them goes away each time, and more is said before the next does."""
    stage = make_stage(turns={"mode": "merge"})
    worker = stage.worker()
    for text in ("first", "second", "third"):
        worker.order.hand_back(claimed(worker, stage.say(text)))
    stage.command("new")
    claimed(worker, stage.say("fourth"))
    stage.clock.advance(31)
    stage.platform.sweep()

    stage.work(worker)

    assert worker.engine.prompt == [("user", "first\n\nsecond\n\nthird\n\nfourth")]
    assert [turn.state for turn in stage.turns() if turn.kind == "message"] == [
        "merged",
        "merged",
        "merged",
        "answered",
    ]


def test_a_conversation_has_its_own_mode(stage: Stage) -> None:
    stage.command("mode merge")
    stage.say("a")
    stage.say("b")
    stage.say("a", sender="ben")
    stage.say("b", sender="ben")

    stage.work(stage.worker())

    assert sorted(stage.states()) == sorted(["answered", "merged", "answered", "answered", "answered"])


# ---- stopping and handing back ----


def test_a_stop_request_is_seen(stage: Stage) -> None:
    taken = stage.say("hello")
    worker = stage.worker()
    claim = claimed(worker, taken)
    assert worker.order.stop_requested([claim]) == set()

    stage.command("stop")

    assert worker.order.stop_requested([claim]) == {claim.turn_id}


def test_a_turn_that_an_operator_dropped_counts_as_stopped(stage: Stage) -> None:
    taken = stage.say("hello")
    worker = stage.worker()
    claim = claimed(worker, taken)
    with stage.platform.database.begin() as session:
        session.execute(update(Turn).values(state="dropped"))

    assert worker.order.stop_requested([claim]) == {claim.turn_id}


@pytest.mark.parametrize(("counts", "attempts"), [(False, 0), (True, 1)])
def test_a_turn_handed_back_waits_and_keeps_count(stage: Stage, counts: bool, attempts: int) -> None:
    taken = stage.say("hello")
    worker = stage.worker()

    worker.order.hand_back(claimed(worker, taken), counts=counts)

    assert (stage.turn(taken).state, stage.turn(taken).attempts) == ("queued", attempts)
    assert stage.conversation(taken).lease_until is None
    claimed(stage.worker(owner="worker-2"), taken)


def test_the_first_start_of_a_turn_is_remembered(stage: Stage) -> None:
    taken = stage.say("hello")
    worker = stage.worker()
    began = stage.clock.now()
    worker.order.hand_back(claimed(worker, taken))
    stage.clock.advance(100)

    assert claimed(worker, taken).first_started_at == began


def test_the_next_turn_is_found_by_whoever_finishes(stage: Stage) -> None:
    first = stage.say("one")
    worker = stage.worker()
    claim = claimed(worker, first)
    second = stage.say("two")

    with stage.platform.database.begin() as session:
        session.execute(update(Turn).where(Turn.id == claim.turn_id).values(state="answered"))
        assert release(session, claim.conversation_id, claim.fence)
        following = next_open(session, claim.conversation_id)

    assert following.first() == second.turn_id


def test_a_turn_added_while_another_is_finished_is_published_by_one_of_the_two(stage: Stage) -> None:
    """Either intake sees that nothing is open any more, or the worker sees the new turn: never neither."""
    for _ in range(12):
        stage.say("one")
        worker, start = stage.worker(), Barrier(2)

        def add(start: Barrier = start) -> None:
            start.wait(60)
            stage.say("two")

        def answer(worker: Worker = worker, start: Barrier = start) -> None:
            (turn_id,) = stage.queue.take()
            start.wait(60)
            worker.answerer.answer(turn_id)

        _join([Thread(target=add), Thread(target=answer)])
        stage.work(worker)

        assert set(stage.states()) == {"answered"}


def test_workers_have_names_of_their_own_in_leases(stage: Stage) -> None:
    taken = stage.say("hello")
    claimed(stage.worker(owner="worker-7"), taken)

    assert stage.conversation(taken).lease_owner == "worker-7"


def test_a_system_prompt_of_the_workspace_comes_with_the_claim(stage: Stage) -> None:
    with stage.platform.database.begin() as session:
        session.execute(update(Workspace).values(system_prompt="You sell plants."))

    assert claimed(stage.worker(), stage.say("hello")).system_prompt == "You sell plants."


def _join(threads: list[Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
