"""How a command ends when it cannot do what was asked."""

import traceback
from pathlib import Path

DONE = 0
FAILED = 1
WRONG_USAGE = 2


class Refused(Exception):
    """The command cannot or will not do it. The message is the one line that the person reads, with the remedy."""


def is_reader_gone(error: BaseException) -> bool:
    """Whether all that happened is that nobody reads the output any more, as in `parlour chat --once … | head -1`.

    Where a task group runs around the command, the error comes wrapped in a group.
    """
    if isinstance(error, BaseExceptionGroup):
        return all(is_reader_gone(one) for one in error.exceptions)
    return isinstance(error, BrokenPipeError)


def one_line(error: BaseException) -> str:
    """What to print for an error that ended a command.

    Our own exceptions carry a message made for people. Others may carry anything, a password in an address included:
    of them only the class and the place in our code are told.
    """
    if type(error).__module__.partition(".")[0] == "parlour":
        return " ".join(str(error).split()) or type(error).__name__
    hint = "Set PARLOUR_LOG__LEVEL=debug to see where it came from."
    return f"Unexpected {type(error).__name__} at {_place(error)}. {hint}"


def _place(error: BaseException) -> str:
    """The innermost line of our own code that the error came through."""
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if "/parlour/" in frame.filename]
    if not ours:
        return "an unknown place"
    return f"{Path(ours[-1].filename).name}:{ours[-1].lineno}"
