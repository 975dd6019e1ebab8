"""Answers that take their time: seen while they are written, stopped, interrupted, taken over from a dead worker."""

import signal
from collections.abc import Iterator

import pytest

from tests.fakes.paced_model import PacedModel
from tests.fakes.telegram import FakeTelegram
from tests.integration.e2e.conftest import telegram_variables
from tests.integration.e2e.layouts import Production, Start
from tests.processes import until


@pytest.fixture
def model() -> Iterator[PacedModel]:
    """A model that holds every answer after its first word."""
    with PacedModel() as server:
        yield server


def test_a_slow_answer_is_seen_while_it_is_written_and_stays_once(
    embedded: Start, telegram: FakeTelegram, model: PacedModel
) -> None:
    """In a private chat a draft is shown while the model writes; the answer replaces it."""
    with embedded(**telegram_variables(telegram), **model.environment) as house:
        telegram.say(7, "first second third")
        until(lambda: telegram.drafts(7), told=lambda: house.output)

        model.let_go()
        until(lambda: telegram.texts(7), told=lambda: house.output)

        assert telegram.texts(7) == ["first second third"]


def test_stop_aborts_in_the_engine_and_keeps_what_was_said(
    embedded: Start, telegram: FakeTelegram, model: PacedModel
) -> None:
    """After /stop the model server sees its request go away, though it has not said another word."""
    with embedded(**telegram_variables(telegram), **model.environment) as house:
        telegram.say(7, "first second third")
        until(lambda: telegram.drafts(7), told=lambda: house.output)

        telegram.say(7, "/stop")
        until(lambda: model.aborted == 1, told=lambda: house.output)
        until(lambda: "first" in telegram.texts(7), told=lambda: house.output)

        assert "first second third" not in telegram.texts(7)
        assert model.finished == 0


def test_a_killed_workers_turn_is_answered_by_another(
    production: Start, telegram: FakeTelegram, model: PacedModel
) -> None:
    """kill -9 in the middle of an answer: the other worker takes the turn over when the lease has run out."""
    with production(**telegram_variables(telegram), **model.environment, PARLOUR_TURNS__LEASE_S="3") as house:
        assert isinstance(house, Production)
        telegram.say(7, "first second third")
        until(lambda: len(model.asked) == 1, told=lambda: house.output)
        house.launch_worker("second").await_ready()

        house.processes["worker"].kill()
        until(lambda: len(model.asked) == 2, told=lambda: house.output)
        model.let_go()
        until(lambda: telegram.texts(7), told=lambda: house.output)

        assert telegram.texts(7) == ["first second third"]


def test_a_frozen_worker_writes_nothing_after_it_was_taken_over(
    production: Start, telegram: FakeTelegram, model: PacedModel
) -> None:
    """SIGSTOP past the lease, then SIGCONT: the fence refuses the late answer, the person gets one."""
    with production(**telegram_variables(telegram), **model.environment, PARLOUR_TURNS__LEASE_S="3") as house:
        assert isinstance(house, Production)
        frozen = house.processes["worker"]
        telegram.say(7, "first second third")
        until(lambda: len(model.asked) == 1, told=lambda: house.output)
        house.launch_worker("second").await_ready()

        frozen.send(signal.SIGSTOP)
        until(lambda: len(model.asked) == 2, told=lambda: house.output)
        model.let_go()
        until(lambda: telegram.texts(7), told=lambda: house.output)
        frozen.send(signal.SIGCONT)
        until(lambda: "late_answer_refused" in frozen.output, told=lambda: house.output)

        assert telegram.texts(7) == ["first second third"]


def test_a_shutdown_finishes_what_runs(production: Start, telegram: FakeTelegram, model: PacedModel) -> None:
    """SIGTERM in the middle of an answer: the worker takes nothing new, finishes, and ends well."""
    # It gives up what takes longer to drain.
    drain = {"PARLOUR_TURNS__DRAIN_S": "60"}
    with production(**telegram_variables(telegram), **model.environment, **drain) as house:
        worker = house.processes["worker"]
        telegram.say(7, "first second third")
        until(lambda: len(model.asked) == 1, told=lambda: house.output)

        worker.send(signal.SIGTERM)
        until(lambda: "drain_begins" in worker.output, told=lambda: house.output)
        model.let_go()
        code = worker.wait(timeout_s=120)
        until(lambda: telegram.texts(7), told=lambda: house.output)

        assert telegram.texts(7) == ["first second third"]
        assert code == 0


@pytest.mark.parametrize(
    ("mode", "later", "answers"),
    [
        ("queue", ["three four", "five six"], ["one two", "three four", "five six"]),
        ("merge", ["three four", "five six"], ["one two", "three four five six"]),
        ("interrupt", ["three four"], ["one", "three four"]),
    ],
)
def test_what_arrives_during_an_answer(
    embedded: Start, telegram: FakeTelegram, model: PacedModel, mode: str, later: list[str], answers: list[str]
) -> None:
    """Queued, merged into the next turn, or stopping the running one."""
    with embedded(**telegram_variables(telegram), **model.environment, PARLOUR_TURNS__MODE=mode) as house:
        telegram.say(7, "one two")
        until(lambda: telegram.drafts(7), told=lambda: house.output)
        for text in later:
            telegram.say(7, text)
        until(lambda: len(telegram.state()["confirmed"]) == 1 + len(later), told=lambda: house.output)
        until(lambda: model.aborted == (1 if mode == "interrupt" else 0), told=lambda: house.output)

        model.let_go()
        until(lambda: telegram.texts(7)[-1:] == answers[-1:], told=lambda: house.output)

        assert telegram.texts(7) == answers
