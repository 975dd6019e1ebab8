"""JSON schemas of the types that settings and tools may use, and checking values against them."""

import dataclasses
import math
import re
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from parlour.sdk.hosts import HOST


class Secret(str):
    """A setting that is sealed at rest and never shown. In settings it is empty; its value comes from `Secrets`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret('…')"


class Host(str):
    """A setting that names a server. Setting it, an operator lets the skill reach it through `Http`."""

    __slots__ = ()


class Folder(str):
    """A setting that names one of the folders that the machine's operator lets skills read (`Files`)."""

    __slots__ = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Chinese:
    """A setting's description in Chinese, beside that in English: `Annotated[int, "Litres", Chinese("升数")]`."""

    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class Between:
    """The least and the most that a number may be, itself included: `Annotated[int, "Litres a day", Between(1, 50)]`.

    None stands for no bound of yours; a whole number never needs more than 64 bits.
    """

    least: float | None = None
    most: float | None = None

    def schema(self) -> dict[str, float]:
        """As JSON schema says it."""
        bounds = {"minimum": self.least, "maximum": self.most}
        return {word: bound for word, bound in bounds.items() if bound is not None}


# What goes over the wire to a skill, and fits into every database.
_LARGEST_INTEGER: Final = 2**63 - 1
FOLDER: Final = re.compile(r"[a-z][a-z0-9-]{0,63}")
_SIMPLE: Mapping[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    Secret: {"type": "string", "format": "password", "writeOnly": True},
    Host: {"type": "string", "format": "hostname"},
    Folder: {"type": "string", "format": "folder"},
}
_SHAPES: Mapping[str, tuple[re.Pattern[str], str]] = {
    "hostname": (HOST, "is no host; write a name without scheme, port and path, such as api.example.org"),
    "folder": (FOLDER, "is no folder's name; write one of those in PARLOUR_SKILLS__FOLDERS, not a path"),
}
_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
    "null": type(None),
}


def schema_of(kind: Any) -> dict[str, Any]:  # noqa: ANN401 (any annotation)
    """The JSON schema of a type: str, int, float, bool, Secret, Host, Folder, Literal, list, tuple, dict of
    str, or with None.

    Text in `Annotated[…, "text"]` is its description, `Chinese` there the same in Chinese, `Between` there the bounds
    of a number. Raises `TypeError` for any other type.
    """
    if kind in _SIMPLE:
        return dict(_SIMPLE[kind])
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        words = [one for one in arguments[1:] if isinstance(one, str)]
        chinese = [one.text for one in arguments[1:] if isinstance(one, Chinese)]
        bounds = [one.schema() for one in arguments[1:] if isinstance(one, Between)]
        made = schema_of(arguments[0]) | ({"description": words[0]} if words else {})
        made |= {"description_zh": chinese[0]} if chinese else {}
        if bounds and made.get("type") not in {"integer", "number"}:
            raise TypeError("Between is for int and float alone")
        return made | (bounds[0] if bounds else {})
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in {list, tuple} and arguments:
        return {"type": "array", "items": schema_of(arguments[0])}
    if origin is dict and arguments[:1] == (str,):
        return {"type": "object", "additionalProperties": schema_of(arguments[1])}
    if origin in {Union, types.UnionType}:
        return {"anyOf": [{"type": "null"} if one is type(None) else schema_of(one) for one in arguments]}
    raise TypeError(f"{getattr(kind, '__name__', kind)} has no JSON schema here")


def object_schema(kind: type) -> dict[str, Any]:
    """The JSON schema of a dataclass: a property for each field, required where it has no default.

    Raises `TypeError` for a field of a type without a schema.
    """
    hints = get_type_hints(kind, include_extras=True)
    properties: dict[str, Any] = {}
    required = []
    for one in dataclasses.fields(kind):
        properties[one.name] = schema_of(hints[one.name])
        default = _default(one)
        if default is dataclasses.MISSING:
            required.append(one.name)
        elif "writeOnly" not in properties[one.name]:
            properties[one.name]["default"] = list(default) if isinstance(default, tuple) else default
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _default(one: "dataclasses.Field[Any]") -> Any:  # noqa: ANN401 (any field's default)
    return one.default_factory() if one.default_factory is not dataclasses.MISSING else one.default


