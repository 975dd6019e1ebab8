"""Parlour's own processes, started and stopped as an operator would, for end-to-end tests."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

T = TypeVar("T")

PARLOUR = (sys.executable, "-m", "parlour")
CELERY = (sys.executable, "-m", "celery", "-A", "parlour.worker", "worker", "-P", "threads")
# Loading takes seconds of a core, of which a busy machine may have few.
_READY_S = 240.0


class Process:
    """One process with everything it printed. Killed at the end of the block if it still runs."""

    def __init__(
        self, arguments: Sequence[str], environment: Mapping[str, str], *, cwd: Path, ready: str = "is ready"
    ) -> None:
        self._arguments = list(arguments)
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PARLOUR_")},
            "PYTHONUNBUFFERED": "1",
            **environment,
        }
        self._cwd = cwd
        self._ready = ready
        self._lines: list[str] = []
        self._readers: list[threading.Thread] = []
        self.popen: subprocess.Popen[str]

    def start(self) -> Self:
        """Start it and wait until it is ready. Raises `AssertionError` with its output when it ends instead."""
        self.launch()
        self.await_ready()
        return self

    def await_ready(self) -> None:
        """Wait for the line that says it is ready."""
        until(self._is_ready, timeout_s=_READY_S, told=lambda: self.output)

    def launch(self) -> Self:
        """Start it without waiting."""
        self.popen = self._spawn()
        for stream in (self.popen.stdout, self.popen.stderr):
            reader = threading.Thread(target=self._read, args=(stream,), daemon=True)
            reader.start()
            self._readers.append(reader)
        return self

    def _spawn(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self._arguments,
            env=self._environment,
            cwd=self._cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )

    @property
    def output(self) -> str:
        """What it printed so far, both streams."""
        return "".join(self._lines)

    def send(self, number: int) -> None:
        """Send it a signal."""
        self.popen.send_signal(number)

    def stop(self, *, timeout_s: float = 60.0) -> int:
        """SIGTERM, and its exit code."""
        self.popen.send_signal(signal.SIGTERM)
        return self.wait(timeout_s=timeout_s)

    def wait(self, *, timeout_s: float = 60.0) -> int:
        """Its exit code, when it has ended by itself."""
        code = self.popen.wait(timeout=timeout_s)
        for reader in self._readers:
            reader.join(timeout=60)
        for stream in (self.popen.stdout, self.popen.stderr):
            if stream is not None:
                stream.close()
        return code

    def kill(self) -> None:
        """SIGKILL: it gets no chance to tidy up."""
        self.popen.kill()
        self.wait()

    def __enter__(self) -> Self:
        return self.launch()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.popen.poll() is None:
            self.popen.terminate()
        try:
            self.wait()
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def _is_ready(self) -> bool:
        if self.popen.poll() is not None:
            raise AssertionError(f"{self._arguments} ended with {self.popen.returncode}:\n{self.output}")
        return self._ready in self.output

    def _read(self, stream: object) -> None:
        for line in stream:  # type: ignore[attr-defined]
            self._lines.append(line)


def until(
    condition: Callable[[], T], *, timeout_s: float = 60.0, told: Callable[[], str] = lambda: "", every_s: float = 0.02
) -> T:
    """The first true value of `condition`. Raises `AssertionError` with what `told` tells when none comes in time."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"did not happen within {timeout_s} s\n{told()}")
        time.sleep(every_s)
