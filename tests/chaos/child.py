"""A process of Parlour's that dies at a named step, is slow, or lacks one of its protections.

    python -m tests.chaos.child --crash-at answer.committed --skip 2 --pace 0.05 -- worker

Done from out here, so that the product has no switch with which anybody could turn off what protects it.
"""

import argparse
import functools
import importlib
import inspect
import os
import signal
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

from parlour.store import schema
from tests.chaos.protections import PROTECTIONS
from tests.chaos.steps import STEPS, Step
from tests.chaos.wall_clock import let_it_jump


def main() -> None:
    """Take the arguments before `--`, hand the others to the `parlour` command."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.child")
    parser.add_argument("--crash-at", choices=sorted(STEPS))
    parser.add_argument("--skip", type=int, default=0, help="pass the step so many times first")
    parser.add_argument("--pace", type=float, default=0.0, help="seconds before each word of the echo engine")
    parser.add_argument("--without", choices=sorted(PROTECTIONS), help="turn this protection off")
    parser.add_argument("--migrations", type=Path, help="be a version that has these migrations")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    if options.pace:
        _slow_down(options.pace)
    if options.without:
        PROTECTIONS[options.without].take_away()
    if options.crash_at:
        _die_at(STEPS[options.crash_at], skip=options.skip)
    if options.migrations:
        schema._folder = lambda: options.migrations
    let_it_jump()
    # Only now: what was changed above must be in place before the parts are joined.
    from parlour.cli.main import run  # noqa: PLC0415

    run(options.command)


def _slow_down(pace_s: float) -> None:
    from parlour.engines.echo import EchoEngine  # noqa: PLC0415

    made = EchoEngine.__init__
    EchoEngine.__init__ = functools.partialmethod(made, pace_s=pace_s)  # type: ignore[method-assign,assignment]


def _die_at(step: Step, *, skip: int) -> None:
    owner, name = _find(step.place)
    original = getattr(owner, name)
    passed = count()

    def reach(result: object) -> None:
        # A step that did nothing (no turn to claim, nothing due) is no boundary.
        if (step.when == "before" or result is not _NOTHING) and next(passed) >= skip:
            os.kill(os.getpid(), signal.SIGKILL)

    setattr(
        owner,
        name,
        _asynchronous(original, step, reach)
        if inspect.iscoroutinefunction(original)
        else _synchronous(original, step, reach),
    )


_NOTHING = object()


def _synchronous(original: Callable[..., Any], step: Step, reach: Callable[[object], None]) -> Callable[..., Any]:
    @functools.wraps(original)
    def watched(*args: Any, **kwargs: Any) -> Any:
        if step.when == "before":
            reach(None)
            return original(*args, **kwargs)
        result = original(*args, **kwargs)
        reach(_NOTHING if original.__name__ == "claim" and result is None else result)
        return result

    return watched


def _asynchronous(original: Callable[..., Any], step: Step, reach: Callable[[object], None]) -> Callable[..., Any]:
    @functools.wraps(original)
    async def watched(*args: Any, **kwargs: Any) -> Any:
        if step.when == "before":
            reach(None)
        result = await original(*args, **kwargs)
        if step.when == "after":
            reach(result)
        return result

    return watched


def _find(place: str) -> tuple[ModuleType | type, str]:
    """The class or module that holds the function at `place`, and the function's name."""
    module_name, _, path = place.partition(":")
    *holders, name = path.split(".")
    owner: Any = importlib.import_module(module_name)
    for holder in holders:
        owner = getattr(owner, holder)
    getattr(owner, name)
    return owner, name


if __name__ == "__main__":
    main()
