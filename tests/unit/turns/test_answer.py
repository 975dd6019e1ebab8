"""Answering a turn: the answer committed, told, counted; and whatever goes wrong in the middle."""

from collections.abc import Callable

import pytest
from sqlalchemy import update

from parlour.engines.errors import EngineBusy, EngineDied, EngineUnavailable, PromptTooLong
from parlour.privacy.models import DataKeyRow
from parlour.store.errors import DatabaseUnavailable
from parlour.store.ids import UserId
from parlour.store.models import Attachment
from parlour.turns.answer import ENGINE_PATIENCE
from parlour.turns.ports import Frame, IncomingAttachment, Taken
from parlour.turns.wording import say
from tests.fakes.turns import ScriptedEngine
from tests.support.counted import counted
from tests.support.stage import Stage, Worker

MakeStage = Callable[..., Stage]

SECRET = "a-text-of-the-library-with-content"


@pytest.fixture(autouse=True)
def every_piece_is_a_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parlour.turns.answer.FRAME_EVERY_S", 0.0)


# ---- the good case ----


def test_an_answer_is_stored_sealed_and_put_into_the_ledger(stage: Stage) -> None:
    taken = stage.answered("hello", says=["Good ", "morning."])

    turn = stage.turn(taken)
    (delivery,) = stage.deliveries()
    assert (turn.state, turn.prompt_tokens, turn.completion_tokens) == ("answered", 7, 2)
    assert stage.messages("assistant") == ["Good morning."]
    assert (delivery.state, delivery.turn_id) == ("pending", turn.id)
    assert stage.conversation(taken).lease_until is None


def test_an_answer_in_the_web_is_delivered_by_being_stored(make_stage: MakeStage) -> None:
    stage = make_stage(channel="web")

    stage.answered("hello")

    assert [row.state for row in stage.deliveries()] == ["sent"]


def test_whoever_watches_is_told_that_it_began_and_that_it_is_ready(stage: Stage) -> None:
    taken = stage.answered("hello")

    kinds = [live.frame for live in stage.bus.frames]
    assert (kinds[0], kinds[-1]) == (Frame.TAKEN, Frame.READY)
    assert {live.turn_id for live in stage.bus.frames} == {taken.turn_id}


def test_frames_carry_the_whole_text_so_far_sealed_under_the_persons_key(stage: Stage) -> None:
    """G7: the bus may be a Redis that others can read."""
    taken = stage.answered("hello", says=["The marker-of-this-test", " and more."])

    frames = stage.bus.of(Frame.DRAFT)
    user_id = UserId(stage.turn(taken).user_id)
    opened = [stage.platform.sealer.open_live(user_id, live.turn_id, live.body).decode() for live in frames]
    assert opened == ["The marker-of-this-test", "The marker-of-this-test and more."]
    assert all(b"marker-of-this-test" not in live.body for live in frames)


