"""Installed skills on paper, for what decides about skills without running them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from parlour.sdk.manifest import Entry, Manifest
from parlour.skills.views import SkillView
from parlour.store.ids import SkillId, new_id

_AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def answering(name: str, *examples: str) -> Entry:
    """A handler that answers what people say."""
    return Entry(id=f"answers:{name}", kind="answers", name=name, examples=examples)


def command(name: str) -> Entry:
    """A handler of a command."""
    return Entry(id=f"command:{name}", kind="command", name=name, about=name)


def tool(name: str, about: str = "Does something.", *, capabilities: Sequence[str] = (), **arguments: Any) -> Entry:
    """A tool; the arguments are JSON schemas, all required."""
    schema = {"type": "object", "properties": arguments, "required": list(arguments), "additionalProperties": False}
    return Entry(
        id=f"tool:{name}", kind="tool", name=name, about=about, arguments=schema, capabilities=tuple(capabilities)
    )


def installed(name: str, *handlers: Entry, description: str = "A skill") -> SkillView:
    """A skill that is enabled."""
    manifest = Manifest(name, "1.0", description, f"{name}:skill", handlers=handlers)
    return SkillView(SkillId(new_id()), name, "1.0", "enabled", manifest, name, frozenset(), (), _AT)
