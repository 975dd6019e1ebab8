"""What an operator does with skills: install, see, enable, set, remove. One use case each, for every surface."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from parlour.privacy.service import Privacy
from parlour.sdk.capabilities import HARMLESS
from parlour.sdk.errors import SkillMistake
from parlour.sdk.manifest import Manifest, to_json
from parlour.sdk.schema import problems
from parlour.skills.environment import Environments
from parlour.skills.errors import (
    BadSettings,
    GrantsMissing,
    InstallRefused,
    NoSuchConversation,
    NoSuchSkill,
    SkillBroke,
    SkillUnreadable,
)
from parlour.skills.jobs import plan, unplan
from parlour.skills.package import Package, read_package
from parlour.skills.process import SkillProcess
from parlour.skills.sources import fetched
from parlour.skills.views import SkillView, installed, secret_names, view_of
from parlour.store.database import Database
from parlour.store.ids import ConversationId, SkillId, WorkspaceId, new_id
from parlour.store.models import Conversation
from parlour.store.skill_models import SkillDocument, SkillGrant, SkillRow, SkillScope, SkillSetting


@dataclass(frozen=True, slots=True)
class Offer:
    """What would be installed: shown to an operator before anything of it runs."""

    package: Package
    before: SkillView | None

    @property
    def manifest(self) -> Manifest:
        """What it is and asks for."""
        return self.package.manifest

    @property
    def new_grants(self) -> tuple[str, ...]:
        """What it asks for beyond what it was granted before: capabilities, and hosts as `Http: api.example.org`."""
        had, hosts = (self.before.grants, self.before.hosts) if self.before else (frozenset(), ())
        asked = [name for name in self.manifest.to_grant if name not in had]
        return (*asked, *(f"Http: {host}" for host in self.manifest.hosts if host not in hosts))


class SkillBook:
    """The skills of one workspace. `offered` are the capabilities that this installation has."""

    def __init__(
        self,
        *,
        database: Database,
        privacy: Privacy,
        environments: Environments,
        workspace_id: WorkspaceId,
        offered: frozenset[str],
    ) -> None:
        self._database = database
        self._privacy = privacy
        self._environments = environments
        self.workspace_id = workspace_id
        self._offered = offered | HARMLESS

    @property
    def environments(self) -> Environments:
        """Where the skills are built."""
        return self._environments

    # ---- installing ----

    def offer(self, source: Path | str) -> Offer:
        """Read what would be installed, from wherever it is (`sources.fetched`). Raises `InstallRefused`."""
        with fetched(str(source)) as there:
            package = replace(read_package(there.path), source=there.source, pin=there.pin)
        missing = [name for name in package.manifest.capabilities if name not in self._offered]
        if missing:
            raise InstallRefused(f"{package.manifest.name} needs {', '.join(missing)}, which this Parlour has not yet.")
        return Offer(package, self._find(package.manifest.name))

    def offer_new(self, source: Path | str) -> Offer:
        """The same for a skill that is not there yet. Raises `InstallRefused` where its name is taken."""
        offer = self.offer(source)
        if offer.before is not None:
            name, version = offer.before.name, offer.before.version
            remedy = f"Upgrade it: parlour skill upgrade {name} SOURCE"
            raise InstallRefused(f"A skill named {name} is installed already, version {version}. {remedy}")
        return offer

    def offer_upgrade(self, name: str, source: Path | str | None = None) -> Offer:
        """Another version of an installed skill, by default from where it came from.

        Raises `NoSuchSkill`, `InstallRefused`, and `BadSettings` where what is set now does not fit it.
        """
        skill = self.get(name)
        source = source or skill.source
        if source is None:
            raise InstallRefused(f"Where {name} came from is not known. Say it: parlour skill upgrade {name} SOURCE")
        offer = self.offer(source)
        if offer.manifest.name != name:
            raise InstallRefused(f"{source} holds the skill {offer.manifest.name}, not {name}. Nothing was changed.")
        schema = {**offer.manifest.settings, "required": []} if offer.manifest.settings else {}
        known = schema.get("properties", {})
        kept = {key: value for key, value in self._set(skill).items() if key in known}
        for problem in problems(schema, kept):
            remedy = f"Take it back first: parlour skill configure {name} {problem.split(' ')[0]}="
            raise BadSettings(f"{name} {offer.manifest.version}: the setting {problem}. {remedy}")
        return offer

    def try_out(self, offer: Offer) -> None:
        """Build it and start it once, confined, and leave nothing of it. Raises `InstallRefused`."""
        built = self._environments.build(offer.package)
        self._start_once(offer.manifest, built.folder)
        if offer.before is None or offer.before.folder != built.folder:
            self._environments.remove(built.folder)

    def install(self, offer: Offer, *, granted: Sequence[str]) -> SkillView:
        """Install what was offered; it is enabled. What was installed before stays when the new one does not start.

        Raises `GrantsMissing` where `granted` is less than it asks, and `InstallRefused`.
        """
        if missing := {*offer.new_grants} - {*granted}:
            raise GrantsMissing(f"{offer.manifest.name} was not granted: {', '.join(sorted(missing))}.")
        before = offer.before
        built = self._environments.build(offer.package)
        self._start_once(offer.manifest, built.folder, is_there=bool(before and before.folder == built.folder))
        with self._database.begin() as session:
            earlier = self._row(session, offer.manifest.name)
            outdated = earlier.folder if earlier and earlier.folder != built.folder else None
            row = self._record(session, earlier, offer.manifest, folder=built.folder, lock=built.lock)
            row.source = offer.package.source
        if outdated:
            self._environments.remove(outdated)
        return self.get(offer.manifest.name)

    def _start_once(self, manifest: Manifest, folder: str, *, is_there: bool = False) -> None:
        """Start it once, confined: what does not come up, or is not what it says, is not installed."""
        try:
            SkillProcess(self._environments.launch(manifest, folder)).end("it was tried out")
        except SkillBroke as error:
            if not is_there:
                self._environments.remove(folder)
            raise InstallRefused(f"{error} Nothing was changed.") from None

    def _record(
        self, session: Session, row: SkillRow | None, manifest: Manifest, *, folder: str, lock: str
    ) -> SkillRow:
        now = self._database.clock.now()
        if row is None:
            row = SkillRow(id=new_id(), workspace_id=self.workspace_id, name=manifest.name, installed_at=now)
            session.add(row)
        # What an operator has disabled stays so over an upgrade.
        row.state = "disabled" if row.state == "disabled" else "enabled"
        row.version, row.updated_at = manifest.version, now
        row.manifest, row.lock, row.folder = to_json(manifest), lock, folder
        session.flush()
        session.execute(delete(SkillGrant).where(SkillGrant.skill_id == row.id))
        grants = [(name, "") for name in manifest.to_grant] + [("Http", host) for host in manifest.hosts]
        for capability, host in grants:
            session.add(SkillGrant(id=new_id(), skill_id=row.id, capability=capability, host=host, granted_at=now))
        plan(session, SkillId(row.id), manifest, now=now)
        return row

    # ---- seeing ----

    def installed(self) -> list[SkillView]:
        """Installed skills, by name."""
        with self._database.read() as session:
            return installed(session, self.workspace_id)

    def get(self, name: str) -> SkillView:
        """The skill of that name. Raises `NoSuchSkill`, `SkillUnreadable`."""
        found = self._find(name)
        if found is None:
            raise self._no_such(name)
        return found

    def is_there(self, skill_id: SkillId) -> bool:
        """Whether it is still installed."""
        with self._database.read() as session:
            row = session.get(SkillRow, skill_id)
            return row is not None and row.state != "removed"

    def unreadable(self) -> list[str]:
        """The names of installed skills that `installed` leaves out."""
        known = {skill.name for skill in self.installed()}
        wanted = select(SkillRow.name).where(SkillRow.workspace_id == self.workspace_id, SkillRow.state != "removed")
        with self._database.read() as session:
            return sorted({*session.scalars(wanted)} - known)

    def _no_such(self, name: str) -> NoSuchSkill:
        there = ", ".join(one.name for one in self.installed()) or "none"
        return NoSuchSkill(
            f"No skill named {name!r}. Installed: {there}. Install one with: parlour skill install SOURCE"
        )

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
                return
            self._refuse_strange(session, conversation_id)
            same = SkillScope.channel == channel, SkillScope.conversation_id == conversation_id
            session.execute(scopes.where(*same))
            scope = SkillScope(id=new_id(), skill_id=skill.id, is_enabled=is_enabled)
            scope.channel, scope.conversation_id = channel, conversation_id
            session.add(scope)

    def _refuse_strange(self, session: Session, conversation_id: ConversationId | None) -> None:
        if conversation_id is None:
            return
        conversation = session.get(Conversation, conversation_id)
        if conversation is None or conversation.workspace_id != self.workspace_id:
            raise NoSuchConversation(f"No conversation {conversation_id}. Find it with: parlour turn show TURN")

    def configure(self, name: str, values: Mapping[str, Any]) -> None:
        """Set values; None takes one back to its default. Raises `NoSuchSkill`, and `BadSettings` with the problem."""
        skill = self.get(name)
        schema = skill.manifest.settings or {"type": "object", "properties": {}, "additionalProperties": False}
        given = {key: value for key, value in values.items() if value is not None}
        for problem in problems({**schema, "required": []}, given):
            raise BadSettings(f"{name}: {problem}.")
        now = self._database.clock.now()
        with self._database.begin() as session:
            for key, value in values.items():
                on_it = SkillSetting.skill_id == skill.id, SkillSetting.name == key
                session.execute(delete(SkillSetting).where(*on_it))
                if value is not None:
                    row = SkillSetting(id=new_id(), skill_id=skill.id, name=key, updated_at=now)
                    plain = json.dumps(value)
                    row.value = self._privacy.sealer.seal(self.workspace_id, SkillSetting.value, row.id, plain)
                    session.add(row)

    def settings(self, skill: SkillView, *, with_secrets: bool = False) -> dict[str, Any]:
        """Its settings as they are now, defaults filled in; secrets only where they are asked for."""
        schema: Mapping[str, Any] = skill.manifest.settings.get("properties", {})
        values = {name: one["default"] for name, one in schema.items() if "default" in one}
        values |= self._set(skill)
        # What a newer version no longer has is kept, for the way back, and not handed out.
        secrets = secret_names(skill.manifest)
        return {
            name: value for name, value in values.items() if name in schema and (with_secrets or name not in secrets)
        }

    def _set(self, skill: SkillView) -> dict[str, Any]:
        """What operators have set, whether this version has it or not."""
        with self._database.read() as session:
            rows = session.scalars(select(SkillSetting).where(SkillSetting.skill_id == skill.id)).all()
        opened = self._privacy.sealer.open_text
        return {row.name: json.loads(opened(self.workspace_id, SkillSetting.value, row.id, row.value)) for row in rows}

    def missing_settings(self, skill: SkillView) -> list[str]:
        """The settings that it needs and that nobody has set yet."""
        there = self.settings(skill, with_secrets=True)
        return [name for name in skill.manifest.settings.get("required", ()) if name not in there]

    def remove(self, name: str, *, with_data: bool) -> None:
        """Take it out, and its settings and documents with it or not. Raises `NoSuchSkill`."""
        with self._database.begin() as session:
            # By its row alone: one whose manifest cannot be read must be taken out too.
            row = self._row(session, name)
            if row is None or row.state == "removed":
                raise self._no_such(name)
            folder = row.folder
            unplan(session, SkillId(row.id))
            if with_data:
                session.execute(delete(SkillDocument).where(SkillDocument.skill_id == row.id))
                session.delete(row)
            else:
                row.state, row.updated_at = "removed", self._database.clock.now()
                session.execute(delete(SkillGrant).where(SkillGrant.skill_id == row.id))
                session.execute(delete(SkillScope).where(SkillScope.skill_id == row.id))
        self._environments.remove(folder)

    def _find(self, name: str) -> SkillView | None:
        with self._database.read() as session:
            row = self._row(session, name)
            if row is None or row.state == "removed":
                return None
            try:
                return view_of(session, row)
            except SkillMistake:
                remedy = f"Take it out and install it anew: parlour skill remove {name} --yes. What it stored stays."
                raise SkillUnreadable(f"The manifest that is kept of {name} is none any more. {remedy}") from None

    def _row(self, session: Session, name: str) -> SkillRow | None:
        wanted = select(SkillRow).where(SkillRow.workspace_id == self.workspace_id, SkillRow.name == name)
        return session.scalars(wanted).one_or_none()
