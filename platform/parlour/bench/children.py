"""Other processes of a benchmark: started with a log of their own, watched until ready, ended for sure."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from parlour.bench.errors import BenchError

PARLOUR: Final = (sys.executable, "-m", "parlour")
_READY_S: Final = 90.0
_STOP_S: Final = 45.0
_TOLD_LINES: Final = 5


class Child:
    """One process, started in `folder` with only the given Parlour settings. Ended at the end of its block."""

    def __init__(
        self, name: str, command: Sequence[str], folder: Path, *, settings: Mapping[str, str], ready: str = ""
    ) -> None:
        self.name = name
        self.ready_after_s = 0.0
        self._command = list(command)
        self._folder = folder
        self._ready = ready
        self._log = folder / f"{name}.log"
        # Whatever is set for a Parlour of this person's own must not reach the measured one.
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("PARLOUR_")}
        self._environment = {**inherited, "PYTHONUNBUFFERED": "1", **settings}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process id."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._process.pid

    def __enter__(self) -> Self:
        """Start it and wait until it prints its word. Raises `BenchError` with the end of its log if it ends."""
        started = time.monotonic()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 (our own commands)
                self._command, cwd=self._folder, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            self.wait_for(lambda: self._ready.encode() in self._log.read_bytes(), what=f"{self.name} to be ready")
        except BaseException:
            self.stop()
            raise
        self.ready_after_s = time.monotonic() - started
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def wait_for(self, condition: Callable[[], bool], *, what: str, timeout_s: float = _READY_S) -> None:
        """Return when `condition` holds. Raises `BenchError` when the process ends first or the time is over."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            # It may end well the moment after it said its word.
            if self._process is not None and self._process.poll() is not None and not condition():
                raise BenchError(f"{self.name} ended with {self._process.returncode}: {self.told()}")
            if time.monotonic() > deadline:
                raise BenchError(f"waited {timeout_s:g} s for {what}: {self.told()}")
            time.sleep(0.01)

    def ended_well(self) -> None:
        """Wait until it has ended by itself. Raises `BenchError` unless it says that all went well."""
        if self._process is not None and self._process.wait(_READY_S) != 0:
            raise BenchError(f"{self.name} ended with {self._process.returncode}: {self.told()}")

    def stop(self) -> None:
        """End it as an operator would, then by force."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def told(self) -> str:
        """The end of its log."""
        return (
            " / ".join(self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-_TOLD_LINES:])
            or "no output"
        )
