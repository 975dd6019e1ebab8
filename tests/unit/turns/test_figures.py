"""The last day's figures, by the hour."""

from sqlalchemy import update

from parlour.store.ids import WorkspaceId, new_id
from parlour.store.models import Turn
from parlour.turns.figures import read_figures
from parlour.turns.states import TurnState
from tests.fakes.turns import ScriptedEngine
from tests.support.stage import Stage

HOUR_S = 3600


def its(stage: Stage) -> WorkspaceId:
    return stage.platform.accounts.ensure_workspace()


def answered_after(stage: Stage, seconds: float, **details: str) -> None:
    """Someone writes and is answered so much later."""
    stage.say("hello", **details)
    stage.clock.advance(seconds)
    stage.work(stage.worker(ScriptedEngine(["All well."])))


def test_a_day_is_told_by_the_hour(stage: Stage) -> None:
    for number, seconds in enumerate((1, 2, 3, 40)):
        answered_after(stage, seconds, chat=f"chat-{number}")
    stage.clock.advance(HOUR_S)
    answered_after(stage, 7, chat="later")
    stage.say("still waiting", chat="waiting")

    figures = read_figures(stage.platform.database, its(stage))

    before, latest = figures.hours[-2:]
    assert (before.states, before.p50_s, before.p99_s) == ({"answered": 4}, 2.0, 40.0)
    assert (latest.states, latest.p50_s, latest.turns) == ({"answered": 1, "queued": 1}, 7.0, 2)
    assert sum(hour.turns for hour in figures.hours[:-2]) == 0
    assert (figures.states, figures.p50_s, figures.p99_s) == ({"answered": 5, "queued": 1}, 3.0, 40.0)
    assert (figures.waiting, figures.running, figures.is_cut) == (1, 0, False)


def test_tokens_and_errors_add_up(stage: Stage) -> None:
    first, second = stage.say("one", chat="1"), stage.say("two", chat="2")
    with stage.platform.database.begin() as session:
        spent = {"state": TurnState.FAILED.value, "error": "EngineDied", "prompt_tokens": 30, "completion_tokens": 4}
        session.execute(update(Turn).where(Turn.id.in_([first.turn_id, second.turn_id])).values(spent))

    figures = read_figures(stage.platform.database, its(stage))

    assert (figures.prompt_tokens, figures.completion_tokens, figures.hours[-1].tokens) == (60, 8, 68)
    assert (figures.errors, figures.p50_s) == ([("EngineDied", 2)], None)


def test_another_workspaces_turns_are_none_of_its_own(stage: Stage) -> None:
    stage.answered("hello")

    assert read_figures(stage.platform.database, WorkspaceId(new_id())).states == {}
    assert read_figures(stage.platform.database, its(stage)).states == {"answered": 1}
