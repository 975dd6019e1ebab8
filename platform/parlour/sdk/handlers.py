"""What a handler's signature says: which capabilities it is given and, for a tool, what it is called with."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_type_hints

from parlour.sdk.capabilities import CAPABILITIES, CapabilityName
from parlour.sdk.errors import SkillMistake
from parlour.sdk.schema import schema_of

Function = Callable[..., Any]
_NAME_OF = {kind: name for name, kind in CAPABILITIES.items()}
Kind = Literal["answers", "command", "tool", "offer", "event", "import", "job", "erased"]
# Those that are called with values of a JSON schema and return a value.
CALLED: Final = frozenset({"tool", "offer", "event", "erased"})
# In these nobody speaks, so there is no person and no conversation.
NOBODY: Final = {
    "job": "since nobody spoke",
    "import": "since a file has no person",
    "erased": "since the person is gone",
}
_CALLED_AS: Final = {"job": "a job", "import": "an import", "erased": "what is told of an erasure"}
_PERSONAL: Final = frozenset({"Turn", "UserStore", "Handoff", "Skills"})


@dataclass(frozen=True, slots=True)
class Handler:
    """One function of a skill, and when it is called.

    `given` names the capability of each parameter, "settings" for the settings class. `arguments` is the JSON schema
    of a tool, offer or event. Of `examples`, `schedule` and `about` only those are set that its kind has.
    """

    kind: Kind
    name: str
    function: Function
    given: Mapping[str, CapabilityName | Literal["settings"]]
    arguments: Mapping[str, Any]
    examples: tuple[str, ...] = ()
    about: str = ""
    about_zh: str = ""
    schedule: str = ""

    @property
    def id(self) -> str:
        """Its name within the skill."""
        return f"{self.kind}:{self.name}"

    @property
    def capabilities(self) -> frozenset[CapabilityName]:
        """What it asks for."""
        return frozenset(name for name in self.given.values() if name != "settings")


def where(function: Function) -> str:
    """File and line of a function, for messages."""
    code = inspect.unwrap(function).__code__
    return f"{code.co_filename}:{code.co_firstlineno}"


def read(
    kind: Kind,
    name: str,
    function: Function,
    settings: type | None,
    **details: Any,  # noqa: ANN401 (Handler's fields)
) -> Handler:
    """The handler that `function` is. Raises `SkillMistake` with its line for a parameter that nothing can fill."""
    if not (inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)):
        raise SkillMistake(f"{where(function)}: {function.__name__} is not async. Write: async def {function.__name__}")
    given: dict[str, CapabilityName | Literal["settings"]] = {}
    properties: dict[str, Any] = {}
    required = []
    hints = _hints(function)
    for parameter in inspect.signature(function).parameters.values():
        hint = hints.get(parameter.name)
        if hint in _NAME_OF:
            given[parameter.name] = _NAME_OF[hint]
        elif settings is not None and hint is settings:
            given[parameter.name] = "settings"
        elif kind in CALLED:
            properties[parameter.name] = _argument(function, parameter, hint)
            if parameter.default is parameter.empty:
                required.append(parameter.name)
        else:
            raise SkillMistake(_cannot_fill(function, parameter))
    _refuse_misplaced(kind, function, frozenset(given.values()))
    schema = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return Handler(kind, name, function, given, schema if kind in CALLED else {}, **details)


def _refuse_misplaced(kind: Kind, function: Function, given: frozenset[str]) -> None:
    """Raises `SkillMistake` for a capability that a handler of this kind cannot have."""
    if kind in NOBODY and (personal := _PERSONAL & given):
        names = " and no ".join(sorted(personal))
        raise SkillMistake(f"{where(function)}: {_CALLED_AS[kind]} has no {names}, {NOBODY[kind]}. Take it out.")
    if kind == "event" and (spoken := {"Turn", "Handoff", "Skills"} & given):
        names = " and no ".join(sorted(spoken))
        raise SkillMistake(f"{where(function)}: an event has no {names}, since nobody spoke. Take it out.")
    if kind != "import" and "Upload" in given:
        raise SkillMistake(f"{where(function)}: an Upload is for @skill.imports alone. Take it out.")


def _hints(function: Function) -> dict[str, Any]:
    try:
        return get_type_hints(function, include_extras=True)
    except (NameError, TypeError) as error:
        raise SkillMistake(f"{where(function)}: a type is not known ({error}). Import it.") from None


def _argument(function: Function, parameter: inspect.Parameter, hint: object) -> dict[str, Any]:
    if hint is None:
        raise SkillMistake(_cannot_fill(function, parameter))
    try:
        schema = schema_of(hint)
    except TypeError as error:
        raise SkillMistake(
            f"{where(function)}: parameter {parameter.name!r}: {error}. Use str, int, float, bool, Literal or lists."
        ) from None
    has_default = parameter.default is not parameter.empty
    return schema | ({"default": parameter.default} if has_default else {})


def _cannot_fill(function: Function, parameter: inspect.Parameter) -> str:
    known = ", ".join(CAPABILITIES)
    return f"{where(function)}: parameter {parameter.name!r} has no type that can be given. There are: {known}."
