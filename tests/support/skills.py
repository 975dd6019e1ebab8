"""Skills' processes for tests: a module's text in, a running process out."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module, invalidate_caches
from itertools import count
from pathlib import Path
from typing import Any

from parlour.sdk.capabilities import Turn
from parlour.sdk.confine import Limits
from parlour.sdk.errors import NotGranted
from parlour.sdk.manifest import Manifest, manifest_of
from parlour.sdk.process import load
from parlour.sdk.replies import as_markdown
from parlour.skills.process import Launch, SkillProcess, Work
from parlour.skills.runtime import runtime

_NAMES = count(1)
HEAD = """
import asyncio, os, sys
from parlour.sdk import *
skill = Skill("tried", "A skill on trial", hosts=["api.example.org"], keeps={"plant": "plants"})
"""


@dataclass
class FakeDesk:
    """Answers calls by `Capability.method`, and remembers them."""

    answers: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def call(self, capability: str, method: str, arguments: Mapping[str, Any]) -> object:
        name = f"{capability}.{method}"
        self.calls.append((name, dict(arguments)))
        if name not in self.answers:
            raise NotGranted(f"{name} is not granted.")
        return self.answers[name](**arguments)

    def close(self) -> None:
        """Nothing of it is open."""


def write_skill(folder: Path, body: str) -> tuple[str, Path]:
    """A module with a skill `skill`, its name and its folder."""
    name = f"tried_{next(_NAMES)}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.py").write_text(HEAD + body, encoding="utf-8")
    return name, folder


def honest_manifest(module: str, folder: Path) -> Manifest:
    """What the module's skill asks for, by importing it here."""
    sys.path.insert(0, str(folder))
    invalidate_caches()
    try:
        return manifest_of(load(f"{module}:skill"), version="1.0", entry_point=f"{module}:skill")
    finally:
        sys.path.remove(str(folder))
        sys.modules.pop(module, None)
        import_module("parlour")


def launch(
    folder: Path, body: str, *, alter: Callable[[Manifest], Manifest] = lambda honest: honest, **details: Any
) -> Launch:
    """How a process with that skill is started."""
    module, place = write_skill(folder / "code", body)
    return Launch(
        manifest=alter(honest_manifest(module, place)),
        python=Path(sys.executable),
        runtime=runtime(folder / "runtime"),
        paths=(place,),
        limits=details.pop("limits", Limits()),
        **details,
    )


@contextmanager
def running(folder: Path, body: str, **details: Any) -> Iterator[SkillProcess]:
    """A process that runs the skill, ended at the end."""
    process = SkillProcess(launch(folder, body, **details))
    try:
        yield process
    finally:
        process.end("the test is over")


def turn(text: str = "hello", **details: Any) -> dict[str, Any]:
    """The fields of a turn."""
    given = Turn(**{"id": "turn-1", "text": text, "user": "ann", "conversation": "chat-ann", **details})
    return {name: getattr(given, name) for name in Turn.__slots__}


def said(
    process: SkillProcess, text: str = "hello", desk: FakeDesk | None = None, *, handler: str = "answers:answer",
    timeout_s: float = 60.0,
) -> str:  # fmt: skip
    """What the skill answers."""
    work = Work(handler=handler, turn=turn(text))
    with process.begin(work, desk or FakeDesk(), timeout_s=timeout_s) as run:
        return "".join(as_markdown(reply) for reply in run)
