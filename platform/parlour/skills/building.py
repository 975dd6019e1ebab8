"""Building a skill's wheel where its version, files or needs only come about by a build.

A build runs the skill's own code before anything was granted. It gets a process that may read the project and what the
build needs, write into one folder that goes away, and nothing else: no network, no program, no other file.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from parlour.sdk.confine import Limits
from parlour.skills.environment import install_wheels
from parlour.skills.errors import InstallRefused
from parlour.skills.package import NEEDED, REQUIREMENT, SKIPPED
from parlour.skills.runtime import runtime

_TIMEOUT_S: Final = 120.0
_LOOK_EVERY_S: Final = 0.1
_LARGEST_BYTES: Final = 300_000_000
_LIMITS: Final = Limits(cpu_s=120, open_files=256, file_bytes=100_000_000)
# What PEP 517 takes for a project that names no backend; older ones ask for more than themselves.
_DEFAULT_REQUIRES: Final = ("setuptools>=70.1",)
_DEFAULT_BACKEND: Final = "setuptools.build_meta:__legacy__"
_BACKEND: Final = re.compile(r"\w+(\.\w+)*(:\w+(\.\w+)*)?", re.ASCII)
_BOOT: Final = "import sys; sys.path.insert(0, sys.argv[1]); from parlour.sdk.building import main; main(sys.argv[2:])"
_SHOWN: Final = 300


def needs_build(source: Path) -> bool:
    """Whether a folder does not say by itself what it would be installed as."""
    if not source.is_dir():
        return False
    project = _pyproject(source).get("project")
    if not isinstance(project, dict):
        return (source / "setup.py").is_file() or (source / "setup.cfg").is_file()
    dynamic = project.get("dynamic", ())
    return isinstance(dynamic, list) and any(name in NEEDED for name in dynamic)


@contextmanager
def built_wheel(project: Path, *, timeout_s: float = _TIMEOUT_S) -> Iterator[Path]:
    """The wheel of a project, built in a confined process, for as long as the block lasts. Raises `InstallRefused`.

    What the build needs is fetched first, as wheels, whose code does not run before they are in that process too.
    """
    system = _pyproject(project).get("build-system", {})
    backend, requires, inside = _asked(project.name, system)
    with tempfile.TemporaryDirectory(prefix="parlour-build-") as made:
        place = Path(made)
        needs, folder = place / "needs", place / "build"
        needs.mkdir()
        wheels = folder / "wheels"
        wheels.mkdir(parents=True)
        shutil.copytree(project, folder / "project", symlinks=True, ignore=shutil.ignore_patterns(*SKIPPED, ".venv"))
        if requires:
            install_wheels(("--", *requires), needs)
        told = {
            "folder": str(folder),
            "project": str(folder / "project"),
            "wheels": str(wheels),
            "paths": [str(needs)],
            "backend": backend,
            "backend_paths": [str(folder / "project" / path) for path in inside],
            "limits": asdict(_LIMITS),
        }
        problem = _run(runtime(place), told, folder, place / "errors", timeout_s)
        if problem:
            raise InstallRefused(f"{project.name} could not be built, confined: {problem}. Give its wheel instead.")
        yield _the_wheel(wheels, project.name)


def _pyproject(folder: Path) -> dict[str, Any]:
    """What the file says; nothing where there is none that can be read, of which `read_package` tells."""
    try:
        return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _asked(name: str, system: object) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """The backend, what it needs, and where in the project it lies, checked."""
    if not isinstance(system, dict):
        raise InstallRefused(f"{name}: [build-system] of its pyproject.toml is no table.")
    backend = str(system.get("build-backend", _DEFAULT_BACKEND))
    requires = tuple(map(str, system.get("requires", _DEFAULT_REQUIRES)))
    inside = tuple(map(str, system.get("backend-path", ())))
    if not _BACKEND.fullmatch(backend):
        raise InstallRefused(f"{name}: {backend[:80]!r} is no build backend. Name one as package.module.")
    for line in requires:
        if not REQUIREMENT.fullmatch(line):
            raise InstallRefused(f"{name} needs {line[:80]!r} to be built. Name packages of an index.")
    return backend, requires, inside


def _run(sdk: Path, told: Mapping[str, Any], folder: Path, errors: Path, timeout_s: float) -> str:
    """Build; what went wrong, nothing where nothing did."""
    command = [sys.executable, "-I", "-S", "-B", "-X", "utf8", "-c", _BOOT, str(sdk), json.dumps(told)]
    with errors.open("wb") as told_errors:
        process = subprocess.Popen(  # noqa: S603 (our own interpreter and our own code)
            command,
            env={"HOME": str(folder), "TMPDIR": str(folder), "PATH": "/usr/bin:/bin"},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=told_errors,
            start_new_session=True,
        )
        try:
            problem = _watched(process, folder, timeout_s)
        finally:
            process.kill()
            process.wait()
    if problem or process.returncode == 0:
        return problem
    return _last_line(errors) or f"its process ended with {process.returncode}"


def _watched(process: "subprocess.Popen[bytes]", folder: Path, timeout_s: float) -> str:
    """Wait for its end; why that was not waited for."""
    until = time.monotonic() + timeout_s
    while process.poll() is None:
        if time.monotonic() > until:
            return f"it took longer than {timeout_s:g} s"
        if _size(folder) > _LARGEST_BYTES:
            return f"it wrote more than {_LARGEST_BYTES:,} bytes"
        time.sleep(_LOOK_EVERY_S)
    return ""


def _size(folder: Path) -> int:
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(path) / name).lstat().st_size
            except OSError:  # it went away meanwhile
                continue
    return total


def _last_line(errors: Path) -> str:
    with errors.open("rb") as opened:
        opened.seek(max(0, errors.stat().st_size - 4 * _SHOWN))
        lines = opened.read().decode("utf-8", "replace").strip().splitlines()
    last = lines[-1] if lines else ""
    return "".join(character for character in last if character.isprintable())[:_SHOWN].rstrip(". ")


def _the_wheel(wheels: Path, name: str) -> Path:
    """What was built; the process that could change it has ended."""
    found = sorted(wheels.iterdir())
    if len(found) != 1 or found[0].suffix != ".whl" or found[0].is_symlink() or not found[0].is_file():
        raise InstallRefused(f"{name}: its build made no wheel, or more than one. Give its wheel instead.")
    return found[0]
