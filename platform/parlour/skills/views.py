"""An installed skill as operators, router and scheduler see it, and where in a workspace it may be called."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import ColumnElement, exists, or_, select
from sqlalchemy.orm import Session

from parlour.sdk.capabilities import HARMLESS
from parlour.sdk.errors import SkillMistake
from parlour.sdk.manifest import Manifest, from_json
from parlour.sdk.schema import folders_set, hosts_set
from parlour.skills.desk import Grants
from parlour.store.ids import ConversationId, SkillId, WorkspaceId
from parlour.store.skill_models import SkillGrant, SkillRow, SkillScope

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is said: a conversation of a channel in a workspace."""

    workspace_id: WorkspaceId
    channel: str
    conversation_id: ConversationId


@dataclass(frozen=True, slots=True)
class Scope:
    """An exception to the workspace's own word: one channel, or one conversation."""

    is_enabled: bool
    channel: str | None = None
    conversation_id: ConversationId | None = None


@dataclass(frozen=True, slots=True)
class SkillView:
    """An installed skill."""

    id: SkillId
    name: str
    version: str
    state: str
    manifest: Manifest
    folder: str
    grants: frozenset[str]
    hosts: tuple[str, ...]
    installed_at: datetime
    scopes: tuple[Scope, ...] = ()
    source: str | None = None
    # A new version that has not answered yet; the one before it is kept.
    is_on_trial: bool = False
    # The other skills that it may ask.
    asks: tuple[str, ...] = ()

    @property
    def is_enabled(self) -> bool:
        """Whether it may be called where no scope says otherwise."""
        return self.state == "enabled"

    @property
    def is_at_work(self) -> bool:
        """Whether it may be called anywhere; only then do its jobs run."""
        return self.is_enabled or any(scope.is_enabled for scope in self.scopes)

    def is_enabled_in(self, place: Place) -> bool:
        """Whether it may be called there: a conversation goes before its channel, that before the workspace."""
        by_conversation = [one.is_enabled for one in self.scopes if one.conversation_id == place.conversation_id]
        by_channel = [one.is_enabled for one in self.scopes if one.channel == place.channel]
        return [*by_conversation, *by_channel, self.is_enabled][0]

    @property
    def allowed(self) -> Grants:
        """What its calls are checked against."""
        return Grants(
            capabilities=self.grants | HARMLESS,
            hosts=self.hosts,
            asks=frozenset(self.asks),
            kinds=frozenset(self.manifest.keeps),
            secrets=frozenset(secret_names(self.manifest)),
        )

    def allowed_with(self, settings: Mapping[str, Any]) -> Grants:
        """The same, and the hosts and folders that an operator set in `settings`."""
        schema = self.manifest.settings
        return self.allowed.reaching(hosts_set(schema, settings), folders_set(schema, settings))


def is_at_work() -> ColumnElement[bool]:
    """Of a `SkillRow`, in SQL: whether it may be called anywhere."""
    is_enabled_somewhere = exists().where(SkillScope.skill_id == SkillRow.id, SkillScope.is_enabled)
    return or_(SkillRow.state == "enabled", is_enabled_somewhere)


def installed(session: Session, workspace_id: WorkspaceId) -> list[SkillView]:
    """The skills of a workspace, by name; one that cannot be read is left out, and takes no other with it."""
    wanted = select(SkillRow).where(SkillRow.workspace_id == workspace_id, SkillRow.state.in_(("enabled", "disabled")))
    found = (readable(session, row) for row in session.scalars(wanted.order_by(SkillRow.name)).all())
    return [view for view in found if view is not None]


def enabled_manifests(session: Session, place: Place) -> Sequence[Manifest]:
    """The manifests of the skills that may be called there, by name."""
    return [skill.manifest for skill in installed(session, place.workspace_id) if skill.is_enabled_in(place)]


def readable(session: Session, row: SkillRow) -> SkillView | None:
    """The row, with what belongs to it; None, and a word in the log, where its manifest is none."""
    try:
        return view_of(session, row)
    except SkillMistake as error:
        log.warning("skill_unreadable", skill=row.name, skill_id=str(row.id), reason=str(error))
        return None


def view_of(session: Session, row: SkillRow) -> SkillView:
    """The row, with what belongs to it. Raises `SkillMistake` where its manifest is none."""
    grants = session.scalars(select(SkillGrant).where(SkillGrant.skill_id == row.id)).all()
    scopes = session.scalars(select(SkillScope).where(SkillScope.skill_id == row.id).order_by(SkillScope.id)).all()
    return SkillView(
        id=SkillId(row.id),
        name=row.name,
        version=row.version,
        state=row.state,
        manifest=from_json(row.manifest),
        folder=row.folder,
        grants=frozenset(one.capability for one in grants),
        hosts=_named(grants, "Http"),
        asks=_named(grants, "Skills"),
        installed_at=row.installed_at,
        scopes=tuple(_scope(one) for one in scopes),
        source=row.source,
        is_on_trial=row.previous is not None,
    )


def _named(grants: Sequence[SkillGrant], capability: str) -> tuple[str, ...]:
    return tuple(sorted(one.host for one in grants if one.host and one.capability == capability))


def _scope(row: SkillScope) -> Scope:
    conversation_id = None if row.conversation_id is None else ConversationId(row.conversation_id)
    return Scope(is_enabled=row.is_enabled, channel=row.channel, conversation_id=conversation_id)


def secret_names(manifest: Manifest) -> list[str]:
    """The settings that are sealed and never shown."""
    properties: Mapping[str, Any] = manifest.settings.get("properties", {})
    return [name for name, one in properties.items() if one.get("writeOnly")]
