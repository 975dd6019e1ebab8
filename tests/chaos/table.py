"""What logs of `python -m tests.chaos` amount to: a table for the documentation, and every schedule as JSON.

python -m tests.chaos.table figures.jsonl more.jsonl --json-file docs/figures/chaos-2026-12-01.json
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from tests.chaos.diary import WRONG, Row, is_clean, rows

_COMMAND = "python -m tests.chaos --layout LAYOUT --seed SEED --schedules N --log FILE"
_COUNTED = ("lost", "stuck", "doubled", "misordered", "unsettled")
_HEAD = f"| layout | commit | seeds | played | clean | turns | most people | load | {' | '.join(_COUNTED)} |"


def main() -> None:
    """Print the table, write the JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.table", description=__doc__)
    parser.add_argument("logs", nargs="+", type=Path)
    parser.add_argument("--json-file", type=Path, help="every schedule with its faults")
    options = parser.parse_args()
    played = rows(options.logs)
    if options.json_file:
        options.json_file.write_text(as_json(played), encoding="utf-8")
    print(table(played))


def table(played: Iterable[Row]) -> str:
    """Markdown: a line for each layout and commit, then one for each schedule that was not clean."""
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for one in played:
        groups[one["layout"], one["commit"]].append(one)
    lines = [_HEAD, "|" + "---|" * _HEAD.count(" | ") + "---|"]
    lines += [_line(layout, commit, found) for (layout, commit), found in groups.items()]
    unclean = [one for found in groups.values() for one in found if not is_clean(one)]
    return "\n".join([*lines, "", *map(_unclean, unclean)]).rstrip()


def as_json(played: Iterable[Row]) -> str:
    """Every schedule: what is wrong as a number of messages, since their texts say nothing to anybody else."""
    runs = [
        {name: len(value) if name in (*WRONG, "unsettled") else value for name, value in one.items()} for one in played
    ]
    lines = ",\n".join(f"  {json.dumps(run, ensure_ascii=False)}" for run in runs)
    return f'{{\n "command": "{_COMMAND}",\n "runs": [\n{lines}\n ]\n}}\n'


def _line(layout: str, commit: str, found: list[Row]) -> str:
    ended = [one for one in found if "broke_off" not in one]
    loads = sorted(one["load"] for one in found)
    cells = [
        layout,
        commit,
        _ranges(one["seed"] for one in found),
        len(found),
        sum(map(is_clean, found)),
        sum(one["turns"] for one in ended),
        max((one["people"] for one in ended), default=0),
        f"{loads[0]:g} to {loads[-1]:g}",
        *(sum(len(one.get(kind, ())) for one in ended) for kind in _COUNTED),
    ]
    return f"| {' | '.join(map(str, cells))} |"


def _unclean(one: Row) -> str:
    wrong = one.get("broke_off") or ", ".join(f"{kind} {len(one[kind])}" for kind in WRONG if one.get(kind))
    faults = f"; {', '.join(one['faults'])}" if "faults" in one else ""
    return f"- {one['layout']} {one['seed']} at {one['commit']}: {wrong}{faults}"


def _ranges(seeds: Iterable[int]) -> str:
    """Such as `1 to 4, 7`."""
    runs: list[list[int]] = []
    for seed in sorted(seeds):
        if runs and seed - runs[-1][-1] <= 1:
            runs[-1].append(seed)
        else:
            runs.append([seed])
    return ", ".join(f"{run[0]} to {run[-1]}" if run[0] != run[-1] else str(run[0]) for run in runs)


if __name__ == "__main__":
    main()
