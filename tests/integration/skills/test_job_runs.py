"""A skill's job in a worker: what it has, what it leaves, and how it ends."""

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import select

from parlour.engines.protocol import JOBS_AFTER
from parlour.settings import load
from parlour.skills.authoring import check, new_skill
from parlour.skills.documents import Shelf
from parlour.skills.job_runs import JobRunner
from parlour.skills.jobs import JobView
from parlour.store.database import Database
from parlour.store.ids import JobId
from parlour.store.skill_models import Job
from tests.fakes.turns import ScriptedEngine
from tests.processes import PARLOUR, Process, until
from tests.services import wait_until
from tests.support.skill_book import book_of
from tests.support.stage import Stage, copy_of, make_template, open_stage

JOBS = '''

@skill.every("1h")
async def summarise(model: Model, shared: SharedStore):
    """Keep what the model says."""
    await shared.put("note", {"text": await model.complete("What is new?")}, id="news")


@skill.every("0 7 * * *")
async def fail(shared: SharedStore):
    """Raise with what is in the store."""
    raise ValueError("MARKER")


@skill.every("2d")
async def hang(clock: Clock, shared: SharedStore):
    """Never end."""
    await shared.put("note", {"text": "begun"}, id="hang")
    await clock.sleep(3600)
'''
HOUR, DAY = 3_600, 86_400


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a skill installed that has jobs."""
    folder = tmp_path_factory.mktemp("jobs")
    new_skill(folder, "notes")
    source = folder / "notes" / "src" / "parlour_notes" / "__init__.py"
    source.write_text(source.read_text().replace("import Skill,", "import Clock, Model, SharedStore, Skill,") + JOBS)
    assert check(folder / "notes", is_freezing=True).problems == ()
    data = make_template(folder / "data")
    with open_stage(data) as stage:
        book = book_of(stage)
        offer = book.offer(folder / "notes")
        book.install(offer, granted=offer.new_grants)
    return data


@pytest.fixture
def stage(template: Path, tmp_path: Path) -> Iterator[Stage]:
    with open_stage(Path(copy_of(template, tmp_path / "data"))) as made:
        yield made
        made.platform.skills.close()


@pytest.fixture
def engine() -> ScriptedEngine:
    return ScriptedEngine(["Rain."])


@pytest.fixture
def runner(stage: Stage, engine: ScriptedEngine) -> JobRunner:
    return stage.platform.job_runner(cast("Any", engine))


def _run_due(stage: Stage, runner: JobRunner) -> dict[str, JobView]:
    for job_id in stage.platform.jobs.due():
        runner.run(job_id)
    return _jobs(stage)


def _jobs(stage: Stage) -> dict[str, JobView]:
    return {one.name: one for one in stage.platform.jobs.all(stage.platform.accounts.ensure_workspace())}


def _kept(stage: Stage, name: str) -> dict[str, Any] | None:
    workspace_id = stage.platform.accounts.ensure_workspace()
    shelf = Shelf(book_of(stage).get("notes").id, workspace_id)
    return stage.platform.skills._documents.get(shelf, "note", name)


def test_a_job_asks_the_model_behind_people_and_keeps_what_it_found(
    stage: Stage, runner: JobRunner, engine: ScriptedEngine
) -> None:
    stage.clock.advance(HOUR)

    job = _run_due(stage, runner)["summarise"]

    assert (job.outcome, job.error, job.runs, job.is_running) == ("done", None, 1, False)
    assert _kept(stage, "news") == {"text": "Rain.", "id": "news"}
    assert [request.priority for request in engine.requests] == [JOBS_AFTER]


def test_of_a_job_that_fails_class_and_place_are_kept_and_no_content(stage: Stage, runner: JobRunner) -> None:
    stage.clock.advance(DAY)

    job = _run_due(stage, runner)["fail"]

    assert job.outcome == "failed"
    assert job.error is not None
    assert job.error.startswith("ValueError at parlour_notes/__init__.py:")


def test_one_call_does_all_that_is_due(stage: Stage, runner: JobRunner) -> None:
    stage.clock.advance(DAY)
    first, *_ = stage.platform.jobs.due()

    runner.run(first)

    assert {one.name for one in _jobs(stage).values() if one.runs} == {"summarise", "fail"}


def test_a_job_that_runs_is_ended_at_shutdown_and_begun_anew_elsewhere(
    stage: Stage, runner: JobRunner, engine: ScriptedEngine
) -> None:
    stage.clock.advance(2 * DAY)
    (hang,) = [JobId(one.id) for one in _rows(stage) if one.name == "hang"]
    work = threading.Thread(target=runner.run, args=(hang,))
    work.start()
    wait_until(lambda: _kept(stage, "hang") is not None, what="the job has begun")
    assert _jobs(stage)["hang"].is_running

    runner.close()
    work.join(timeout=60)

    assert not work.is_alive()
    job = _jobs(stage)["hang"]
    assert (job.is_running, job.runs) == (False, 0)
    assert hang in stage.platform.jobs.due()


def test_a_job_that_hangs_holds_up_no_other_call(stage: Stage, runner: JobRunner) -> None:
    """Nobody waits for it: a second message finds the worker busy and goes."""
    stage.clock.advance(2 * DAY)
    (hang,) = [JobId(one.id) for one in _rows(stage) if one.name == "hang"]
    work = threading.Thread(target=runner.run, args=(hang,))
    work.start()
    wait_until(lambda: _kept(stage, "hang") is not None, what="the job has begun")

    runner.run(hang)

    runner.close()
    work.join(timeout=60)


def _rows(stage: Stage) -> list[Job]:
    with stage.platform.database.read() as session:
        return list(session.query(Job))


def test_scheduler_queue_and_worker_do_it_together(template: Path, tmp_path: Path) -> None:
    """By the test's clock it is due long since."""
    folder = copy_of(template, tmp_path / "data")
    known = {"PARLOUR_DATA_DIR": str(folder), "PARLOUR_ENGINE__KIND": "echo", "PARLOUR_WEB__PORT": "0"}
    with (
        Process([*PARLOUR, "up"], known, cwd=tmp_path) as up,
        closing(Database(load({}, data_dir=folder).database_url)) as database,
    ):

        def outcome() -> str | None:
            with database.read() as session:
                return session.scalars(select(Job.outcome).where(Job.name == "summarise")).one()

        up.await_ready()
        until(lambda: outcome() is not None, timeout_s=60, told=lambda: up.output)

        assert outcome() == "done"