def test_frames_are_thinned_after_the_first(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first words are shown at once, however long the next ones take."""
    monkeypatch.setattr("parlour.turns.answer.FRAME_EVERY_S", 3_600.0)

    stage.answered("hello", says=["a ", "b ", "c "])

    assert len(stage.bus.of(Frame.DRAFT)) == 1


def test_many_answers_at_once_share_the_frames_of_a_few(make_stage: MakeStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sealing and publishing are paid per frame, so their cost must not grow with the people."""
    monkeypatch.setattr("parlour.turns.answer.FRAME_EVERY_S", 1e-9)
    monkeypatch.setattr("parlour.turns.answer._SMOOTH_AT_ONCE", 1e-12)
    stage = make_stage()

    stage.answered("hello", says=["a ", "b ", "c "])

    assert len(stage.bus.of(Frame.DRAFT)) == 1


def test_a_dead_bus_costs_nothing_but_drafts(stage: Stage) -> None:
    stage.bus.is_dead = True

    stage.answered("hello")

    assert stage.messages("assistant") == ["All well."]


def test_the_next_turn_is_published_by_whoever_finishes(stage: Stage) -> None:
    first, second = stage.say("one"), stage.say("two")
    worker = stage.worker()
    assert stage.queue.take() == [first.turn_id]
    assert first.turn_id

    worker.answerer.answer(first.turn_id)

    assert stage.queue.take() == [second.turn_id]


def test_a_broker_that_vanished_meanwhile_loses_no_answer(stage: Stage) -> None:
    """G6."""
    taken = stage.say("one")
    stage.say("two")
    worker = stage.worker()
    stage.queue.is_down = True
    assert taken.turn_id

    worker.answerer.answer(taken.turn_id)

    assert stage.states() == ["answered", "queued"]


def test_a_task_that_comes_twice_answers_once(stage: Stage) -> None:
    taken = stage.say("hello")
    worker = stage.worker()
    assert taken.turn_id

    worker.answerer.answer(taken.turn_id)
    worker.answerer.answer(taken.turn_id)

    assert len(worker.engine.requests) == 1
    assert stage.messages("assistant") == ["All well."]


def test_the_prefix_cache_is_parted_by_workspace_or_by_person(make_stage: MakeStage) -> None:
    stage = make_stage(engine={"kind": "echo", "cache_salt": "user"})
    engine = ScriptedEngine()
    taken = stage.say("hello")

    stage.work(stage.worker(engine))

    assert engine.requests[0].cache_salt == str(stage.turn(taken).user_id)


def test_people_of_one_workspace_share_the_prefix_cache_otherwise(stage: Stage) -> None:
    engine = ScriptedEngine()
    stage.say("hello")
    stage.say("hello", sender="ben")

    stage.work(stage.worker(engine))

    first, second = (request.cache_salt for request in engine.requests)
    assert first == second


def test_an_engine_that_says_nothing_still_ends_the_turn(stage: Stage) -> None:
    taken = stage.answered("hello", says=[" \n"])

    assert stage.turn(taken).state == "answered"
    assert stage.messages("assistant") == ["…"]


def test_answers_are_counted(stage: Stage) -> None:
    stage.answered("hello", says=["a", "b"])

    assert stage.metric("parlour_turns_finished_total", state="answered") == 1
    assert stage.metric("parlour_tokens_total", kind="completion") == 2
    assert stage.metric("parlour_first_piece_seconds_count") == 1


# ---- the engine in trouble ----


@pytest.mark.parametrize("error", [EngineBusy(SECRET), EngineUnavailable(SECRET)])
def test_an_engine_that_is_away_is_waited_for_and_costs_no_try(stage: Stage, error: Exception) -> None:
    taken = stage.say("hello")

    stage.work(stage.worker(ScriptedEngine([error])))

    turn = stage.turn(taken)
    assert (turn.state, turn.attempts) == ("queued", 0)
    assert turn.due_at > stage.clock.now()
    assert stage.deliveries() == []


def test_an_engine_that_comes_back_answers(stage: Stage) -> None:
    stage.say("hello")
    worker = stage.worker(ScriptedEngine([EngineUnavailable()], ["Back again."]))
    stage.work(worker)

    stage.clock.advance(5)
    stage.platform.sweep()
    stage.work(worker)

    assert stage.messages("assistant") == ["Back again."]


def test_an_engine_that_stays_away_is_given_up_with_a_word(stage: Stage) -> None:
    taken = stage.say("你好，请回答")
    worker = stage.worker(ScriptedEngine([EngineUnavailable(SECRET)]))
    stage.work(worker)
    stage.clock.advance(ENGINE_PATIENCE.total_seconds() + 1)

    _retell(stage, worker, taken)

    turn = stage.turn(taken)
    assert (turn.state, turn.error) == ("failed", "EngineUnavailable")
    assert stage.messages("notice") == [say("engine_away", "zh", reference=turn.id)]


def test_a_turn_that_waited_long_behind_others_has_patience_left(stage: Stage) -> None:
    """The engine was not what it waited for until now."""
    taken = stage.say("hello")
    stage.clock.advance(3_600)

    stage.work(stage.worker(ScriptedEngine([EngineBusy()])))

    assert stage.turn(taken).state == "queued"


def test_the_longer_an_engine_is_away_the_rarer_it_is_asked(stage: Stage) -> None:
    taken = stage.say("hello")
    worker = stage.worker(ScriptedEngine([EngineUnavailable()]))
    delays = []
    for passed in (0, 20, 300):
        stage.clock.advance(passed)
        _retell(stage, worker, taken)
        delays.append((stage.turn(taken).due_at - stage.clock.now()).total_seconds())

    assert delays == [1.0, 5.0, 30.0]


def test_an_engine_that_dies_in_the_middle_starts_the_answer_afresh(stage: Stage) -> None:
    taken = stage.say("hello")
    worker = stage.worker(ScriptedEngine(["Half of ", EngineDied()], ["The whole answer."]))
    stage.work(worker)
    assert stage.turn(taken).attempts == 1

    stage.platform.sweep()
    stage.work(worker)

    assert stage.messages("assistant") == ["The whole answer."]


@pytest.mark.parametrize("error", [EngineDied(SECRET), RuntimeError(SECRET), KeyError(SECRET)])
def test_what_breaks_every_time_is_given_up_and_no_word_of_it_reaches_the_person(
    stage: Stage, error: Exception
) -> None:
    taken = stage.say("hello")
    following = stage.say("next")
    worker = stage.worker(ScriptedEngine([error], [error], [error], ["The next one."]))
    for _ in range(3):
        _retell(stage, worker, taken)
        stage.clock.advance(60)

    _retell(stage, worker, taken)

    turn = stage.turn(taken)
    assert (turn.state, turn.error, turn.attempts) == ("failed", "gave_up", 3)
    assert stage.messages("notice") == [say("failed", "en", reference=turn.id)]
    assert stage.turn(following).state == "answered"
    assert SECRET not in " ".join(stage.messages())


def test_a_prompt_too_long_for_the_model_is_told_and_not_tried_again(stage: Stage) -> None:
    taken = stage.say("hello")

    stage.work(stage.worker(ScriptedEngine([PromptTooLong(SECRET)])))

    turn = stage.turn(taken)
    assert (turn.state, turn.error, turn.attempts) == ("failed", "prompt_too_long", 1)
    assert stage.messages("notice") == [say("too_long_for_model", "en", reference=turn.id)]
    assert stage.metric("parlour_turns_finished_total", state="failed") == 1


def test_a_question_longer_than_the_window_is_told(make_stage: MakeStage) -> None:
    stage = make_stage(engine={"kind": "echo", "max_tokens": 10})
    taken = stage.say("word " * 200)

    stage.work(stage.worker(ScriptedEngine(context_tokens=100)))

    assert stage.turn(taken).error == "prompt_too_long"


# ---- ended early ----


def test_a_stop_keeps_what_was_said_so_far(stage: Stage) -> None:
    worker = stage.worker()
    worker.engine.answers = [["Once upon a time", lambda: _stop(stage, worker), " there was"]]
    taken = stage.say("tell me a story")

    stage.work(worker)

    assert stage.turn(taken).state == "stopped"
    assert stage.messages("assistant") == ["Once upon a time"]
    assert "there was" not in " ".join(stage.messages())


def test_a_stop_before_the_first_word_says_that_it_stopped(stage: Stage) -> None:
    worker = stage.worker()
    worker.engine.answers = [[lambda: _stop(stage, worker), "never said"]]
    stage.say("tell me a story")

    stage.work(worker)

    assert stage.messages("assistant") == ["Stopped."]


def test_a_lease_lost_in_the_middle_writes_nothing(stage: Stage) -> None:
    """G4: the other worker's answer is the only one."""
    worker = stage.worker()
    worker.engine.answers = [["Half ", lambda: _taken_over(stage), worker.running.look, "and half."]]
    taken = stage.say("hello")

    stage.work(worker)

    assert stage.messages("assistant") == ["By the other worker."]
    assert stage.turn(taken).state == "answered"
    assert len(stage.deliveries()) == 1


def test_a_lease_lost_without_noticing_writes_nothing_either(stage: Stage) -> None:
    """The fence refuses the finished answer of a worker that was frozen all the while."""
    worker = stage.worker()
    worker.engine.answers = [["Half ", lambda: _taken_over(stage), "and half."]]
    stage.say("hello")

    stage.work(worker)

    assert stage.messages("assistant") == ["By the other worker."]
    assert len(stage.deliveries()) == 1


def test_a_lease_that_ran_out_while_the_database_was_away_writes_nothing_half_done(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has taken over yet, so the fence would let it through; but the answer was broken off."""
    worker = stage.worker()

    def outage() -> None:
        with monkeypatch.context() as patched:
            patched.setattr(worker.order, "renew", _away)
            stage.clock.advance(31)
            worker.running.look()

    worker.engine.answers = [["Half ", outage, "and half."]]
    taken = stage.say("hello")

    stage.work(worker)

    assert stage.turn(taken).state == "running"
    assert stage.deliveries() == []


def test_what_breaks_in_a_worker_that_lost_its_lease_changes_nothing(stage: Stage) -> None:
    worker = stage.worker()
    worker.engine.answers = [["Half ", lambda: _taken_over(stage), RuntimeError(SECRET)]]
    taken = stage.say("hello")

    stage.work(worker)

    assert (stage.turn(taken).state, stage.turn(taken).attempts) == ("answered", 2)


def test_a_shutdown_hands_the_turn_back_to_another_worker(stage: Stage) -> None:
    worker = stage.worker()
    worker.engine.answers = [["Half ", worker.running.hand_back_all, "and half."]]
    taken = stage.say("hello")
    (turn_id,) = stage.queue.take()

    worker.answerer.answer(turn_id)

    assert (stage.turn(taken).state, stage.turn(taken).attempts) == ("queued", 0)
    assert stage.queue.waiting == [turn_id]
    stage.work(stage.worker(owner="worker-2"))
    assert stage.messages("assistant") == ["All well."]


def test_a_person_erased_in_the_middle_gets_nothing_and_keeps_nothing(stage: Stage) -> None:
    """G8: work in flight is fenced."""
    worker = stage.worker()
    taken = stage.say("hello")
    worker.engine.answers = [["Half ", lambda: _shred(stage, taken), "and half."]]
    for _ in range(2):
        _retell(stage, worker, taken)

    assert stage.turn(taken).state == "dropped"
    assert stage.deliveries() == []


def test_a_person_erased_before_is_not_answered(stage: Stage) -> None:
    taken = stage.say("hello", attachments=(IncomingAttachment("a.pdf", "application/pdf", "ref", 10),))
    _shred(stage, taken)
    engine = ScriptedEngine()

    stage.work(stage.worker(engine))

    assert stage.turn(taken).state == "dropped"
    assert engine.requests == []


def test_the_poisoned_turn_of_an_erased_person_is_dropped_without_a_word(stage: Stage) -> None:
    """Telling them would need their key; failing at that would come back for ever."""
    taken = stage.say("hello")
    worker = stage.worker()
    for _ in range(3):
        assert taken.turn_id
        worker.claim(taken.turn_id)
        stage.clock.advance(31)
    _shred(stage, taken)

    _retell(stage, worker, taken)

    assert stage.turn(taken).state == "dropped"
    assert stage.deliveries() == []


# ---- files ----


def test_a_file_that_the_model_cannot_read_is_named_before_the_answer(stage: Stage) -> None:
    stage.answered("what is this?", attachments=(IncomingAttachment("cat.jpg", "image/jpeg", "ref", 10),))

    expected = say("files_unread", "en", names="cat.jpg")
    assert stage.messages("assistant") == [f"{expected}\n\nAll well."]


def test_a_file_alone_is_named_and_the_model_not_asked(stage: Stage) -> None:
    engine = ScriptedEngine()
    stage.say("", attachments=(IncomingAttachment("cat.jpg", "image/jpeg", "ref", 10),), language="zh")

    stage.work(stage.worker(engine))

    assert engine.requests == []
    assert stage.messages("assistant") == [say("files_unread", "zh", names="cat.jpg")]


def test_a_file_that_was_too_large_is_told_with_the_limit(make_stage: MakeStage) -> None:
    stage = make_stage(turns={"max_attachment_bytes": 2_000_000})

    stage.answered("", attachments=(IncomingAttachment("film.mp4", "video/mp4", "ref", 3_000_000),))

    assert stage.messages("assistant") == [say("files_too_large", "en", names="film.mp4", limit=2)]


def test_files_of_merged_messages_are_named_too(make_stage: MakeStage) -> None:
    stage = make_stage(turns={"mode": "merge"})
    stage.say("", attachments=(IncomingAttachment("cat.jpg", "image/jpeg", "ref", 10),))

    stage.answered("what is this?")

    assert stage.messages("assistant")[0].startswith(say("files_unread", "en", names="cat.jpg"))


def test_a_file_found_too_large_while_it_was_fetched_is_told_as_such(stage: Stage) -> None:
    stage.say("", attachments=(IncomingAttachment("film.mp4", "video/mp4", "ref"),))
    with stage.platform.database.begin() as session:
        session.execute(update(Attachment).values(state="too_large"))

    stage.work(stage.worker())

    assert stage.messages("assistant") == [say("files_too_large", "en", names="film.mp4", limit=10)]


def _away(_: object) -> None:
    raise DatabaseUnavailable("away")


def _retell(stage: Stage, worker: Worker, taken: Taken) -> None:
    """Tell the worker of the turn again, as the sweeper does."""
    assert taken.turn_id
    stage.queue.take()
    worker.answerer.answer(taken.turn_id)
    stage.work(worker)


def _stop(stage: Stage, worker: Worker) -> None:
    stage.command("stop")
    worker.running.look()


def _taken_over(stage: Stage) -> None:
    """The lease runs out and another worker answers."""
    stage.clock.advance(31)
    stage.platform.sweep()
    stage.work(stage.worker(ScriptedEngine(["By the other worker."]), owner="worker-2"))


def _shred(stage: Stage, taken: Taken) -> None:
    """Destroy the person's data key, as erasing does."""
    privacy, user_id = stage.platform.privacy, UserId(stage.turn(taken).user_id)
    with privacy.key_store.begin() as session:
        session.execute(update(DataKeyRow).where(DataKeyRow.subject_id == user_id).values(wrapped=None))
    privacy.keyring.forget(user_id)


def test_a_plain_turn_asks_the_database_eleven_things(stage: Stage) -> None:
    worker = stage.worker()
    stage.say("hello")
    stage.work(worker)
    taken = stage.say("hello again")
    assert taken.turn_id is not None

    with counted() as statements:
        worker.answerer.answer(taken.turn_id)

    # Lease and open turns, the turn begun, messages, files; released, ended, message, news before it, delivery, who is
    # next.
    assert len(statements) == 11
