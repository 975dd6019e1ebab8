"""Being told to end: everything is unwound, at a moment at which no process is half begun."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_NUMBERS = (signal.SIGTERM, signal.SIGINT)
# What holds the end off now, and which signal came meanwhile.
_held_off: list[object] = []
_came: list[int] = []


def unwind_when_told() -> None:
    """From now on SIGTERM and SIGINT raise `SystemExit` in the main thread, so that whatever was opened is closed."""
    for number in _NUMBERS:
        signal.signal(number, _told)


@contextmanager
def held_off() -> Iterator[None]:
    """Told to end in here, the suite ends after the block: what the block begins is then known to whoever ends it."""
    _held_off.append(None)
    try:
        yield
    finally:
        _held_off.pop()
    if _came and not _held_off:
        _end(_came[0])


def _told(number: int, _frame: FrameType | None) -> None:
    for one in _NUMBERS:
        # Told twice, it is still taking everything down.
        signal.signal(one, signal.SIG_IGN)
    if _held_off:
        _came.append(number)
    else:
        _end(number)


def _end(number: int) -> None:
    _came.clear()
    print(f"{signal.Signals(number).name}: taking everything down", file=sys.stderr, flush=True)
    sys.exit(128 + number)
