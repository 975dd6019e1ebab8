"""One part of `parlour bench skills`: what it is, and how one that lives in a plugin is run."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from parlour.bench.errors import BenchError
from parlour.bench.report import Row
from parlour.bench.skills.data import Data

Tables = Mapping[str, Sequence[Row]]
# What a part's module has as `run`: it takes the data folder and the seed of all that is drawn by chance.
Run = Callable[[Data, int], Tables]

_PLUGINS: Final = Path(__file__).resolve().parents[4] / "plugins"
_TIMEOUT_S: Final = 3_600
_BOOT: Final = "import runpy, sys; paths, name = sys.argv[1], sys.argv[2]; del sys.argv[1:3]; \
sys.path[:0] = paths.split(':'); runpy.run_module(name, run_name='__main__', alter_sys=True)"


def run_part(module: str, data: Data, seed: int) -> Tables:
    """The tables of the part in `module`. Raises `BenchError` when something that it needs is not there.

    A module of Parlour's own has a `run`. A plugin's is a program: nothing of a plugin is imported here.
    """
    if module.startswith("parlour."):
        run: Run = import_module(module).run
        return run(data, seed)
    return _in_plugin(module, data, seed)


def _in_plugin(module: str, data: Data, seed: int) -> Tables:
    """What `python -m MODULE --data DIR --seed N --json` prints as its last line: `{"title": [{"column": value}]}`."""
    sources = ":".join(str(path) for path in sorted(_PLUGINS.glob("*/src")))
    command = [sys.executable, "-c", _BOOT, sources, module, "--seed", str(seed), "--json"]
    folder = ["--data", str(data.folder)] if data.folder is not None else []
    try:
        done = subprocess.run(  # noqa: S603 (our own interpreter, a module named in the registry)
            [*command, *folder], stdout=subprocess.PIPE, text=True, check=False, timeout=_TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        raise BenchError(f"{module} took longer than {_TIMEOUT_S:,} s.") from None
    if done.returncode != 0:
        raise BenchError(f"{module} ended with {done.returncode}; what it says stands above.")
    try:
        return _tables(json.loads(done.stdout.splitlines()[-1]))
    except (ValueError, IndexError, TypeError):
        raise BenchError(f"{module} printed no tables. Its last line must be JSON: a list of rows by title.") from None


def _tables(told: Any) -> Tables:  # noqa: ANN401 (whatever was printed)
    if not isinstance(told, dict) or not all(isinstance(row, dict) for rows in told.values() for row in rows):
        raise TypeError
    return told
