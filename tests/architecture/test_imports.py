"""Imports go down only, and importing does nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Runs in a process of its own: imports every module of ours and tells what that did besides.
GUARDED = '''
import builtins, importlib, os, pkgutil, socket, sys, threading, warnings
warnings.simplefilter("error")
did = []

def whose():
    """The module that reads: ours may not, a library may on its own account."""
    frame = sys._getframe(2)
    return frame.f_globals.get("__name__", "")

class Watched(type(os.environ)):
    def __getitem__(self, key):
        if whose().startswith("parlour"):
            did.append(f"{whose()} reads the environment ({key})")
        return super().__getitem__(key)
    def get(self, key, default=None):
        if whose().startswith("parlour"):
            did.append(f"{whose()} reads the environment ({key})")
        try:
            return super().__getitem__(key)
        except KeyError:
            return default

os.environ = Watched(os.environ._data, os.environ.encodekey, os.environ.decodekey,
                     os.environ.encodevalue, os.environ.decodevalue)

start = threading.Thread.start
def watched_start(self):
    did.append(f"a thread was started: {self.name}")
    start(self)
threading.Thread.start = watched_start

def audit(event, arguments):
    if event == "socket.bind" and arguments[1][1] == 0:
        return  # a library asks whether this machine has IPv6
    if event in {"socket.connect", "socket.bind", "subprocess.Popen", "os.fork", "sqlite3.connect", "os.mkdir"}:
        did.append(f"{event} {arguments[0] if arguments else ''}")
    elif event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        if "__pycache__" not in str(arguments[0]):
            did.append(f"{arguments[0]} was opened for writing")
sys.addaudithook(audit)

import parlour
for module in pkgutil.walk_packages(parlour.__path__, "parlour."):
    if "migrations.versions" in module.name or module.name.endswith("migrations.env"):
        continue  # alembic's own scripts, which it runs by path
    before = len(did)
    importlib.import_module(module.name)
    for line in did[before:]:
        print(f"{module.name}: {line}")
'''


@pytest.mark.slow
def test_imports_go_down_only() -> None:
    """The contracts stand in pyproject.toml."""
    lint = Path(sys.executable).parent / "lint-imports"

    result = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stdout


@pytest.mark.slow
def test_importing_any_module_does_nothing() -> None:
    """No environment read, no thread, no connection, no file: what acts is started by whoever needs it."""
    result = subprocess.run(
        [sys.executable, "-B", "-c", GUARDED], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert result.returncode == 0, result.stderr
    assert result.stdout == ""
