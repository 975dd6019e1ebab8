"""`python -m tests.chaos` told to end leaves nothing behind: no process, no server, no folder."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.processes import until
from tests.services import PostgresServer, RedisServer

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where the suite puts all that it makes; short, because sockets' paths are, and open to the servers' own user."""
    made = Path(tempfile.mkdtemp(prefix="chaos-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.mark.parametrize(
    ("number", "is_reached"),
    [
        pytest.param(signal.SIGINT, lambda there: there["nursery"] >= 1, id="while it loads"),
        pytest.param(
            signal.SIGTERM, lambda there: there["redis"] and there["postgres"] and there["born"] >= 4, id="in a play"
        ),
    ],
)
def test_told_to_end_it_takes_everything_down(
    folder: Path, number: signal.Signals, is_reached: Callable[[Counter[str]], object]
) -> None:
    for needed in (RedisServer, PostgresServer):
        needed().remove()
    with (folder / "log").open("w") as log:
        suite = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos", "--schedules", "3"],
            env={**os.environ, "TMPDIR": str(folder)},
            cwd=Path(__file__).parents[2],
            stdout=log,
            stderr=log,
        )
    try:
        until(lambda: suite.poll() is not None or is_reached(_there(folder)), timeout_s=400)
        assert suite.poll() is None
        suite.send_signal(number)

        assert suite.wait(timeout=120) == 128 + number
        assert not _there(folder)
        assert [one.name for one in folder.iterdir()] == ["log"], (folder / "log").read_text()
    finally:
        suite.kill()


def _there(folder: Path) -> Counter[str]:
    """Running processes that were started for this folder, by kind."""
    found: Counter[str] = Counter()
    for process in Path("/proc").iterdir():
        # It may end while it is looked at.
        with suppress(OSError):
            words = (process / "cmdline").read_bytes().decode(errors="replace") if process.name.isdecimal() else ""
            if not words:
                continue
            is_born = (process / "cwd").readlink().is_relative_to(folder)
            if is_born or str(folder) in words:
                kinds = ["redis", "postgres", "born" if is_born else "nursery"]
                found[next(kind for kind in kinds if kind in words or kind == kinds[-1])] += 1
    return found
