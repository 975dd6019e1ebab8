"""Having skills told of an erasure: written down with it, so that nothing that breaks can lose it."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from parlour.store.ids import UserId, WorkspaceId, new_id
from parlour.store.skill_models import TELLING, Job, SkillErasure, SkillRow


def tell_skills(session: Session, workspace_id: WorkspaceId, users: Collection[UserId], *, now: datetime) -> int:
    """Have every skill of the workspace that wants to know be told, in the caller's transaction; how many.

    A worker tells them (`skills.job_runs`). Those that keep nothing beside `UserStore` need not know.
    """
    its = select(SkillRow.id).where(SkillRow.workspace_id == workspace_id, SkillRow.state != "removed")
    listening = select(Job.skill_id).where(Job.skill_id.in_(its), Job.name.startswith(TELLING)).distinct()
    skills = set(session.scalars(listening))
    there = select(SkillErasure.skill_id, SkillErasure.subject_id).where(SkillErasure.subject_id.in_(users))
    known = {(skill_id, subject_id) for skill_id, subject_id in session.execute(there)}
    session.add_all(
        SkillErasure(id=new_id(), skill_id=skill_id, subject_id=user_id, created_at=now)
        for skill_id in skills
        for user_id in users
        if (skill_id, user_id) not in known
    )
    session.execute(
        update(Job)
        .where(Job.skill_id.in_(skills), Job.name.startswith(TELLING))
        .values(due_at=now, published_at=None)
        .execution_options(synchronize_session=False)
    )
    return len(skills)
