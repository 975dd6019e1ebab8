"""How skills are set: checked against their schemas, each value sealed."""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, select

from parlour.privacy.audit import Deed, record
from parlour.privacy.service import Privacy
from parlour.sdk.schema import problems
from parlour.skills.errors import BadSettings
from parlour.skills.views import SkillView, secret_names
from parlour.store.database import Database
from parlour.store.ids import SkillId, WorkspaceId, new_id
from parlour.store.skill_models import SkillSetting


class SettingsBook:
    """What operators of one workspace have set; `actor` is who sets now, for the audit log."""

    def __init__(self, database: Database, privacy: Privacy, workspace_id: WorkspaceId, *, actor: str) -> None:
        self._database = database
        self._privacy = privacy
        self._workspace_id = workspace_id
        self._actor = actor

    def configure(self, skill: SkillView, values: Mapping[str, Any]) -> None:
        """Set values; None takes one back to its default. Raises `BadSettings` with the problem."""
        schema = skill.manifest.settings or {"type": "object", "properties": {}, "additionalProperties": False}
        given = {key: value for key, value in values.items() if value is not None}
        for problem in problems({**schema, "required": []}, given):
            raise BadSettings(f"{skill.name}: {problem}.")
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
            session.flush()
            # Which, and never to what: values may be secrets.
            deed = Deed(self._actor, "skill.configure", skill.name, self._workspace_id, ", ".join(values))
            record(session, self._privacy, deed, now=now)

    def values(self, skill: SkillView, *, with_secrets: bool = False) -> dict[str, Any]:
        """Its settings as they are now, defaults filled in; secrets only where they are asked for."""
        schema: Mapping[str, Any] = skill.manifest.settings.get("properties", {})
        values = {name: one["default"] for name, one in schema.items() if "default" in one}
        values |= self.what_is_set(skill.id)
        # What a newer version no longer has is kept, for the way back, and not handed out.
        secrets = secret_names(skill.manifest)
        return {
            name: value for name, value in values.items() if name in schema and (with_secrets or name not in secrets)
        }

    def what_is_set(self, skill_id: SkillId) -> dict[str, Any]:
        """What operators have set, whether this version has it or not."""
        with self._database.read() as session:
            rows = session.scalars(select(SkillSetting).where(SkillSetting.skill_id == skill_id)).all()
        opened = self._privacy.sealer.open_text
        return {row.name: json.loads(opened(self._workspace_id, SkillSetting.value, row.id, row.value)) for row in rows}

    def missing(self, skill: SkillView) -> list[str]:
        """The settings that it needs and that nobody has set yet."""
        there = self.values(skill, with_secrets=True)
        return [name for name in skill.manifest.settings.get("required", ()) if name not in there]
