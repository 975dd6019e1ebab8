"""The pages of docs/sdk/: one for each capability a skill can be given, from the code."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from parlour.sdk.capabilities import CAPABILITIES, HARMLESS, MEANINGS


def capability_pages() -> Mapping[str, Callable[[], str]]:
    """Every page by its file name, an index first."""
    pages: dict[str, Callable[[], str]] = {"sdk/index.md": _index}
    for name, kind in CAPABILITIES.items():
        pages[f"sdk/{name.lower()}.md"] = _writer(name, kind)
    return pages


NOTE = "<!-- Written by `make docs` from the code. Change the code, not this page. -->"


def _index() -> str:
    intro = (
        "A handler asks for a capability by writing its name as a parameter's type; all are imported from "
        "`parlour.sdk`. What a skill asks for stands in its manifest, an operator grants it, and the host checks "
        "every call."
    )
    rows = [
        f"| [`{name}`]({name.lower()}.md) | {MEANINGS[name][0]} | {'no' if name in HARMLESS else 'yes'} |"
        for name in CAPABILITIES
    ]
    table = "\n".join(["| capability | lets a skill | has to be granted |", "| --- | --- | --- |", *rows])
    return f"{NOTE}\n\n# What a skill can be given\n\n{intro}\n\n{table}\n"


def _writer(name: str, kind: type) -> Callable[[], str]:
    return lambda: _page(name, kind)


def _page(name: str, kind: type) -> str:
    english, chinese = MEANINGS[name]
    granted = "Nothing needs to be granted for it." if name in HARMLESS else "It has to be granted."
    parts = [NOTE, f"# `{name}`", f"Lets a skill {english} ({chinese}). {granted}", inspect.getdoc(kind) or ""]
    fields = getattr(kind, "__dataclass_fields__", {})
    if fields:
        parts.append(_code("\n".join(f"{field.name}: {_type(field.type)}" for field in fields.values())))
    for method, function in _methods(kind):
        parts += [f"## `{method}`", _code(_signature(method, function)), inspect.getdoc(function) or ""]
    return "\n\n".join(part for part in parts if part) + "\n"


def _methods(kind: type) -> Iterator[tuple[str, Any]]:
    for name, member in vars(kind).items():
        if inspect.isfunction(member) and not name.startswith("_"):
            yield name, member


def _signature(name: str, function: Any) -> str:  # noqa: ANN401 (a method)
    """The method as it is written in code, without `self`."""
    signature = inspect.signature(function)
    parameters = [one for one in signature.parameters.values() if one.name != "self"]
    shown = str(signature.replace(parameters=parameters)).replace("collections.abc.", "").replace("typing.", "")
    shown = shown.replace("parlour.sdk.capabilities.", "").replace("datetime.datetime", "datetime")
    word = "async def" if inspect.iscoroutinefunction(function) else "def"
    return f"{word} {name}{shown}"


def _type(hint: object) -> str:
    return hint.__name__ if isinstance(hint, type) else str(hint)


def _code(text: str) -> str:
    return f"```python\n{text}\n```"
