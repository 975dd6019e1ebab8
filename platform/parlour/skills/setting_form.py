"""A form made from a skill's settings schema, and what was typed into it read back. Pure: no page, no database."""

import json
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from parlour.sdk.schema import problems


class Widget(StrEnum):
    """How a setting is asked for."""

    TEXT = "text"
    SECRET = "secret"  # noqa: S105 (a kind of field)
    HOST = "host"
    INTEGER = "integer"
    NUMBER = "number"
    SWITCH = "switch"
    CHOICE = "choice"
    LINES = "lines"  # one value a line
    JSON = "json"  # whatever has no form of its own


class Fault(StrEnum):
    """What is wrong with what was typed. The text itself is not repeated: it may be a secret."""

    REQUIRED = "required"
    INTEGER = "integer"
    NUMBER = "number"
    CHOICE = "choice"
    HOST = "host"
    JSON = "json"
    RANGE = "range"
    TYPE = "type"


@dataclass(frozen=True, slots=True)
class Field:
    """One setting in the form. `text` is what stands in it; for a secret nothing, ever."""

    name: str
    widget: Widget
    about: str
    # The same for who reads Chinese, where the author wrote it.
    about_zh: str
    text: str
    default: str
    choices: tuple[str, ...]
    is_required: bool
    # Whether a secret has a value: that is all that is told of it.
    is_set: bool


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed: the values that change (None: back to the default), and what is wrong, by setting."""

    changes: Mapping[str, Any]
    faults: Mapping[str, Fault]


# Behind a secret's name: take back what is set.
CLEAR: Final = ".clear"
_ITEMS_ON_LINES: Final = {Widget.TEXT, Widget.HOST, Widget.INTEGER, Widget.NUMBER}


def fields_of(
    schema: Mapping[str, Any], values: Mapping[str, Any], *, secrets_set: Collection[str] = ()
) -> list[Field]:  # fmt: skip
    """The form, in the schema's order; `values` are those in force, defaults included."""
    required = schema.get("required", ())
    return [
        _field(name, one, values.get(name), is_required=name in required, is_set=name in secrets_set)
        for name, one in schema.get("properties", {}).items()
    ]


def read(
    schema: Mapping[str, Any],
    typed: Mapping[str, str],
    values: Mapping[str, Any],
    *,
    secrets_set: Collection[str] = (),
) -> Typed:
    """What the form that `fields_of` made holds now. What stays as it is, is no change; an empty secret stays."""
    changes: dict[str, Any] = {}
    faults: dict[str, Fault] = {}
    for field in fields_of(schema, values, secrets_set=secrets_set):
        one = schema["properties"][field.name]
        try:
            value = _value(field, one, typed)
        except _WrongError as wrong:
            faults[field.name] = wrong.fault
            continue
        # A secret is never shown, so nothing that is typed is what it was.
        is_same = field.widget is not Widget.SECRET and value == values.get(field.name, one.get("default"))
        if value is _UNCHANGED or is_same:
            continue
        changes[field.name] = None if value == one.get("default") else value
    return Typed(changes, faults)


class _WrongError(Exception):
    """What was typed is none of the field's values."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.value)
        self.fault = fault


_UNCHANGED: Final = object()


def _field(name: str, schema: Mapping[str, Any], value: Any, *, is_required: bool, is_set: bool) -> Field:  # noqa: ANN401 (any JSON)
    kind = _kind(schema)
    widget = _widget(kind)
    is_secret = widget is Widget.SECRET
    return Field(
        name=name,
        widget=widget,
        about=_about(schema, kind, "description"),
        about_zh=_about(schema, kind, "description_zh"),
        text="" if is_secret else _text(widget, value),
        default="" if is_secret else _text(widget, schema.get("default")),
        choices=_choices(widget, kind),
        is_required=is_required,
        is_set=is_secret and is_set,
    )


def _about(schema: Mapping[str, Any], kind: Mapping[str, Any], word: str) -> str:
    """What the author wrote under that word, in English where they did not, and the bounds behind it."""
    written = next((one[key] for key in (word, "description") for one in (schema, kind) if one.get(key)), "")
    return " ".join(filter(None, (str(written), _bounds(kind))))


def _kind(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema itself, or the one that a value which may be left out has when it is there."""
    kinds = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    return kinds[0] if len(kinds) == 1 else schema


