"""Where a house's processes come from: one parent that has loaded Parlour, so that a birth takes a fork and no imports.

Loading takes seconds of a core, and a schedule starts many processes. Each is a process of its own all the same.

    python -m tests.chaos.nursery SOCKET
"""

import ctypes
import gc
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

from tests.processes import Process, until

# Not `parlour.worker`: whoever has imported it has a worker's signal handlers, and `parlour up` shall not.
_LOADED: Final = (
    "parlour.cli.main", "parlour.cli.gateway", "parlour.cli.scheduler", "parlour.cli.up",
    "parlour.processes.everything", "parlour.processes.gateway", "parlour.processes.scheduler",
    "parlour.processes.engine_room", "parlour.channels.slack", "parlour.channels.telegram", "parlour.engines.echo",
    "celery.concurrency.thread", "celery.bin.worker", "celery.app.trace", "kombu.transport.redis",
    "kombu.transport.memory", "psycopg", "tests.chaos.child",
)  # fmt: skip
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36
_LARGEST: Final = 65_536
_LOADED_S: Final = 600.0


class Nursery:
    """The parent, running. What it forks becomes this process's own child, to be waited for as any other."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="parlour-nursery-")
        self._address = str(Path(self._folder.name) / "socket")
        self._parent: subprocess.Popen[bytes]

    def __enter__(self) -> Self:
        """Start it and wait until everything is loaded."""
        # Whoever forks twice and ends leaves the grandchild to the nearest ancestor that asked for such orphans.
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self._parent = subprocess.Popen([sys.executable, "-m", __spec__.name, self._address])
        try:
            until(lambda: Path(self._address).exists(), timeout_s=_LOADED_S)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._parent.kill()
        self._parent.wait()
        self._folder.cleanup()

    def bear(self, words: Sequence[str], environment: Mapping[str, str], cwd: Path) -> "Child":
        """A new process that runs `tests.chaos.child` with these arguments."""
        asked = json.dumps({"words": list(words), "environment": dict(environment), "cwd": str(cwd)}).encode()
        (out, out_end), (err, err_end) = os.pipe(), os.pipe()
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as line:
            line.connect(self._address)
            socket.send_fds(line, [asked], [out_end, err_end])
            os.close(out_end)
            os.close(err_end)
            return Child(int(line.recv(_LARGEST)), out, err)


class Child:
    """As much of a `subprocess.Popen` as is used here."""

    def __init__(self, pid: int, out: int, err: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.stdout: IO[str] = os.fdopen(out, errors="replace")
        self.stderr: IO[str] = os.fdopen(err, errors="replace")

    def poll(self) -> int | None:
        """Its exit code, None while it runs."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float) -> int:
        """Its exit code, once it has ended. Raises `subprocess.TimeoutExpired`."""
        try:
            until(lambda: self.poll() is not None, timeout_s=timeout)
        except AssertionError:
            raise subprocess.TimeoutExpired(str(self.pid), timeout) from None
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Nothing is sent to one that has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)


class Born(Process):
    """A process out of a nursery: its arguments are those of `tests.chaos.child`."""

    def __init__(self, nursery: Nursery, words: Sequence[str], environment: Mapping[str, str], **more: Any) -> None:
        super().__init__(words, environment, **more)
        self._nursery = nursery

    def _spawn(self) -> Any:
        return self._nursery.bear(self._arguments, self._environment, self._cwd)


def main() -> None:
    """Load everything, then fork for whoever asks, until killed."""
    for name in _LOADED:
        importlib.import_module(name)
    gc.freeze()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    unready = f"{sys.argv[1]}.new"
    listener.bind(unready)
    listener.listen()
    Path(unready).rename(sys.argv[1])
    while True:
        line, _ = listener.accept()
        asked, ends, _, _ = socket.recv_fds(line, _LARGEST, 2)
        told, telling = os.pipe()
        between = os.fork()
        if between == 0:
            own = os.getpid()
            if (pid := os.fork()) == 0:
                _die_with_the_suite(own)
                for end in (told, telling):
                    os.close(end)
                line.close()
                listener.close()
                _live(json.loads(asked), *ends)
                return
            os.write(telling, str(pid).encode())
            os._exit(0)
        # Told only now: until the one between has ended, nobody else can wait for the child.
        os.waitpid(between, 0)
        line.send(os.read(told, _LARGEST))
        for end in (*ends, told, telling):
            os.close(end)
        line.close()


def _die_with_the_suite(between: int) -> None:
    """Even when the suite is killed while it is still being told of this birth."""
    # The one between ends at once, and is not the parent that is meant.
    while os.getppid() == between:
        time.sleep(0.001)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _live(asked: dict[str, Any], out: int, err: int) -> None:
    for end, place in ((out, 1), (err, 2)):
        os.dup2(end, place)
        os.close(end)
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["cwd"])
    sys.argv = ["tests.chaos.child", *asked["words"]]
    importlib.import_module("tests.chaos.child").main()


if __name__ == "__main__":
    main()
