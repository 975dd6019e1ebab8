"""What an operator does with skills: install, see, enable, set, remove. One use case each, for every surface."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from parlour.privacy.service import Privacy
from parlour.sdk.capabilities import HARMLESS
from parlour.sdk.manifest import Manifest, from_json, to_json
from parlour.sdk.schema import problems
from parlour.skills.desk import Grants
from parlour.skills.environment import Environments
from parlour.skills.errors import BadSettings, GrantsMissing, InstallRefused, NoSuchSkill, SkillBroke
from parlour.skills.package import Package, read_package
from parlour.skills.process import SkillProcess
from parlour.store.database import Database
from parlour.store.ids import SkillId, WorkspaceId, new_id
from parlour.store.skill_models import SkillDocument, SkillGrant, SkillRow, SkillSetting


@dataclass(frozen=True, slots=True)
class SkillView:
    """An installed skill, as operators and the router see it."""

    id: SkillId
    name: str
    version: str
    state: str
    manifest: Manifest
    folder: str
    grants: frozenset[str]
    hosts: tuple[str, ...]
    installed_at: datetime

    @property
    def is_enabled(self) -> bool:
        """Whether it may be called."""
        return self.state == "enabled"

    @property
    def allowed(self) -> Grants:
        """What its calls are checked against."""
        return Grants(
            capabilities=self.grants | HARMLESS,
            hosts=self.hosts,
            kinds=frozenset(self.manifest.keeps),
            secrets=frozenset(_secret_names(self.manifest)),
        )


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
        self._workspace_id = workspace_id
        self._offered = offered | HARMLESS

    @property
    def environments(self) -> Environments:
        """Where the skills are built."""
        return self._environments

    @property
    def workspace_id(self) -> WorkspaceId:
        """Whose skills these are."""
        return self._workspace_id

    # ---- installing ----

    def offer(self, source: Path) -> Offer:
        """Read what would be installed. Raises `InstallRefused`."""
        package = read_package(source)
        missing = [name for name in package.manifest.capabilities if name not in self._offered]
        if missing:
            raise InstallRefused(f"{package.manifest.name} needs {', '.join(missing)}, which this Parlour has not yet.")
        return Offer(package, self._find(package.manifest.name))

    def install(self, offer: Offer, *, granted: Sequence[str]) -> SkillView:
        """Install what was offered; it is enabled. What was installed before stays when the new one does not start.

        Raises `GrantsMissing` where `granted` is less than it asks, and `InstallRefused`.
        """
        if missing := {*offer.new_grants} - {*granted}:
            raise GrantsMissing(f"{offer.manifest.name} was not granted: {', '.join(sorted(missing))}.")
        built = self._environments.build(offer.package)
        self._try_out(offer.manifest, built.folder)
        with self._database.begin() as session:
            earlier = self._row(session, offer.manifest.name)
            outdated = earlier.folder if earlier and earlier.folder != built.folder else None
            self._record(session, earlier, offer.manifest, folder=built.folder, lock=built.lock)
        if outdated:
            self._environments.remove(outdated)
        return self.get(offer.manifest.name)

    def _try_out(self, manifest: Manifest, folder: str) -> None:
        """Start it once, confined: what does not come up, or is not what it says, is not installed."""
        try:
            SkillProcess(self._environments.launch(manifest, folder)).end("it was tried out")
        except SkillBroke as error:
            self._environments.remove(folder)
            raise InstallRefused(f"{error} Nothing was changed.") from None

    def _record(self, session: Session, row: SkillRow | None, manifest: Manifest, *, folder: str, lock: str) -> None:
        now = self._database.clock.now()
        if row is None:
            row = SkillRow(id=new_id(), workspace_id=self._workspace_id, name=manifest.name, installed_at=now)
            session.add(row)
        row.version, row.state, row.updated_at = manifest.version, "enabled", now
        row.manifest, row.lock, row.folder = to_json(manifest), lock, folder
        session.flush()
        session.execute(delete(SkillGrant).where(SkillGrant.skill_id == row.id))
        grants = [(name, "") for name in manifest.to_grant] + [("Http", host) for host in manifest.hosts]
        for capability, host in grants:
            session.add(SkillGrant(id=new_id(), skill_id=row.id, capability=capability, host=host, granted_at=now))

    # ---- seeing ----

    def installed(self) -> list[SkillView]:
        """Installed skills, by name."""
        wanted = select(SkillRow).where(
            SkillRow.workspace_id == self._workspace_id, SkillRow.state.in_(("enabled", "disabled"))
        )
        with self._database.read() as session:
            return [self._view(session, row) for row in session.scalars(wanted.order_by(SkillRow.name))]

    def get(self, name: str) -> SkillView:
        """The skill of that name. Raises `NoSuchSkill`."""
        found = self._find(name)
        if found is None:
            there = ", ".join(one.name for one in self.installed()) or "none"
            remedy = "Install one with: parlour skill install FOLDER_OR_WHEEL"
            raise NoSuchSkill(f"No skill named {name!r}. Installed: {there}. {remedy}")
        return found

    # ---- changing ----

    def enable(self, name: str, *, is_enabled: bool) -> None:
        """Let it be called, or not. Raises `NoSuchSkill`."""
        skill = self.get(name)
        with self._database.begin() as session:
            row = session.get_one(SkillRow, skill.id)
            row.state, row.updated_at = "enabled" if is_enabled else "disabled", self._database.clock.now()

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
                    row.value = self._privacy.sealer.seal(self._workspace_id, SkillSetting.value, row.id, plain)
                    session.add(row)

    def settings(self, skill: SkillView, *, with_secrets: bool = False) -> dict[str, Any]:
        """Its settings as they are now, defaults filled in; secrets only where they are asked for."""
        schema: Mapping[str, Any] = skill.manifest.settings.get("properties", {})
        values = {name: one["default"] for name, one in schema.items() if "default" in one}
        with self._database.read() as session:
            rows = session.scalars(select(SkillSetting).where(SkillSetting.skill_id == skill.id)).all()
        for row in rows:
            sealed = self._privacy.sealer.open_text(self._workspace_id, SkillSetting.value, row.id, row.value)
            values[row.name] = json.loads(sealed)
        # What a newer version no longer has is kept, for the way back, and not handed out.
        secrets = _secret_names(skill.manifest)
        return {
            name: value for name, value in values.items() if name in schema and (with_secrets or name not in secrets)
        }

    def missing_settings(self, skill: SkillView) -> list[str]:
        """The settings that it needs and that nobody has set yet."""
        there = self.settings(skill, with_secrets=True)
        return [name for name in skill.manifest.settings.get("required", ()) if name not in there]

    def remove(self, name: str, *, with_data: bool) -> None:
        """Take it out, and its settings and documents with it or not. Raises `NoSuchSkill`."""
        skill = self.get(name)
        with self._database.begin() as session:
            row = session.get_one(SkillRow, skill.id)
            if with_data:
                session.execute(delete(SkillDocument).where(SkillDocument.skill_id == skill.id))
                session.delete(row)
            else:
                row.state, row.updated_at = "removed", self._database.clock.now()
                session.execute(delete(SkillGrant).where(SkillGrant.skill_id == skill.id))
        self._environments.remove(skill.folder)

    def _find(self, name: str) -> SkillView | None:
        with self._database.read() as session:
            row = self._row(session, name)
            return None if row is None or row.state == "removed" else self._view(session, row)

    def _row(self, session: Session, name: str) -> SkillRow | None:
        wanted = select(SkillRow).where(SkillRow.workspace_id == self._workspace_id, SkillRow.name == name)
        return session.scalars(wanted).one_or_none()

    @staticmethod
    def _view(session: Session, row: SkillRow) -> SkillView:
        grants = session.scalars(select(SkillGrant).where(SkillGrant.skill_id == row.id)).all()
        return SkillView(
            id=SkillId(row.id),
            name=row.name,
            version=row.version,
            state=row.state,
            manifest=from_json(row.manifest),
            folder=row.folder,
            grants=frozenset(one.capability for one in grants),
            hosts=tuple(sorted(one.host for one in grants if one.host)),
            installed_at=row.installed_at,
        )


def enabled_manifests(session: Session, workspace_id: WorkspaceId) -> list[Manifest]:
    """The manifests of a workspace's enabled skills, by name."""
    wanted = select(SkillRow.manifest).where(SkillRow.workspace_id == workspace_id, SkillRow.state == "enabled")
    return [from_json(text) for text in session.scalars(wanted.order_by(SkillRow.name))]


def _secret_names(manifest: Manifest) -> list[str]:
    properties: Mapping[str, Any] = manifest.settings.get("properties", {})
    return [name for name, one in properties.items() if one.get("writeOnly")]
