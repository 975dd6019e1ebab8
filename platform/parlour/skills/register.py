"""What is installed in a workspace: found by name, told by name where it is not there."""

from contextlib import suppress

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

    def unreadable(self) -> dict[str, str]:
        """Why, by the names of the installed skills that `installed` leaves out."""
        wanted = select(SkillRow).where(SkillRow.workspace_id == self._workspace_id, SkillRow.state != "removed")
        found = {}
        with self._database.read() as session:
            for row in session.scalars(wanted.order_by(SkillRow.name)).all():
                try:
                    view_of(session, row)
                except SkillMistake as error:
                    found[row.name] = str(error)
        return found

    def readable(self, name: str) -> SkillView | None:
        """The skill of that name, None where there is none or its manifest cannot be read."""
        with suppress(SkillUnreadable):
            return self.find(name)
        return None

    def source(self, name: str) -> str | None:
        """Where an installed skill came from, also where it cannot be read. Raises `NoSuchSkill`."""
        return self._installed(name).source

    def id(self, name: str) -> SkillId:
        """Of an installed skill, also where it cannot be read. Raises `NoSuchSkill`."""
        return SkillId(self._installed(name).id)

    def _installed(self, name: str) -> SkillRow:
        with self._database.read() as session:
            row = self.row(session, name)
        if row is None or row.state == "removed":
            raise self.no_such(name)
        return row

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
            except SkillMistake as error:
                remedy = f"Take a version that fits: parlour skill upgrade {name} SOURCE. What it stored stays."
                raise SkillUnreadable(f"{name} cannot be read any more: {error} {remedy}") from None

    def row(self, session: Session, name: str) -> SkillRow | None:
        """Its row, one of a removed skill included."""
        wanted = select(SkillRow).where(SkillRow.workspace_id == self._workspace_id, SkillRow.name == name)
        return session.scalars(wanted).one_or_none()
