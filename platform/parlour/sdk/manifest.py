"""What a skill is and asks for, frozen when it is built, so that it can be shown before anything of it runs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final, get_args, get_origin, get_type_hints

from parlour.sdk.capabilities import CAPABILITIES, HARMLESS
from parlour.sdk.commands import RESERVED_COMMANDS
from parlour.sdk.errors import SkillMistake
from parlour.sdk.handlers import Handler, Kind
from parlour.sdk.hosts import HOST
from parlour.sdk.ranges import SDK_RANGE, SDK_VERSION, fits, is_range
from parlour.sdk.schedule import read_schedule
from parlour.sdk.schema import names_folders, names_hosts, object_schema
from parlour.sdk.skill import NAME, Skill, is_name

FILE: Final = "parlour-skill.json"
_LARGEST_BYTES: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One handler, as far as the host needs to know it without running it."""

    id: str
    kind: str
    name: str
    capabilities: tuple[str, ...] = ()
    about: str = ""
    about_zh: str = ""
    examples: tuple[str, ...] = ()
    arguments: Mapping[str, Any] = field(default_factory=dict)
    schedule: str = ""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A skill on paper. `entry_point` is `package.module:name` of the `Skill`; `sdk` the SDK versions it fits."""

    name: str
    version: str
    description: str
    entry_point: str
    sdk: str = SDK_RANGE
    description_zh: str = ""
    capabilities: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()
    keeps: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    handlers: tuple[Entry, ...] = ()

    @property
    def to_grant(self) -> tuple[str, ...]:
        """The capabilities that an operator has to grant."""
        return tuple(name for name in self.capabilities if name not in HARMLESS)

    def of_kind(self, kind: str) -> tuple[Entry, ...]:
        """The handlers of a kind: `answers`, `command`, `tool`, `offer`, `event`, `import`, `job`, `erased`."""
        return tuple(entry for entry in self.handlers if entry.kind == kind)


def manifest_of(skill: Skill, *, version: str, entry_point: str) -> Manifest:
    """The manifest that the skill's own code amounts to. Raises `SkillMistake` where it contradicts itself."""
    asked = {name for handler in skill.handlers for name in handler.capabilities}
    if not skill.handlers:
        raise SkillMistake(f"The skill {skill.name!r} has no handler. Decorate a function with @skill.answers(…).")
    settings = object_schema(skill.settings_class) if skill.settings_class else {}
    if "Http" in asked and not skill.hosts and not names_hosts(settings):
        raise SkillMistake(f"The skill {skill.name!r} asks for Http and names no host. Say which: Skill(…, hosts=[…]).")
    if "Files" in asked and not names_folders(settings):
        remedy = "Let an operator name one: a setting of type Folder."
        raise SkillMistake(f"The skill {skill.name!r} asks for Files and has no setting for a folder. {remedy}")
    if asked & {"UserStore", "SharedStore"} and not skill.keeps:
        remedy = 'Say it: Skill(…, keeps={"plant": "the plants you told about"}).'
        raise SkillMistake(f"The skill {skill.name!r} stores documents and does not say which kinds. {remedy}")
    if "Skills" in asked and not skill.asks:
        remedy = "Say which: Skill(…, asks=['recommendation'])."
        raise SkillMistake(f"The skill {skill.name!r} asks for Skills and names none. {remedy}")
    return Manifest(
        name=skill.name,
        version=version,
        description=skill.description,
        description_zh=skill.zh,
        entry_point=entry_point,
        sdk=skill.sdk,
        capabilities=tuple(name for name in CAPABILITIES if name in asked),
        hosts=skill.hosts,
        asks=skill.asks,
        keeps=skill.keeps,
        settings=settings,
        handlers=tuple(_entry(handler) for handler in skill.handlers),
    )


