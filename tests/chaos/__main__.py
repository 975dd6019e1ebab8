"""Play many schedules and tell what was lost, doubled, misordered or stuck.

python -m tests.chaos --schedules 100 --seed 1
python -m tests.chaos --layout embedded --schedules 20 --log figures.jsonl
python -m tests.chaos --seed 17 --schedules 1        # play one again
python -m tests.chaos --seed 5006 --schedules 1 --as-in docs/figures/chaos-2026-11-25.json   # the faults it had then
"""

import argparse
import json
import os
import sys
import tempfile
import traceback
from collections.abc import Generator
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from parlour.bench.machine import machine
from tests.chaos.ending import unwind_when_told
from tests.chaos.play import Play, Played, Stage, settle_in, stage
from tests.chaos.schedule import Planned, planned


@dataclass(frozen=True, slots=True)
class Broken:
    """A play that did not come to its end: a process that was not ready in time, a service that did not start."""

    seed: int
    error: str


def main() -> int:
    """0 when every schedule was clean, 1 otherwise."""
    options = _arguments()
    unwind_when_told()
    seeds = iter(range(options.seed, options.seed + options.schedules))
    unclean = []
    with stage(options.layout) as on:
        # An installation is given up after so many plays, or after one that was not clean: its faults are its own.
        while batch := list(islice(seeds, options.together)):
            # Closed here and not some time later: its processes go before the services that they use.
            with closing(_follow(batch, on, options)) as played:
                for one in played:
                    _tell(one)
                    if isinstance(one, Broken) or not one.verdict.is_clean:
                        unclean.append(one.seed)
                    if options.log:
                        with options.log.open("a", encoding="utf-8") as log:
                            log.write(json.dumps(_row(one, options.layout), ensure_ascii=False) + "\n")
    print(f"{options.schedules} schedules, {len(unclean)} unclean" + (f": seeds {unclean}" if unclean else ""))
    return 1 if unclean else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--layout", choices=("production", "embedded"), default="production")
    parser.add_argument("--schedules", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1, help="of the first schedule; the others count on from it")
    parser.add_argument("--faults", type=int, default=5, help="in each schedule")
    parser.add_argument("--together", type=int, default=10, help="schedules one after another on one installation")
    parser.add_argument("--as-in", type=Path, help="take each seed's faults from these figures, and draw only the talk")
    parser.add_argument("--log", type=Path, help="add one line of JSON for each schedule to this file")
    return parser.parse_args()


def _follow(seeds: list[int], on: Stage, options: argparse.Namespace) -> Generator[Played | Broken]:
    """Play these, on one installation as long as it is clean."""
    while seeds:
        seed = seeds[0]
        try:
            with (
                tempfile.TemporaryDirectory(prefix="parlour-chaos-") as folder,
                settle_in(on, Path(folder)) as at,
            ):
                is_clean = True
                while seeds and is_clean:
                    seed = seeds.pop(0)
                    played = at.perform(Play(seed, faults=options.faults, planned=_recorded(seed, options)))
                    is_clean = played.verdict.is_clean
                    yield played
        except Exception:  # noqa: BLE001 (the next seed goes on: one that broke is told, with why)
            if seeds and seeds[0] == seed:
                seeds.pop(0)
            yield Broken(seed, traceback.format_exc())
            if on.services:
                on.services.mend()


def _recorded(seed: int, options: argparse.Namespace) -> tuple[Planned, ...] | None:
    """The faults that the seed had in `--as-in`, None without it."""
    if options.as_in is None:
        return None
    runs = json.loads(options.as_in.read_text(encoding="utf-8"))["runs"]
    found = next((run for run in runs if (run["seed"], run["layout"]) == (seed, options.layout)), None)
    if found is None:
        raise SystemExit(f"{options.as_in} tells of no seed {seed} in the {options.layout} layout")
    return planned(found["faults"])


def _tell(one: Played | Broken) -> None:
    if isinstance(one, Broken):
        print(f"seed {one.seed}: broke off\n{one.error[-20_000:]}", flush=True)
        return
    print(f"seed {one.seed}: {one.verdict}; settled after {one.settled_after_s:.1f} s", flush=True)
    if not one.verdict.is_clean:
        print("\n".join(("  faults:", *(f"    {fault}" for fault in one.faults))))
        print(one.output[-60_000:], file=sys.stderr)


def _row(one: Played | Broken, layout: str) -> dict[str, Any]:
    """One line of the log: what broke, what came of it, and where it ran."""
    where = {"layout": layout, "machine": _machine(), "load": round(os.getloadavg()[0], 1)}
    if isinstance(one, Broken):
        return {"seed": one.seed, **where, "broke_off": one.error.strip().splitlines()[-1]}
    found = asdict(one.verdict)
    del found["accepted"]
    settled = round(one.settled_after_s, 1)
    return {"seed": one.seed, **where, "faults": one.faults, "turns": one.turns, **found, "settled_after_s": settled}


def _machine() -> str:
    told = machine()
    return f"{told['cpu']}, {told['cores']} cores, commit {told['commit']}"


if __name__ == "__main__":
    sys.exit(main())
