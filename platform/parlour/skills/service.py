"""What an operator does with skills: install, see, enable, set, remove. One use case each, for every surface."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from parlour.privacy.audit import Deed, record
from parlour.privacy.holds import held, refuse_held
from parlour.privacy.service import Privacy
from parlour.sdk.capabilities import HARMLESS
from parlour.skills.clashes import Clash, clashes
from parlour.skills.configuring import SettingsBook
from parlour.skills.environment import Environments
from parlour.skills.errors import NoSuchConversation
from parlour.skills.installing import Installer, Offer
from parlour.skills.jobs import unplan
from parlour.skills.register import Register
from parlour.skills.standing import folder_of
from parlour.skills.views import SkillView
from parlour.store.database import Database
from parlour.store.ids import ConversationId, SkillId, WorkspaceId, new_id
from parlour.store.models import Conversation
from parlour.store.skill_models import SkillDocument, SkillGrant, SkillRow, SkillScope

# Who changes something where no operator asked for it: `parlour up --demo`.
ITSELF: Final = "system"


class SkillBook:
    """The skills of one workspace. `offered` are the capabilities that this installation has.

    `actor` is a word for who changes something, for the audit log; no name.
    """

    def __init__(
        self,
        *,
        database: Database,
        privacy: Privacy,
        environments: Environments,
        workspace_id: WorkspaceId,
        offered: frozenset[str],
        actor: str = ITSELF,
    ) -> None:
        self._database = database
        self._privacy = privacy
        self._actor = actor
        self._offered = offered
        self.environments = environments
        self.workspace_id = workspace_id
        self._register = Register(database, workspace_id)
        self._settings = SettingsBook(database, privacy, workspace_id, actor=actor)
        self._installer = Installer(
            database=database,
            privacy=privacy,
            environments=environments,
            register=self._register,
            settings=self._settings,
            workspace_id=workspace_id,
            offered=offered | HARMLESS,
            actor=actor,
        )

    def for_actor(self, actor: str) -> "SkillBook":
        """The same book, in which changes are somebody else's."""
        return SkillBook(
            database=self._database,
            privacy=self._privacy,
            environments=self.environments,
            workspace_id=self.workspace_id,
            offered=self._offered,
            actor=actor,
        )

    # ---- installing ----

    def offer(self, source: Path | str) -> Offer:
        """Read what would be installed, from wherever it is (`sources.fetched`). Raises `InstallRefused`."""
        return self._installer.offer(source)

    def offer_new(self, source: Path | str) -> Offer:
        """The same for a skill that is not there yet. Raises `InstallRefused` where its name is taken."""
        return self._installer.offer_new(source)

    def offer_upgrade(self, name: str, source: Path | str | None = None) -> Offer:
        """Another version of an installed skill, by default from where it came from.

        Raises `NoSuchSkill`, `InstallRefused`, and `BadSettings` where what is set now does not fit it.
        """
        return self._installer.offer_upgrade(name, source)

    def try_out(self, offer: Offer) -> None:
        """Build it and start it once, confined, and leave nothing of it. Raises `InstallRefused`."""
        self._installer.try_out(offer)

    def install(self, offer: Offer, *, granted: Sequence[str]) -> SkillView:
        """Install what was offered; it is enabled. What was installed before stays when the new one does not start,
        and is kept until the new one has answered (`standing`).

        Raises `GrantsMissing` where `granted` is less than it asks, and `InstallRefused`.
        """
        return self._installer.install(offer, granted=granted)

    # ---- seeing ----

    def installed(self) -> list[SkillView]:
        """Installed skills, by name."""
        return self._register.installed()

    def get(self, name: str) -> SkillView:
        """The skill of that name. Raises `NoSuchSkill`, `SkillUnreadable`."""
        return self._register.get(name)

    def is_there(self, skill_id: SkillId) -> bool:
        """Whether it is still installed."""
        return self._register.is_there(skill_id)

    def clashes(self, skill: SkillView) -> tuple[Clash, ...]:
        """The commands of it that other installed skills have too."""
        return clashes(skill.manifest, [one.manifest for one in self.installed()])

    def unreadable(self) -> dict[str, str]:
        """Why, by the names of the installed skills that `installed` leaves out."""
        return self._register.unreadable()

    # ---- setting ----

    def configure(self, name: str, values: Mapping[str, Any]) -> None:
        """Set values; None takes one back to its default. Raises `NoSuchSkill`, and `BadSettings` with the problem."""
        self._settings.configure(self.get(name), values)

    def settings(self, skill: SkillView, *, with_secrets: bool = False) -> dict[str, Any]:
        """Its settings as they are now, defaults filled in; secrets only where they are asked for."""
        return self._settings.values(skill, with_secrets=with_secrets)

    def missing_settings(self, skill: SkillView) -> list[str]:
        """The settings that it needs and that nobody has set yet."""
        return self._settings.missing(skill)

    # ---- changing ----

    def enable(
        self,
        name: str,
        *,
        is_enabled: bool,
        channel: str | None = None,
        conversation_id: ConversationId | None = None,
    ) -> None:
        """Let it be called, or not: everywhere, or only in a channel or a conversation, whatever holds elsewhere.

        For everywhere, earlier exceptions are forgotten. Raises `NoSuchSkill`, `NoSuchConversation`.
        """
        skill = self.get(name)
        with self._database.begin() as session:
            row = session.get_one(SkillRow, skill.id)
            row.updated_at = self._database.clock.now()
            scopes = delete(SkillScope).where(SkillScope.skill_id == skill.id)
            if channel is None and conversation_id is None:
                row.state = "enabled" if is_enabled else "disabled"
                session.execute(scopes)
            else:
                self._refuse_strange(session, conversation_id)
                same = SkillScope.channel == channel, SkillScope.conversation_id == conversation_id
                session.execute(scopes.where(*same))
                scope = SkillScope(id=new_id(), skill_id=skill.id, is_enabled=is_enabled)
                scope.channel, scope.conversation_id = channel, conversation_id
                session.add(scope)
            where = None if channel is None else f"channel {channel}"
            where = where if conversation_id is None else f"conversation {conversation_id}"
            self._note(session, "skill.enable" if is_enabled else "skill.disable", name, where)

    def remove(self, name: str, *, with_data: bool) -> None:
        """Take it out, and its settings and documents with it or not. Raises `NoSuchSkill`, and `UnderHold` where
        its documents are to go and a hold stands on the workspace or on a person whom they are about.
        """
        with self._database.begin() as session:
            # By its row alone: one whose manifest cannot be read must be taken out too.
            row = self._register.row(session, name)
            if row is None or row.state == "removed":
                raise self._register.no_such(name)
            if with_data:
                self._refuse_held(session, row.id)
            folders = [row.folder, folder_of(row.previous)]
            row.previous = None
            unplan(session, SkillId(row.id))
            if with_data:
                session.execute(delete(SkillDocument).where(SkillDocument.skill_id == row.id))
                session.delete(row)
            else:
                row.state, row.updated_at = "removed", self._database.clock.now()
                session.execute(delete(SkillGrant).where(SkillGrant.skill_id == row.id))
                session.execute(delete(SkillScope).where(SkillScope.skill_id == row.id))
            self._note(session, "skill.remove", name, "with its data" if with_data else "its data stays")
        for folder in folders:
            if folder is not None:
                self.environments.remove(folder)

    def _refuse_held(self, session: Session, skill_id: UUID) -> None:
        about = select(SkillDocument.user_id).where(
            SkillDocument.skill_id == skill_id, SkillDocument.user_id.in_(held(session).users)
        )
        refuse_held(session, self.workspace_id, {one for one in session.scalars(about.distinct()) if one is not None})

    def _refuse_strange(self, session: Session, conversation_id: ConversationId | None) -> None:
        if conversation_id is None:
            return
        conversation = session.get(Conversation, conversation_id)
        if conversation is None or conversation.workspace_id != self.workspace_id:
            raise NoSuchConversation(f"No conversation {conversation_id}. Find it with: parlour turn show TURN")

    def _note(self, session: Session, action: str, name: str, what: str | None) -> None:
        """Write it down, as the last thing in the caller's transaction."""
        deed = Deed(self._actor, action, name, self.workspace_id, what)
        session.flush()
        record(session, self._privacy, deed, now=self._database.clock.now())