def to_json(manifest: Manifest) -> str:
    """The manifest as it stands in a skill's package."""
    return json.dumps(asdict(manifest), ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def from_json(text: str | bytes) -> Manifest:
    """The manifest in a file. It comes from strangers: raises `SkillMistake` for anything that is not one."""
    if len(text) > _LARGEST_BYTES:
        raise SkillMistake(f"{FILE} is larger than {_LARGEST_BYTES:,} bytes.")
    try:
        return from_plain(json.loads(text))
    except (ValueError, RecursionError):
        raise SkillMistake(f"{FILE} is not JSON. Write it anew with: parlour skill check --freeze FOLDER") from None


def from_plain(value: object) -> Manifest:
    """The manifest in plain values. Raises `SkillMistake` as `from_json` does."""
    try:
        manifest = _read(value)
    except (TypeError, KeyError, AttributeError):
        raise SkillMistake(f"{FILE} lacks a field, or has one that is unknown or of a wrong type.") from None
    for problem in _contradictions(manifest):
        raise SkillMistake(f"{FILE}: {problem.removesuffix('.')}.")
    return manifest


def _read(value: Any) -> Manifest:  # noqa: ANN401 (whatever a file holds)
    known = dict(value)
    entries = tuple(Entry(**_tuples(one, "capabilities", "examples")) for one in known.pop("handlers"))
    # Manifests that were frozen before there were ranges name one version.
    if type(known.get("sdk")) is int:
        known["sdk"] = f">={known['sdk']},<{known['sdk'] + 1}"
    manifest = Manifest(**_tuples(known, "capabilities", "hosts", "asks"), handlers=entries)
    _check_fields(manifest)
    for entry in entries:
        _check_fields(entry)
    if not all(isinstance(word, str) for word in manifest.keeps.values()):
        raise TypeError
    return manifest


def _tuples(value: Mapping[str, Any], *names: str) -> dict[str, Any]:
    made = dict(value)
    for name in names:
        if not isinstance(made.get(name, []), list):
            raise TypeError
        made[name] = tuple(made.get(name, []))
    return made


def _check_fields(one: Manifest | Entry) -> None:
    """Raises `TypeError` for a field that is not of the type it is declared with."""
    for name, hint in get_type_hints(type(one)).items():
        value, kind = getattr(one, name), get_origin(hint) or hint
        expected = dict if kind is Mapping else kind
        if type(value) is not expected:
            raise TypeError
        if isinstance(value, tuple) and not all(isinstance(part, str | Entry) for part in value):
            raise TypeError


def _contradictions(manifest: Manifest) -> list[str]:
    found = []
    if not is_name(manifest.name):
        found.append("its name is no skill's name")
    if not is_range(manifest.sdk):
        found.append(f"sdk {manifest.sdk[:40]!r} is no range of versions, such as {SDK_RANGE}")
    elif not fits(manifest.sdk):
        remedy = "Take a version of the skill that fits it, or another Parlour"
        found.append(f"it is written for SDK {manifest.sdk[:40]}; this Parlour has SDK {SDK_VERSION}. {remedy}")
    if unknown := {*manifest.capabilities} - {*CAPABILITIES}:
        found.append(f"it asks for what there is not: {', '.join(sorted(unknown))}")
    found += [f"{host!r} is no host" for host in manifest.hosts if not HOST.fullmatch(host)]
    found += [
        f"{name[:80]!r} is no other skill" for name in manifest.asks if not is_name(name) or name == manifest.name
    ]
    module, _, attribute = manifest.entry_point.partition(":")
    if not (attribute.isidentifier() and all(part.isidentifier() for part in module.split("."))):
        found.append("its entry_point is not package.module:name")
    if len({entry.id for entry in manifest.handlers}) != len(manifest.handlers):
        found.append("two handlers have the same name")
    for entry in manifest.handlers:
        found += _entry_contradictions(manifest, entry)
    return found


def _entry_contradictions(manifest: Manifest, entry: Entry) -> list[str]:
    found = []
    if entry.kind not in get_args(Kind) or entry.id != f"{entry.kind}:{entry.name}":
        found.append("a handler is of no known kind")
    if {*entry.capabilities} - {*manifest.capabilities}:
        found.append(f"{entry.id} asks for more than the skill does")
    if entry.kind == "command" and entry.name in RESERVED_COMMANDS:
        found.append(f"/{entry.name} is a command of Parlour's own. Take a version that calls it otherwise")
    elif entry.kind == "command" and not NAME.fullmatch(entry.name):
        found.append(f"{entry.name!r} cannot be a command")
    if entry.kind == "job":
        try:
            read_schedule(entry.schedule)
        except ValueError as error:
            found.append(str(error))
    return found


def _entry(handler: Handler) -> Entry:
    return Entry(
        id=handler.id,
        kind=handler.kind,
        name=handler.name,
        capabilities=tuple(name for name in CAPABILITIES if name in handler.capabilities),
        about=handler.about,
        about_zh=handler.about_zh,
        examples=handler.examples,
        arguments=handler.arguments,
        schedule=handler.schedule,
    )


def differences(frozen: Manifest, actual: Manifest) -> Sequence[str]:
    """The fields in which the code is not what its frozen manifest says; none when it is honest."""
    return [one.name for one in fields(Manifest) if getattr(frozen, one.name) != getattr(actual, one.name)]