def _widget(kind: Mapping[str, Any]) -> Widget:
    if "enum" in kind:
        return Widget.CHOICE
    if kind.get("writeOnly"):
        return Widget.SECRET
    if kind.get("format") == "hostname":
        return Widget.HOST
    if kind.get("type") == "array":
        return Widget.LINES if _widget(kind.get("items", {})) in _ITEMS_ON_LINES else Widget.JSON
    simple = {"string": Widget.TEXT, "integer": Widget.INTEGER, "number": Widget.NUMBER, "boolean": Widget.SWITCH}
    return simple.get(str(kind.get("type")), Widget.JSON)


def _bounds(kind: Mapping[str, Any]) -> str:
    """The least and the most of a number, as they read in every language."""
    if "minimum" not in kind and "maximum" not in kind:
        return ""
    return f"({kind.get('minimum', '')} … {kind.get('maximum', '')})"


def _choices(widget: Widget, kind: Mapping[str, Any]) -> tuple[str, ...]:
    if widget is Widget.SWITCH:
        return ("true", "false")
    return tuple(_plain(one) for one in kind["enum"]) if widget is Widget.CHOICE else ()


def _text(widget: Widget, value: Any) -> str:  # noqa: ANN401 (any JSON)
    if value is None:
        return ""
    if widget is Widget.JSON:
        return json.dumps(value, ensure_ascii=False, indent=2)
    if widget is Widget.LINES:
        return "\n".join(_plain(one) for one in value) if isinstance(value, list | tuple) else ""
    return _plain(value)


def _plain(value: Any) -> str:  # noqa: ANN401 (any JSON)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _value(field: Field, schema: Mapping[str, Any], typed: Mapping[str, str]) -> Any:  # noqa: ANN401 (any JSON)
    """The value that was typed, None for nothing. Raises `_WrongError`."""
    if field.name not in typed and field.name + CLEAR not in typed:
        return _UNCHANGED
    text = typed.get(field.name, "")
    if field.widget is Widget.SECRET:
        if typed.get(field.name + CLEAR):
            text = ""
        elif not text and (field.is_set or not field.is_required):
            return _UNCHANGED
    if not text.strip():
        if field.is_required:
            raise _WrongError(Fault.REQUIRED)
        return schema.get("default")
    kind = _kind(schema)
    value = _READERS[field.widget](text, kind)
    if any(problems(kind, value)):
        raise _WrongError(_FAULTS.get(field.widget, Fault.TYPE))
    return value


def _integer(text: str, _: Mapping[str, Any]) -> int:
    try:
        return int(text.strip())
    except ValueError:
        raise _WrongError(Fault.INTEGER) from None


def _number(text: str, _: Mapping[str, Any]) -> float:
    try:
        value = float(text.strip())
    except ValueError:
        raise _WrongError(Fault.NUMBER) from None
    if not math.isfinite(value):
        raise _WrongError(Fault.NUMBER)
    return value


def _choice(text: str, kind: Mapping[str, Any]) -> Any:  # noqa: ANN401 (any JSON)
    options = kind.get("enum", (True, False))
    found = [one for one in options if _plain(one) == text]
    if not found:
        raise _WrongError(Fault.CHOICE)
    return found[0]


def _lines(text: str, kind: Mapping[str, Any]) -> list[Any]:
    item = kind.get("items", {})
    reader = _READERS[_widget(item)]
    values = [reader(line.strip(), item) for line in text.splitlines() if line.strip()]
    if item.get("format") == "hostname" and any(any(problems(item, one)) for one in values):
        raise _WrongError(Fault.HOST)
    return values


def _json(text: str, _: Mapping[str, Any]) -> Any:  # noqa: ANN401 (any JSON)
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise _WrongError(Fault.JSON) from None


_READERS: Final[Mapping[Widget, Callable[[str, Mapping[str, Any]], Any]]] = {
    Widget.TEXT: lambda text, _: text,
    Widget.SECRET: lambda text, _: text,
    Widget.HOST: lambda text, _: text.strip(),
    Widget.INTEGER: _integer,
    Widget.NUMBER: _number,
    Widget.SWITCH: _choice,
    Widget.CHOICE: _choice,
    Widget.LINES: _lines,
    Widget.JSON: _json,
}
_FAULTS: Final = {
    Widget.HOST: Fault.HOST,
    Widget.CHOICE: Fault.CHOICE,
    # What was typed is a number by then: it is not one that the setting takes.
    Widget.INTEGER: Fault.RANGE,
    Widget.NUMBER: Fault.RANGE,
}
