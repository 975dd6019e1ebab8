"""A process of Parlour's that dies at a named step, is slow, or lacks one of its protections.

    python -m tests.chaos.child --crash-at answer.committed --pace 0.05 -- worker

Done from out here, so that the product has no switch with which anybody could turn off what protects it.
"""

import argparse
import functools
import importlib
import inspect
import os
import signal
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

from parlour.store import schema
from tests.chaos.protections import PROTECTIONS
from tests.chaos.steps import STEPS, Call, Step
from tests.chaos.wall_clock import let_it_jump


def main() -> None:
    """Take the arguments before `--`, hand the others to the `parlour` command."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.child")
    parser.add_argument("--crash-at", choices=sorted(STEPS))
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
        _die_at(STEPS[options.crash_at])
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


def _die_at(step: Step) -> None:
    owner, name = _find(step.place)
    original = getattr(owner, name)
    signature = inspect.signature(original)
    passed = count()

    def reach(arguments: inspect.BoundArguments, returned: object = None) -> None:
        if step.is_reached(Call(arguments.arguments, returned)) and next(passed) >= step.skip:
            os.kill(os.getpid(), signal.SIGKILL)

    @functools.wraps(original)
    def watched(*args: Any, **kwargs: Any) -> Any:
        arguments = signature.bind(*args, **kwargs)
        if step.when == "before":
            reach(arguments)
            return original(*args, **kwargs)
        returned = original(*args, **kwargs)
        reach(arguments, returned)
        return returned

    @functools.wraps(original)
    async def watched_in_loop(*args: Any, **kwargs: Any) -> Any:
        arguments = signature.bind(*args, **kwargs)
        if step.when == "before":
            reach(arguments)
            return await original(*args, **kwargs)
        returned = await original(*args, **kwargs)
        reach(arguments, returned)
        return returned

    setattr(owner, name, watched_in_loop if inspect.iscoroutinefunction(original) else watched)


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
