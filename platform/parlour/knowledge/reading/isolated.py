"""Reading documents in a process of its own, within bounds of time, memory and size."""

import json
import os
import select
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from parlour.knowledge import errors
from parlour.knowledge.errors import DocumentError, DocumentTooLarge, DocumentUnreadable
from parlour.knowledge.reading.blocks import Block
from parlour.knowledge.reading.formats import format_of

_CHUNK_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class ReadingLimits:
    """What one document may cost."""

    file_bytes: int = 50_000_000
    text_bytes: int = 40_000_000
    blocks: int = 200_000
    memory_bytes: int = 1_500_000_000
    time_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Document:
    """What was read."""

    format: str
    blocks: tuple[Block, ...]
    warnings: tuple[str, ...]


class IsolatedReader:
    """Reads documents one after the other. One process serves many; one that dies or hangs is replaced."""

    def __init__(self, limits: ReadingLimits | None = None) -> None:
        self._limits = limits or ReadingLimits()
        self._process: subprocess.Popen[bytes] | None = None
        self._unread = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process. Reading again starts another."""
        if self._process is None:
            return
        self._process.kill()
        self._process.communicate()
        self._process, self._unread = None, b""

    def read(self, path: Path) -> Document:
        """The document's text in blocks. Raises a `DocumentError` that names the file."""
        try:
            return self._read(path)
        except DocumentError as error:
            raise type(error)(f"{path} {error}") from None

    def _read(self, path: Path) -> Document:
        kind = format_of(path)
        _refuse_what_is_no_file(path, self._limits.file_bytes)
        process = self._started()
        try:
            _write(process, json.dumps(str(path)) + "\n")
            return self._collect(process, kind)
        except _Died:
            self.close()
            raise DocumentUnreadable(
                "made its reader crash or run out of memory. Split it, or save it again."
            ) from None
        except DocumentTooLarge:
            # What the process still has to say belongs to this document.
            self.close()
            raise
        except (ValueError, KeyError, TypeError, AttributeError):
            # Not what the reader says of itself: the document has taken it over.
            self.close()
            raise DocumentUnreadable("made its reader talk nonsense. Do not open it.") from None

    def _collect(self, process: subprocess.Popen[bytes], kind: str) -> Document:
        blocks: list[Block] = []
        size = 0
        deadline = time.monotonic() + self._limits.time_s
        while True:
            line = self._line(process, deadline)
            size += len(line)
            message: dict[str, Any] = json.loads(line)
            if "problem" in message:
                raise getattr(errors, message["refused"])(message["problem"])
            if "block" not in message:
                return Document(kind, tuple(blocks), tuple(message["warnings"]))
            blocks.append(_block(message["block"]))
            if len(blocks) > self._limits.blocks:
                raise DocumentTooLarge(f"has more than {self._limits.blocks} rows or paragraphs. Split it.")
            if size > self._limits.text_bytes:
                raise DocumentTooLarge(f"holds more than {self._limits.text_bytes // 1_000_000} MB of text. Split it.")

    def _line(self, process: subprocess.Popen[bytes], deadline: float) -> bytes:
        """The next line. Raises `_Died`, and `DocumentTooLarge` at the deadline or where a line does not end."""
        parts = [self._unread]
        size = 0
        while b"\n" not in parts[-1]:
            left = deadline - time.monotonic()
            if left <= 0 or not _is_readable(process, left):
                raise DocumentTooLarge(f"takes more than {self._limits.time_s:g} s to read. Split it.")
            parts.append(_receive(process))
            size += len(parts[-1])
            if size > self._limits.text_bytes:
                raise DocumentTooLarge(f"holds more than {self._limits.text_bytes // 1_000_000} MB of text. Split it.")
        line, _, self._unread = b"".join(parts).partition(b"\n")
        return line

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self.close()
        command = [sys.executable, "-m", "parlour.knowledge.reading.child", str(self._limits.memory_bytes)]
        self._process = subprocess.Popen(  # noqa: S603 (our own module, no part of the command from outside)
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # None of this process's environment, which holds secrets.
            env={"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONIOENCODING": "utf-8"},
        )
        return self._process


class _Died(Exception):
    """The reading process ended."""


def _write(process: subprocess.Popen[bytes], line: str) -> None:
    if process.stdin is None:
        raise _Died
    try:
        process.stdin.write(line.encode())
        process.stdin.flush()
    except OSError:
        raise _Died from None


def _is_readable(process: subprocess.Popen[bytes], timeout_s: float) -> bool:
    if process.stdout is None:
        raise _Died
    # Not `select.select`, which cannot see file descriptors above 1,023.
    waiting = select.poll()
    waiting.register(process.stdout, select.POLLIN)
    return bool(waiting.poll(timeout_s * 1_000))


def _receive(process: subprocess.Popen[bytes]) -> bytes:
    if process.stdout is None:
        raise _Died
    data = os.read(process.stdout.fileno(), _CHUNK_BYTES)
    if not data:
        raise _Died
    return data


def _refuse_what_is_no_file(path: Path, most_bytes: int) -> None:
    """A pipe or a device has no end."""
    try:
        if not path.is_file():
            raise DocumentUnreadable("is no file." if path.exists() else "is not there.")
        size = path.stat().st_size
    except OSError as error:
        raise DocumentUnreadable(f"cannot be read ({error.strerror}).") from None
    if size > most_bytes:
        raise DocumentTooLarge(f"has {size // 1_000_000} MB; at most {most_bytes // 1_000_000} MB are read. Split it.")


def _block(plain: dict[str, Any]) -> Block:
    return Block(**{**plain, "headings": tuple(plain["headings"])})
