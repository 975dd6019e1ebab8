"""What skills do by themselves: once, one at a time, behind people, on both databases."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import delete, update

from parlour.sdk.manifest import Entry, Manifest, to_json
from parlour.skills.jobs import JobBook, JobView, plan, unplan
from parlour.store.database import Database
from parlour.store.ids import JobId, SkillId, WorkspaceId, new_id
from parlour.store.models import Conversation, Turn, User
from parlour.store.skill_models import SkillRow, SkillScope
from parlour.turns.ports import QueueUnavailable
from parlour.turns.sweeper import sweep_jobs
from tests.fakes.clock import FakeClock
from tests.support.stage import StillDatabase
from tests.support.storage import Storage


class Queue:
    """A `JobQueue` that remembers."""

    def __init__(self) -> None:
        self.told: list[JobId] = []
        self.is_down = False

    def publish_job(self, job_id: JobId) -> None:
        if self.is_down:
            raise QueueUnavailable("the test's broker is away")
        self.told.append(job_id)


def manifest(**jobs: str) -> Manifest:
    """A skill with these jobs."""
    entries = tuple(Entry(f"job:{name}", "job", name, schedule=schedule) for name, schedule in jobs.items())
    return Manifest("watcher", "1.0", "Watches", "watcher:skill", handlers=entries)


@pytest.fixture
def clock(storage: Storage) -> FakeClock:
    return storage.clock


@pytest.fixture
def database(storage: Storage, clock: FakeClock) -> Iterator[Database]:
    with closing(StillDatabase(storage.database.url, clock)) as still:
        yield still


@pytest.fixture
def workspace_id(storage: Storage) -> WorkspaceId:
    return storage.workspace()


@pytest.fixture
def skill_id(database: Database, workspace_id: WorkspaceId) -> SkillId:
    return _add_skill(database, workspace_id, manifest(watch="5m"))


def _add_skill(database: Database, workspace_id: WorkspaceId, made: Manifest, name: str = "watcher") -> SkillId:
    now = database.clock.now()
    row = SkillRow(id=new_id(), workspace_id=workspace_id, name=name, version="1.0", state="enabled")
    row.manifest, row.lock, row.folder = to_json(made), "{}", "nowhere"
    row.installed_at = row.updated_at = now
    with database.begin() as session:
        session.add(row)
        session.flush()
        plan(session, SkillId(row.id), made, now=now)
    return SkillId(row.id)


@pytest.fixture
def jobs(database: Database, skill_id: SkillId) -> JobBook:
    return JobBook(database, owner="worker-1")


@pytest.fixture
def others(database: Database) -> JobBook:
    """The same, in another process."""
    return JobBook(database, owner="worker-2")


@pytest.fixture
def queue() -> Queue:
    return Queue()


def _one(jobs: JobBook, workspace_id: WorkspaceId) -> JobView:
    (view,) = jobs.all(workspace_id)
    return view


# ---- when it is due ---------------------------------------------------------------------------------------------


def test_a_job_is_published_when_it_is_due_and_not_before(jobs: JobBook, queue: Queue, clock: FakeClock) -> None:
    clock.advance(299)
    assert sweep_jobs(jobs, queue) == 0

    clock.advance(1)
    assert sweep_jobs(jobs, queue) == 1
    assert jobs.claim(queue.told[0]) is not None


def test_a_published_job_that_nobody_took_is_published_again(jobs: JobBook, queue: Queue, clock: FakeClock) -> None:
    clock.advance(300)
    sweep_jobs(jobs, queue)
    assert sweep_jobs(jobs, queue) == 0

    clock.advance(30)

    assert sweep_jobs(jobs, queue) == 1


def test_without_a_broker_nothing_is_lost(jobs: JobBook, queue: Queue, clock: FakeClock) -> None:
    clock.advance(300)
    queue.is_down = True
    assert sweep_jobs(jobs, queue) == 0

    queue.is_down = False

    assert sweep_jobs(jobs, queue) == 1


def test_times_that_were_missed_are_made_up_for_by_one_run(
    jobs: JobBook, clock: FakeClock, workspace_id: WorkspaceId
) -> None:
    clock.advance(3 * 86_400)
    claim = jobs.claim()
    assert claim is not None
    clock.advance(10)

    assert jobs.finish(claim, "done")

    assert jobs.claim() is None
    assert _one(jobs, workspace_id).due_at == clock.now() + timedelta(minutes=5)


def test_a_run_that_was_in_time_leaves_the_rhythm_as_it_is(
    jobs: JobBook, clock: FakeClock, workspace_id: WorkspaceId
) -> None:
    due_at = _one(jobs, workspace_id).due_at
    clock.advance(307)
    claim = jobs.claim()
    assert claim is not None

    jobs.finish(claim, "done")

    assert _one(jobs, workspace_id).due_at == due_at + timedelta(minutes=5)


# ---- once, and one at a time ------------------------------------------------------------------------------------


def test_of_many_workers_one_gets_it(jobs: JobBook, database: Database, clock: FakeClock) -> None:
    clock.advance(300)
    workers = [JobBook(database, owner=f"worker-{number}") for number in range(8)]

    with ThreadPoolExecutor(8) as threads:
        claims = list(threads.map(lambda one: one.claim(), workers))

    assert sum(claim is not None for claim in claims) == 1


def test_a_run_that_lasts_past_its_next_time_is_not_begun_beside_itself(
    jobs: JobBook, others: JobBook, clock: FakeClock, queue: Queue
) -> None:
    clock.advance(300)
    claim = jobs.claim()
    assert claim is not None
    for _ in range(60):
        clock.advance(10)
        assert jobs.renew(claim)
        assert others.claim() is None

    assert sweep_jobs(others, queue) == 0


def test_a_run_whose_worker_died_is_taken_over_and_the_late_worker_writes_nothing(
    jobs: JobBook, others: JobBook, clock: FakeClock, workspace_id: WorkspaceId
) -> None:
    clock.advance(300)
    lost = jobs.claim()
    assert lost is not None
    assert others.claim() is None
    clock.advance(31)

    taken = others.claim()

    assert taken is not None
    assert taken.fence > lost.fence
    assert not jobs.renew(lost)
    assert not jobs.finish(lost, "done")
    assert others.finish(taken, "failed", "ValueError at watcher.py:7")
    view = _one(jobs, workspace_id)
    assert (view.outcome, view.error, view.runs) == ("failed", "ValueError at watcher.py:7", 1)


def test_a_job_that_kills_its_workers_is_given_up_until_it_is_due_again(
    jobs: JobBook, clock: FakeClock, workspace_id: WorkspaceId
) -> None:
    clock.advance(300)
    for _ in range(3):
        assert jobs.claim() is not None
        clock.advance(31)

    assert jobs.claim() is None

    view = _one(jobs, workspace_id)
    assert (view.outcome, view.runs) == ("given_up", 1)
    assert view.due_at > clock.now()


def test_a_worker_that_shuts_down_gives_it_to_the_next(jobs: JobBook, others: JobBook, clock: FakeClock) -> None:
    clock.advance(300)
    for _ in range(5):
        claim = jobs.claim()
        assert claim is not None
        jobs.hand_back(claim)

    assert others.claim() is not None


def test_the_job_that_was_asked_for_goes_first(jobs: JobBook, database: Database, workspace_id: WorkspaceId) -> None:
    _add_skill(database, workspace_id, manifest(other="5m"), "another")
    database.clock.advance(400)  # type: ignore[attr-defined]
    _, second = jobs.due()

    claim = jobs.claim(second)

    assert claim is not None
    assert claim.job_id == second
    assert jobs.claim(second) is not None


# ---- behind people ----------------------------------------------------------------------------------------------


@pytest.fixture
def waiting(database: Database, storage: Storage, workspace_id: WorkspaceId) -> Turn:
    """Someone's turn that no worker has taken yet."""
    account_id = storage.accounts().register("telegram", "bot", "Bot")
    now = database.clock.now()
    user = User(id=new_id(), workspace_id=workspace_id, created_at=now)
    conversation = Conversation(id=new_id(), workspace_id=workspace_id, account_id=account_id, created_at=now)
    conversation.lookup_hash, conversation.address, conversation.is_private = b"0" * 32, b"", True
    turn = Turn(id=new_id(), conversation_id=conversation.id, account_id=account_id, user_id=user.id)
    turn.event_id, turn.seq, turn.kind, turn.state = "event", 1, "message", "queued"
    turn.due_at = turn.received_at = now + timedelta(seconds=290)
    for row in (user, conversation, turn):
        with database.begin() as session:
            session.add(row)
    return turn


