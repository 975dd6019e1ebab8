"""How a skill at work stands: still installed or not, and whether its new version has answered yet.

An upgrade keeps the version before it until the new one has answered. One that breaks before that is taken back by
whatever worker sees it break, and the earlier version is at work again with its grants.
"""

import json

import structlog
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from parlour.privacy.audit import Deed, record
from parlour.privacy.service import Privacy
from parlour.sdk.manifest import from_json
from parlour.skills.environment import Environments
from parlour.skills.jobs import plan
from parlour.skills.supervisor import Supervisor, starter
from parlour.store.database import Database
from parlour.store.ids import SkillId, WorkspaceId, new_id
from parlour.store.skill_models import SkillGrant, SkillRow

log = structlog.get_logger(__name__)

_FIELDS = ("version", "manifest", "lock", "folder", "source")


class SkillStanding:
    """What a supervisor asks and tells about installed skills. Safe from many processes at once."""

    def __init__(self, *, database: Database, privacy: Privacy, environments: Environments) -> None:
        self._database = database
        self._privacy = privacy
        self._environments = environments

    def is_there(self, skill_id: SkillId) -> bool:
        """Whether it is still installed."""
        with self._database.read() as session:
            row = session.get(SkillRow, skill_id)
            return row is not None and row.state != "removed"

    def passed(self, skill_id: SkillId, folder: str) -> None:
        """The version in `folder` has answered: the one before it is deleted."""
        with self._database.begin() as session:
            row = _on_trial(session, skill_id, folder)
            if row is None:
                return
            outdated = folder_of(row.previous)
            row.previous = None
        if outdated:
            self._environments.remove(outdated)

    def failed(self, skill_id: SkillId, folder: str) -> bool:
        """The version in `folder` broke before it answered: the one before it is put back. Whether this call did it."""
        now = self._database.clock.now()
        with self._database.begin() as session:
            row = _on_trial(session, skill_id, folder)
            if row is None or row.previous is None:
                return False
            before, broken = json.loads(row.previous), row.version
            for name in _FIELDS:
                setattr(row, name, before[name])
            row.previous, row.updated_at = None, now
            session.execute(delete(SkillGrant).where(SkillGrant.skill_id == row.id))
            for capability, host in before["grants"]:
                session.add(SkillGrant(id=new_id(), skill_id=row.id, capability=capability, host=host, granted_at=now))
            plan(session, skill_id, from_json(row.manifest), now=now)
            log.error("skill_rolled_back", skill=row.name, version=broken, back_to=row.version)
            what = f"version {broken} broke before it answered; back to {row.version}"
            deed = Deed("system", "skill.roll_back", row.name, WorkspaceId(row.workspace_id), what)
            session.flush()
            record(session, self._privacy, deed, now=now)
        self._environments.remove(folder)
        return True


def supervised(
    database: Database, privacy: Privacy, environments: Environments, isolation: str = "process"
) -> Supervisor:
    """A supervisor that starts skills from their folders and knows how they stand."""
    standing = SkillStanding(database=database, privacy=privacy, environments=environments)
    return Supervisor(starter(environments, is_inline=isolation == "inline"), standing=standing)


def keep_previous(session: Session, row: SkillRow | None, folder: str) -> tuple[str | None, str | None]:
    """What to keep of the version that `folder` takes the place of, and the folder that nobody needs any more.

    A version that never answered is not worth going back to: then the one before it stays the one that is kept.
    """
    if row is None or row.state == "removed":
        return None, None
    if row.folder == folder:
        return row.previous, None
    if row.previous is not None:
        return (None, row.folder) if folder_of(row.previous) == folder else (row.previous, row.folder)
    grants = session.scalars(select(SkillGrant).where(SkillGrant.skill_id == row.id)).all()
    kept = {name: getattr(row, name) for name in _FIELDS}
    return json.dumps({**kept, "grants": [[one.capability, one.host] for one in grants]}), None


def folder_of(previous: str | None) -> str | None:
    """The folder of a version that is kept."""
    return None if previous is None else str(json.loads(previous)["folder"])


def _on_trial(session: Session, skill_id: SkillId, folder: str) -> SkillRow | None:
    """The row, locked against other workers, where that very version is at work and has not answered yet."""
    # Touched first: whoever comes second waits here, and then finds it done.
    session.execute(update(SkillRow).where(SkillRow.id == skill_id).values(folder=SkillRow.folder))
    row = session.get(SkillRow, skill_id)
    if row is None or row.state == "removed" or row.folder != folder or row.previous is None:
        return None
    return row
