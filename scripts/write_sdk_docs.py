"""The pages of docs/sdk/: one for each capability a skill can be given, from the code."""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from parlour.sdk.capabilities import CAPABILITIES, HARMLESS, MEANINGS
from parlour.sdk.skill import Skill
from parlour.sdk.testing import (
    FakeClock,
    FakeCrowd,
    FakeFiles,
    FakeHandoff,
    FakeHttp,
    FakeKnowledge,
    FakeModel,
    FakeNotify,
    FakeSecrets,
    FakeSkills,
    FakeStore,
    FakeUpload,
    FakeVectors,
    Rehearsal,
    Said,
)


def capability_pages() -> Mapping[str, Callable[[], str]]:
    """Every page by its file name, an index first."""
    pages: dict[str, Callable[[], str]] = {"sdk/index.md": _index}
    pages["sdk/skill.md"] = lambda: _reference("Skill", "What a skill is made of.", Skill)
    pages["sdk/testing.md"] = lambda: _reference("Testing a skill", _TESTING, *_FAKES)
    for name, kind in CAPABILITIES.items():
        pages[f"sdk/{name.lower()}.md"] = _writer(name, kind)
    return pages


NOTE = "<!-- Written by `make docs` from the code. Change the code, not this page. -->"


_TESTING = (
    "From `parlour.sdk.testing`: a skill in memory, with neither platform nor network. What stands for each capability "
    "is a part of `Rehearsal` that a test sets up before and looks at behind."
)
_FAKES = (
    *(Rehearsal, Said, FakeModel, FakeClock, FakeStore, FakeKnowledge, FakeHttp, FakeFiles, FakeUpload, FakeNotify),
    *(FakeHandoff, FakeSkills, FakeSecrets, FakeVectors, FakeCrowd),
)


def _reference(title: str, intro: str, *kinds: type) -> str:
    """Classes with what can be called of them. Of what has the methods of a capability, only what it is."""
    parts = [NOTE, f"# {title}", intro]
    for kind in kinds:
        parts += [f"## `{kind.__name__}`", inspect.getdoc(kind) or ""]
        if kind is Skill:
            parts.append(_code(_signature("Skill", kind.__init__).removeprefix("def ").removesuffix(" -> None")))
        if kind in {Skill, Rehearsal}:
            for method, function in _methods(kind):
                parts += _method(method, function) if method != "handler" else []
    return "\n\n".join(part for part in parts if part) + "\n"


def _method(name: str, function: Any) -> list[str]:  # noqa: ANN401 (a method)
    return [f"### `{name}`", _code(_signature(name, function)), inspect.getdoc(function) or ""]


def _index() -> str:
    intro = (
        "A handler asks for a capability by writing its name as a parameter's type; all are imported from "
        "`parlour.sdk`. What a skill asks for stands in its manifest, an operator grants it, and the host checks "
        "every call. What a skill is made of stands in [skill.md](skill.md), how it is tested in "
        "[testing.md](testing.md), all of it in one example in [writing-a-skill.md](../writing-a-skill.md)."
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
    shown = re.sub(r"parlour\.sdk\.\w+\.|~", "", shown).replace("datetime.datetime", "datetime")
    word = "async def" if inspect.iscoroutinefunction(function) else "def"
    return f"{word} {name}{shown}"


def _type(hint: object) -> str:
    return hint.__name__ if isinstance(hint, type) else str(hint)


def _code(text: str) -> str:
    return f"```python\n{text}\n```"