def test_while_a_person_waits_long_no_job_starts(
    jobs: JobBook, queue: Queue, clock: FakeClock, waiting: Turn, database: Database
) -> None:
    clock.advance(300)
    assert sweep_jobs(jobs, queue) == 0
    assert jobs.claim() is None

    with database.begin() as session:
        session.execute(update(Turn).where(Turn.id == waiting.id).values(state="running"))

    assert jobs.claim() is not None


def test_a_person_who_has_waited_a_moment_keeps_no_job_from_starting(
    jobs: JobBook, clock: FakeClock, waiting: Turn, database: Database
) -> None:
    clock.advance(300)
    with database.begin() as session:
        session.execute(update(Turn).values(received_at=clock.now() - timedelta(seconds=4)))

    assert jobs.claim() is not None


def test_people_who_wait_without_end_keep_a_job_for_ten_minutes(jobs: JobBook, clock: FakeClock, waiting: Turn) -> None:
    clock.advance(300 + 599)
    assert jobs.claim() is None

    clock.advance(1)

    assert jobs.claim() is not None


# ---- with its skill ---------------------------------------------------------------------------------------------


def test_a_skill_that_is_enabled_nowhere_does_nothing_by_itself(
    jobs: JobBook, queue: Queue, clock: FakeClock, database: Database
) -> None:
    clock.advance(300)
    with database.begin() as session:
        session.execute(update(SkillRow).values(state="disabled"))

    assert sweep_jobs(jobs, queue) == 0
    assert jobs.claim() is None


