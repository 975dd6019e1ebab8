"""Play many schedules and tell what was lost, doubled, misordered or stuck.

python -m tests.chaos --schedules 100 --seed 1
python -m tests.chaos --layout embedded --schedules 20 --json-file docs/figures/chaos-embedded.json
python -m tests.chaos --seed 17 --schedules 1        # play one again
"""

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from parlour.bench.machine import machine
from tests.chaos.play import Play, Played, perform, stage


def main() -> int:
    """0 when every schedule was clean, 1 otherwise."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--layout", choices=("production", "embedded"), default="production")
    parser.add_argument("--schedules", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1, help="of the first schedule; the others count on from it")
    parser.add_argument("--faults", type=int, default=5, help="in each schedule")
    parser.add_argument("--json-file", type=Path)
    options = parser.parse_args()
    played = []
    with stage(options.layout) as services:
        for seed in range(options.seed, options.seed + options.schedules):
            with tempfile.TemporaryDirectory(prefix="parlour-chaos-") as folder:
                played.append(perform(Play(seed, faults=options.faults), services, Path(folder)))
            _tell(played[-1])
            if options.json_file:
                options.json_file.write_text(_report(options.layout, played), encoding="utf-8")
    unclean = [one.seed for one in played if not one.verdict.is_clean]
    print(f"{len(played)} schedules, {len(unclean)} unclean" + (f": seeds {unclean}" if unclean else ""))
    return 1 if unclean else 0


def _tell(played: Played) -> None:
    print(f"seed {played.seed}: {played.verdict}; settled after {played.settled_after_s:.1f} s", flush=True)
    if not played.verdict.is_clean:
        print("\n".join(("  faults:", *(f"    {fault}" for fault in played.faults))))
        print(played.output[-20_000:], file=sys.stderr)


def _report(layout: str, played: list[Played]) -> str:
    """Everything but the processes' output, with the machine."""
    rows = [{key: value for key, value in asdict(one).items() if key != "output"} for one in played]
    totals = {
        name: sum(len(getattr(one.verdict, name)) for one in played)
        for name in ("lost", "doubled", "misordered", "misdirected", "left_over")
    }
    whole = {
        "layout": layout,
        "machine": machine(),
        "schedules": len(played),
        "accepted": sum(one.verdict.accepted for one in played),
        **totals,
        "runs": rows,
    }
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.exit(main())
