"""A build's own process: confines itself, then has a project's build backend make its wheel (PEP 517).

It reads the project and what the build needs, writes into one folder, and has no network. Whether it went well is its
exit status; why not stands in the last line that it writes to its error output.
"""

import importlib
import json
import os
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from parlour.sdk.confine import Limits, confine

# The rights that a build cannot be let go without: what is left of the others does not make up for them.
_NEEDED = ("files", "calls")


def main(arguments: Sequence[str]) -> None:
    """Build one wheel, or end with a line that says why not.

    Takes one argument, JSON: the `folder` that may be written to, in it the `project`, and `wheels` for what is built;
    `paths` of what the build needs, the `backend` and where in the project it lies (`backend_paths`), and `limits`.
    """
    told = json.loads(arguments[0])
    held = confine([*told["paths"], *sys.path], Limits(**told["limits"]), writable=[told["folder"]])
    if missing := [name for name in _NEEDED if not held[name]]:
        sys.exit(f"this system cannot confine a build: {', '.join(missing)}")
    _be_content()
    os.chdir(told["project"])
    sys.path[:0] = [*told["backend_paths"], *told["paths"]]
    sys.argv = ["build"]
    _build(_backend(told["backend"]), told["wheels"])


def _be_content() -> None:
    """Let copying go on without the rights and times of files, which nothing may change here."""

    def nothing(*_: object, **__: object) -> None:
        return

    for name in ("chmod", "utime", "chown"):
        setattr(os, name, nothing)


def _backend(named: str) -> Any:  # noqa: ANN401 (a module or an object with hooks)
    module, _, inside = named.partition(":")
    found: Any = importlib.import_module(module)
    for name in filter(None, inside.split(".")):
        found = getattr(found, name)
    return found


def _build(backend: Any, wheels: str) -> None:  # noqa: ANN401 (as above)
    asks = getattr(backend, "get_requires_for_build_wheel", None)
    wanted = [str(one) for one in asks(None)] if asks else []
    if more := [one for one in wanted if not _is_there(one)]:
        sys.exit(f"its build wants more than it names: {', '.join(more)[:200]}. Name it in [build-system] requires")
    backend.build_wheel(str(Path(wheels)), None, None)


def _is_there(requirement: str) -> bool:
    name = requirement.strip()
    for at, character in enumerate(name):
        if not (character.isalnum() or character in "._-"):
            name = name[:at]
            break
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True
