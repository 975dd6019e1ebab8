"""The skills of a test's stage."""

from parlour.sdk.manifest import Entry, Manifest, to_json
from parlour.skills.jobs import JobBook, plan
from parlour.skills.service import SkillBook
from parlour.store.ids import SkillId, new_id
from parlour.store.skill_models import SkillRow
from tests.support.stage import Stage


def book_of(stage: Stage) -> SkillBook:
    """The skills of the stage's workspace."""
    return stage.platform.skills.book(stage.platform.accounts.ensure_workspace())


def a_job(stage: Stage, *, skill: str = "w", state: str = "enabled") -> JobBook:
    """A skill on paper with one job, `watch`, due every five minutes; the jobs as a worker has them."""
    database = stage.platform.database
    made = Manifest(skill, "1.0", "Watches", "w:s", handlers=(Entry("job:watch", "job", "watch", schedule="5m"),))
    now = stage.clock.now()
    row = SkillRow(id=new_id(), name=skill, version="1.0", state=state, lock="{}", folder="nowhere")
    row.workspace_id, row.manifest = stage.platform.accounts.ensure_workspace(), to_json(made)
    row.installed_at = row.updated_at = now
    with database.begin() as session:
        session.add(row)
        session.flush()
        plan(session, SkillId(row.id), made, now=now)
    return JobBook(database, owner="worker-1")
