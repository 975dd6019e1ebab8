"""A skill inside the worker's own process, so that a debugger stops in it. For development: nothing holds it back."""

import os
import socket
import sys
import threading
from typing import Final

from parlour.sdk.process import load, serve
from parlour.sdk.skill import Skill

# Loading changes what the whole process imports from.
_LOADING: Final = threading.Lock()
# Where each package was loaded from last: two versions of one must not both be found.
_PATHS: Final[dict[str, list[str]]] = {}


class InlineChild:
    """What a `SkillProcess` takes for its child: a thread that speaks the same protocol over the same line."""

    def __init__(self, entry_point: str, version: str, paths: list[str], line: socket.socket) -> None:
        """Start it. It has a copy of the line, which its end closes."""
        self.pid = os.getpid()
        arguments = entry_point, version, paths, line.dup()
        threading.Thread(target=_live, args=arguments, name=f"inline-{entry_point}", daemon=True).start()

    def kill(self) -> None:
        """Nothing: it ends with its line, and code of it that hangs goes on until the worker ends."""

    def wait(self) -> int:
        """It is not waited for, for the same reason."""
        return 0


def _live(entry_point: str, version: str, paths: list[str], line: socket.socket) -> None:
    with line:
        serve(line, entry_point, version, {}, load=lambda name: _loaded(name, paths))
    _unload(_package(entry_point), paths)


def _unload(package: str, paths: list[str]) -> None:
    """What its modules remember goes with them (somebody may have been erased), unless they are a newer start's."""
    with _LOADING:
        if _PATHS.get(package) is paths:
            _drop(package)


def _loaded(entry_point: str, paths: list[str]) -> Skill:
    """The skill, loaded anew: its modules may be those of a version before."""
    package = _package(entry_point)
    with _LOADING:
        _drop(package)
        # Last, so that nothing of the skill takes the place of the platform's own; what it imports later is found too.
        sys.path[:] = [*(one for one in sys.path if one not in _PATHS.get(package, ())), *paths]
        _PATHS[package] = paths
        return load(entry_point)


def _drop(package: str) -> None:
    for name in [one for one in sys.modules if one == package or one.startswith(f"{package}.")]:
        del sys.modules[name]


def _package(entry_point: str) -> str:
    return entry_point.partition(":")[0].partition(".")[0]
