"""What is installed in a workspace: found by name, told by name where it is not there."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from parlour.sdk.errors import SkillMistake
from parlour.skills.errors import NoSuchSkill, SkillUnreadable
from parlour.skills.views import SkillView, installed, view_of
from parlour.store.database import Database
from parlour.store.ids import SkillId, WorkspaceId
from parlour.store.skill_models import SkillRow


class Register:
    """The skills of one workspace, as they stand in the database."""

    def __init__(self, database: Database, workspace_id: WorkspaceId) -> None:
        self._database = database
        self._workspace_id = workspace_id

    def installed(self) -> list[SkillView]:
        """Installed skills, by name."""
        with self._database.read() as session:
            return installed(session, self._workspace_id)

    def get(self, name: str) -> SkillView:
        """The skill of that name. Raises `NoSuchSkill`, `SkillUnreadable`."""
        found = self.find(name)
        if found is None:
            raise self.no_such(name)
        return found

    def is_there(self, skill_id: SkillId) -> bool:
        """Whether it is still installed."""
        with self._database.read() as session:
            row = session.get(SkillRow, skill_id)
            return row is not None and row.state != "removed"

    def unreadable(self) -> list[str]:
        """The names of installed skills that `installed` leaves out."""
        known = {skill.name for skill in self.installed()}
        wanted = select(SkillRow.name).where(SkillRow.workspace_id == self._workspace_id, SkillRow.state != "removed")
        with self._database.read() as session:
            return sorted({*session.scalars(wanted)} - known)

    def no_such(self, name: str) -> NoSuchSkill:
        """The error for a name that is not there, to be raised."""
        there = ", ".join(one.name for one in self.installed()) or "none"
        return NoSuchSkill(
            f"No skill named {name!r}. Installed: {there}. Install one with: parlour skill install SOURCE"
        )

    def find(self, name: str) -> SkillView | None:
        """The skill of that name, None where there is none. Raises `SkillUnreadable`."""
        with self._database.read() as session:
            row = self.row(session, name)
            if row is None or row.state == "removed":
                return None
            try:
                return view_of(session, row)
            except SkillMistake:
                remedy = f"Take it out and install it anew: parlour skill remove {name} --yes. What it stored stays."
                raise SkillUnreadable(f"The manifest that is kept of {name} is none any more. {remedy}") from None

    def row(self, session: Session, name: str) -> SkillRow | None:
        """Its row, one of a removed skill included."""
        wanted = select(SkillRow).where(SkillRow.workspace_id == self._workspace_id, SkillRow.name == name)
        return session.scalars(wanted).one_or_none()
