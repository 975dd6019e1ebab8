"""Play many schedules and tell what was lost, doubled, misordered or stuck.

python -m tests.chaos --schedules 100 --seed 1
python -m tests.chaos --layout embedded --schedules 20 --log figures.jsonl
python -m tests.chaos --schedules 100 --log figures.jsonl --go-on     # those of them that it does not tell of yet
python -m tests.chaos --seed 17 --schedules 1        # play one again
python -m tests.chaos --seed 5006 --schedules 1 --as-in docs/figures/chaos-2026-11-25.json   # the faults it had then
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Generator
from contextlib import closing
from itertools import islice
from pathlib import Path

from parlour.turns.states import Mode
from tests.chaos.diary import Broken, Diary, Row
from tests.chaos.ending import unwind_when_told
from tests.chaos.play import CROWD, MESSAGES, PEOPLE, Play, Played, Stage, settle_in, stage
from tests.chaos.schedule import TOGETHER, mode_of, planned


def main() -> int:
    """0 when every schedule was clean, 1 otherwise."""
    options = _arguments()
    unwind_when_told()
    diary = Diary(options.log) if options.log else None
    known = diary.seeds(options.layout) if diary and options.go_on else set()
    wanted = [seed for seed in range(options.seed, options.seed + options.schedules) if seed not in known]
    seeds = iter(wanted)
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
                    if diary:
                        diary.note(one, options.layout)
    print(f"{len(wanted)} schedules, {len(unclean)} unclean" + (f": seeds {unclean}" if unclean else ""))
    return 1 if unclean else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--layout", choices=("production", "embedded"), default="production")
    parser.add_argument("--schedules", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1, help="of the first schedule; the others count on from it")
    parser.add_argument("--faults", type=int, default=5, help="in each schedule")
    parser.add_argument("--people", type=int, default=0, help="who talk; 0: a dozen, in every tenth seed hundreds")
    parser.add_argument(
        "--together", type=int, default=TOGETHER, help="schedules one after another on one installation"
    )
    parser.add_argument("--mode", type=Mode, choices=list(Mode), help="in the place of the one that is drawn")
    parser.add_argument("--as-in", type=Path, help="take each seed's faults from these figures, and draw only the talk")
    parser.add_argument("--log", type=Path, help="add one line of JSON for each schedule to this file")
    parser.add_argument("--go-on", action="store_true", help="leave out the seeds that the log tells of")
    return parser.parse_args()


def _follow(seeds: list[int], on: Stage, options: argparse.Namespace) -> Generator[Played | Broken]:
    """Play these, on one installation as long as it is clean and its mode is theirs."""
    while seeds:
        seed = seeds[0]
        mode = _mode(seed, options)
        try:
            with (
                tempfile.TemporaryDirectory(prefix="parlour-chaos-") as folder,
                settle_in(on, Path(folder), mode=mode) as at,
            ):
                is_clean = True
                while seeds and is_clean and _mode(seeds[0], options) is mode:
                    seed = seeds.pop(0)
                    played = at.perform(_play(seed, options))
                    is_clean = played.verdict.is_clean
                    yield played
        except Exception:  # noqa: BLE001 (the next seed goes on: one that broke is told, with why)
            if seeds and seeds[0] == seed:
                seeds.pop(0)
            yield Broken.off(seed)
            if on.services:
                on.services.mend()


def _play(seed: int, options: argparse.Namespace) -> Play:
    people = options.people or (CROWD if seed % 10 == 0 else PEOPLE)
    messages = max(MESSAGES, people)
    faults = planned(_recorded(seed, options)["faults"]) if options.as_in else None
    return Play(seed, people=people, messages=messages, faults=options.faults, planned=faults)


def _mode(seed: int, options: argparse.Namespace) -> Mode:
    if options.mode:
        return Mode(options.mode)
    # What is older than modes tells of none.
    return Mode(_recorded(seed, options).get("mode", Mode.QUEUE)) if options.as_in else mode_of(seed)


def _recorded(seed: int, options: argparse.Namespace) -> Row:
    """What `--as-in` tells of the seed."""
    runs = json.loads(options.as_in.read_text(encoding="utf-8"))["runs"]
    found: Row | None = next((run for run in runs if (run["seed"], run["layout"]) == (seed, options.layout)), None)
    if found is None:
        raise SystemExit(f"{options.as_in} tells of no seed {seed} in the {options.layout} layout")
    return found


def _tell(one: Played | Broken) -> None:
    if isinstance(one, Broken):
        print(f"seed {one.seed}: broke off\n{one.error[-20_000:]}", flush=True)
        return
    took = ", ".join(f"{part} {seconds:.1f} s" for part, seconds in one.took_s.items())
    print(f"seed {one.seed}: {one.verdict}; {took}", flush=True)
    if not one.verdict.is_clean:
        print("\n".join(("  faults:", *(f"    {fault}" for fault in one.faults))))
        print(one.output[-60_000:], file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