@pytest.mark.parametrize("trouble", [{"state": "disabled"}, {"manifest": "{}"}])
def test_skills_that_rest_or_cannot_be_read_keep_no_others_from_their_jobs(
    trouble: dict[str, str],
    jobs: JobBook,
    queue: Queue,
    clock: FakeClock,
    database: Database,
    workspace_id: WorkspaceId,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However many are due, and longer: only so many jobs are looked at."""
    clock.advance(1)
    skill_id = _add_skill(database, workspace_id, manifest(other="5m"), "another")
    with database.begin() as session:
        session.execute(update(SkillRow).where(SkillRow.id != skill_id).values(trouble))
    monkeypatch.setattr("parlour.skills.jobs._BATCH", 1)
    clock.advance(300)

    for _ in range(2):
        sweep_jobs(jobs, queue)
    claims = [jobs.claim(job_id) for job_id in queue.told]

    assert [claim.name for claim in claims if claim] == ["other"]


def test_a_skill_that_is_enabled_in_one_channel_alone_has_its_jobs(
    jobs: JobBook, queue: Queue, clock: FakeClock, database: Database, skill_id: SkillId
) -> None:
    with database.begin() as session:
        session.execute(update(SkillRow).values(state="disabled"))
        session.add(SkillScope(id=new_id(), skill_id=skill_id, channel="web", is_enabled=True))
    clock.advance(300)

    assert sweep_jobs(jobs, queue) == 1
    assert jobs.claim() is not None


def test_an_upgrade_keeps_what_is_the_same_and_changes_what_is_not(
    jobs: JobBook, database: Database, skill_id: SkillId, clock: FakeClock, workspace_id: WorkspaceId
) -> None:
    clock.advance(300)
    claim = jobs.claim()
    assert claim is not None
    jobs.finish(claim, "done")
    before = _one(jobs, workspace_id)

    with database.begin() as session:
        plan(session, skill_id, manifest(watch="5m", other="0 7 * * *"), now=clock.now())
    other, same = jobs.all(workspace_id)
    assert same == before
    assert (other.schedule, other.due_at.hour, other.runs) == ("0 7 * * *", 7, 0)

    with database.begin() as session:
        plan(session, skill_id, manifest(watch="1h"), now=clock.now())
    assert _one(jobs, workspace_id) == replace(before, schedule="1h", due_at=clock.now() + timedelta(hours=1))


def test_a_skill_that_is_taken_out_does_nothing_any_more(
    jobs: JobBook, database: Database, skill_id: SkillId, clock: FakeClock, workspace_id: WorkspaceId
) -> None:
    clock.advance(300)
    claim = jobs.claim()
    assert claim is not None

    with database.begin() as session:
        unplan(session, skill_id)
        session.execute(delete(SkillRow).where(SkillRow.id == skill_id))

    assert jobs.all(workspace_id) == []
    assert not jobs.finish(claim, "done")