def problems(schema: Mapping[str, Any], value: object, *, at: str = "") -> Iterator[str]:
    """What is wrong with `value`, a sentence each, none when it fits. Knows the schemas that this module makes.

    The value itself is not repeated: it may be a secret.
    """
    place = at or "the value"
    if "anyOf" in schema:
        if all(any(problems(one, value)) for one in schema["anyOf"]):
            yield f"{place} is of a wrong type"
        return
    if "enum" in schema:
        if value not in schema["enum"]:
            yield f"{place} must be one of {', '.join(str(one) for one in schema['enum'])}"
        return
    kind = str(schema.get("type", "object"))
    # In Python a bool is an int; in JSON it is none.
    if not isinstance(value, _TYPES[kind]) or (kind in {"integer", "number"} and isinstance(value, bool)):
        yield f"{place} must be of type {kind}"
    elif (shape := _SHAPES.get(schema.get("format", ""))) is not None and not shape[0].fullmatch(str(value)):
        yield f"{place} {shape[1]}"
    elif isinstance(value, int | float):
        yield from _number_problems(schema, value, place)
    elif isinstance(value, list):
        yield from _list_problems(schema, value, at)
    elif isinstance(value, dict):
        yield from _object_problems(schema, value, at)


def _number_problems(schema: Mapping[str, Any], value: float, place: str) -> Iterator[str]:
    least, most = schema.get("minimum"), schema.get("maximum")
    if isinstance(value, int) and abs(value) > _LARGEST_INTEGER:
        yield f"{place} is too large a number"
    elif not math.isfinite(value):
        yield f"{place} must be a finite number"
    elif least is not None and value < least:
        yield f"{place} must be at least {least}"
    elif most is not None and value > most:
        yield f"{place} must be at most {most}"


def hosts_set(schema: Mapping[str, Any], values: Mapping[str, Any]) -> tuple[str, ...]:
    """The hosts that an operator set in settings of type `Host`. A default, which the author wrote, grants nothing."""
    return tuple(host for host in _set(schema, values, names_hosts(schema)) if HOST.fullmatch(host))


def folders_set(schema: Mapping[str, Any], values: Mapping[str, Any]) -> tuple[str, ...]:
    """The folders that an operator set in settings of type `Folder`, by name. A default grants nothing here either."""
    return tuple(name for name in _set(schema, values, names_folders(schema)) if FOLDER.fullmatch(name))


def names_hosts(schema: Mapping[str, Any]) -> list[str]:
    """The settings in which an operator names hosts."""
    return _of_format(schema, "hostname")


def names_folders(schema: Mapping[str, Any]) -> list[str]:
    """The settings in which an operator names folders."""
    return _of_format(schema, "folder")


def _of_format(schema: Mapping[str, Any], wanted: str) -> list[str]:
    kinds = {name: one.get("items", one) for name, one in schema.get("properties", {}).items()}
    return [name for name, kind in kinds.items() if kind.get("format") == wanted]


def _set(schema: Mapping[str, Any], values: Mapping[str, Any], names: Sequence[str]) -> Iterator[str]:
    for name in names:
        value = values.get(name)
        if value and value != schema["properties"][name].get("default"):
            yield from [value] if isinstance(value, str) else value


def _list_problems(schema: Mapping[str, Any], value: Sequence[Any], at: str) -> Iterator[str]:
    for number, one in enumerate(value):
        yield from problems(schema.get("items", {}), one, at=f"{at}[{number}]")


def _object_problems(schema: Mapping[str, Any], value: Mapping[str, Any], at: str) -> Iterator[str]:
    properties: Mapping[str, Any] = schema.get("properties", {})
    others = schema.get("additionalProperties", True)
    for name, one in value.items():
        path = f"{at}.{name}" if at else str(name)
        if name in properties:
            yield from problems(properties[name], one, at=path)
        elif isinstance(others, Mapping):
            yield from problems(others, one, at=path)
        elif not others:
            known = ", ".join(properties) or "none"
            yield f"{path} is unknown; there are: {known}"
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{at}.{name} is missing" if at else f"{name} is missing"
