"""A process's wall clock, set forward or back by a signal, as the machine's own might be."""

import signal
import sys
import time
from datetime import datetime, timedelta, tzinfo
from typing import Any, Final

# Celery has taken those that are for users.
FORWARD: Final = int(signal.SIGRTMIN) + 1
BACK: Final = int(signal.SIGRTMIN) + 2
_BY_S: Final = 600.0

_real_time = time.time
_ahead_s = 0.0


class _Jumping(type):
    """What was made by the real class is one of ours too."""

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, datetime)


class _Datetime(datetime, metaclass=_Jumping):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Any:
        """The real one's, moved."""
        return datetime.now(tz) + timedelta(seconds=_ahead_s)


def let_it_jump() -> None:
    """From now on `FORWARD` and `BACK` move what this process takes for the time of day.

    In the names through which Parlour reads it: `time.time`, and `datetime` in each of its modules that has it.
    """
    time.time = lambda: _real_time() + _ahead_s
    for name, module in list(sys.modules.items()):
        if name.startswith("parlour") and getattr(module, "datetime", None) is datetime:
            module.datetime = _Datetime  # type: ignore[attr-defined]
    for number, by_s in ((FORWARD, _BY_S), (BACK, -_BY_S)):
        signal.signal(number, lambda *_, by_s=by_s: _move(by_s))


def _move(by_s: float) -> None:
    global _ahead_s  # noqa: PLW0603 (a process has one wall clock)
    _ahead_s += by_s
