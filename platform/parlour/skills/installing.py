"""Putting a skill in: offered, built, started once, and only then written down."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import delete
from sqlalchemy.orm import Session

from parlour.privacy.audit import Deed, record
from parlour.privacy.service import Privacy
from parlour.sdk.manifest import Manifest, to_json
from parlour.sdk.schema import problems
from parlour.skills.building import built_wheel, needs_build
from parlour.skills.clashes import Clash, clashes
from parlour.skills.configuring import SettingsBook
from parlour.skills.environment import Built, Environments
from parlour.skills.errors import BadSettings, GrantsMissing, InstallRefused, SkillBroke
from parlour.skills.jobs import plan
from parlour.skills.package import Package, read_package
from parlour.skills.process import SkillProcess
from parlour.skills.register import Register
from parlour.skills.sources import fetched
from parlour.skills.standing import keep_previous
from parlour.skills.views import SkillView
from parlour.store.database import Database
from parlour.store.ids import SkillId, WorkspaceId, new_id
from parlour.store.skill_models import SkillGrant, SkillRow


@dataclass(frozen=True, slots=True)
class Offer:
    """What would be installed: shown to an operator before it is put to work."""

    package: Package
    before: SkillView | None
    # The commands that installed skills have too.
    clashes: tuple[Clash, ...] = ()

    @property
    def manifest(self) -> Manifest:
        """What it is and asks for."""
        return self.package.manifest

    @property
    def new_grants(self) -> tuple[str, ...]:
        """What it asks for beyond what it was granted before: capabilities, hosts as `Http: api.example.org`, and other
        skills as `Skills: recommendation`.
        """
        had, hosts, asks = (self.before.grants, self.before.hosts, self.before.asks) if self.before else ((), (), ())
        asked = [name for name in self.manifest.to_grant if name not in had]
        asked += [f"Http: {host}" for host in self.manifest.hosts if host not in hosts]
        return (*asked, *(f"Skills: {name}" for name in self.manifest.asks if name not in asks))


class Installer:
    """Installs into one workspace; `actor` is who does it, for the audit log."""

    def __init__(
        self,
        *,
        database: Database,
        privacy: Privacy,
        environments: Environments,
        register: Register,
        settings: SettingsBook,
        workspace_id: WorkspaceId,
        offered: frozenset[str],
        actor: str,
    ) -> None:
        self._database = database
        self._privacy = privacy
        self._environments = environments
        self._register = register
        self._settings = settings
        self._workspace_id = workspace_id
        self._offered = offered
        self._actor = actor

    def offer(self, source: Path | str) -> Offer:
        """Read what would be installed, from wherever it is (`sources.fetched`). Raises `InstallRefused`.

        Nothing of it runs, but for a project that only a build tells of: that is built, confined (`building`).
        """
        with fetched(str(source)) as there:
            package = replace(_read(there.path), source=there.source, pin=there.pin)
        missing = [name for name in package.manifest.capabilities if name not in self._offered]
        if missing:
            raise InstallRefused(f"{package.manifest.name} needs {', '.join(missing)}, which this Parlour has not yet.")
        others = [skill.manifest for skill in self._register.installed()]
        # One that cannot be read any more is put right by what is installed over it.
        return Offer(package, self._register.readable(package.manifest.name), clashes(package.manifest, others))

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
        source = source or self._register.source(name)
        if source is None:
            raise InstallRefused(f"Where {name} came from is not known. Say it: parlour skill upgrade {name} SOURCE")
        offer = self.offer(source)
        if offer.manifest.name != name:
            raise InstallRefused(f"{source} holds the skill {offer.manifest.name}, not {name}. Nothing was changed.")
        schema = {**offer.manifest.settings, "required": []} if offer.manifest.settings else {}
        known = schema.get("properties", {})
        kept = {
            key: value for key, value in self._settings.what_is_set(self._register.id(name)).items() if key in known
        }
        for problem in problems(schema, kept):
            remedy = f"Take it back first: parlour skill configure {name} {problem.split(' ')[0]}="
            raise BadSettings(f"{name} {offer.manifest.version}: the setting {problem}. {remedy}")
        return offer

    def try_out(self, offer: Offer) -> None:
        """Build it and start it once, confined, and leave nothing of it. Raises `InstallRefused`."""
        built = self._build(offer)
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
        built = self._build(offer)
        self._start_once(offer.manifest, built.folder, is_there=bool(before and before.folder == built.folder))
        with self._database.begin() as session:
            earlier = self._register.row(session, offer.manifest.name)
            previous, outdated = keep_previous(session, earlier, built.folder)
            row = self._record(session, earlier, offer.manifest, folder=built.folder, lock=built.lock)
            # None for an upload: there is no place to look for the next version.
            row.source, row.previous = offer.package.source or None, previous
            self._note(session, offer)
        if outdated:
            self._environments.remove(outdated)
        return self._register.get(offer.manifest.name)

    def _build(self, offer: Offer) -> Built:
        """Its environment; one that was built before gets the same wheels, whatever the index has by now."""
        with self._database.read() as session:
            row = self._register.row(session, offer.manifest.name)
            lock = row.lock if row is not None and row.state != "removed" else ""
        return self._environments.build(offer.package, lock=lock)

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
            row = SkillRow(id=new_id(), workspace_id=self._workspace_id, name=manifest.name, installed_at=now)
            session.add(row)
        # What an operator has disabled stays so over an upgrade.
        row.state = "disabled" if row.state == "disabled" else "enabled"
        row.version, row.updated_at = manifest.version, now
        row.manifest, row.lock, row.folder = to_json(manifest), lock, folder
        session.flush()
        session.execute(delete(SkillGrant).where(SkillGrant.skill_id == row.id))
        grants = [(name, "") for name in manifest.to_grant] + [("Http", host) for host in manifest.hosts]
        grants += [("Skills", name) for name in manifest.asks]
        for capability, host in grants:
            session.add(SkillGrant(id=new_id(), skill_id=row.id, capability=capability, host=host, granted_at=now))
        plan(session, SkillId(row.id), manifest, now=now)
        return row

    def _note(self, session: Session, offer: Offer) -> None:
        """Write it down, as the last thing in the caller's transaction."""
        granted = ", ".join(offer.new_grants) or "nothing more"
        what = f"version {offer.manifest.version} from {offer.package.source or 'an upload'}; granted: {granted}"
        action = "skill.install" if offer.before is None else "skill.upgrade"
        deed = Deed(self._actor, action, offer.manifest.name, self._workspace_id, what)
        session.flush()
        record(session, self._privacy, deed, now=self._database.clock.now())


def _read(path: Path) -> Package:
    if not needs_build(path):
        return read_package(path)
    with built_wheel(path) as wheel:
        return read_package(wheel)
