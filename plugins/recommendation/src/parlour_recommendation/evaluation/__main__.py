"""`python -m parlour_recommendation.evaluation --data DIR`: prints the tables, as JSON in the last line."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

# One core: what is told of speed is told of one.
os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")

from parlour_recommendation.evaluation.movielens import REMEDY, read
from parlour_recommendation.evaluation.taking_in import million_rows

try:
    from parlour_recommendation.evaluation.tables import Trial, speed
except ModuleNotFoundError as missing:
    if missing.name != "implicit":
        raise
    sys.exit("The reference methods are not there. Install them: pip install implicit")

Table = Iterator[Mapping[str, Any]]


@cache
def _trial(data: Path, seed: int) -> Trial:
    return Trial.of(read(data), seed)


TABLES: Final[Mapping[str, tuple[str, Callable[[Path, int], Table]]]] = {
    # First, since it tells its peak of memory.
    "taking-in": ("Recommendation: a catalogue of a million rows, one of them broken", lambda _, __: million_rows()),
    "returning": (
        "Recommendation: MovieLens 100k, the last fifth of the time foretold for those who were there before",
        lambda data, seed: _trial(data, seed).returning(seed),
    ),
    "newcomers": (
        "Recommendation: people who came later, after five ratings",
        lambda data, seed: _trial(data, seed).newcomers(seed, first=5),
    ),
    "strangers": (
        "Recommendation: people who came later, nothing known of them",
        lambda data, seed: _trial(data, seed).newcomers(seed, first=0),
    ),
    "new-items": (
        "Recommendation: which of the films that nobody had rated are liked",
        lambda data, seed: _trial(data, seed).new_items(seed),
    ),
    "speed": ("Recommendation: a request on one core", lambda _, seed: speed(seed)),
}


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description="Measures the recommendation skill.")
    parser.add_argument("--data", type=Path, default=Path(), help="The folder that holds ml-100k.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=sorted(TABLES), action="append", help="These tables alone.")
    parser.add_argument("--json", action="store_true", help="No progress, only JSON.")
    given = parser.parse_args()
    told: dict[str, list[Mapping[str, Any]]] = {}
    for name in given.only or TABLES:
        title, make = TABLES[name]
        told[title] = []
        try:
            for row in make(given.data, given.seed):
                told[title].append(row)
                if not given.json:
                    print(title, row, file=sys.stderr)
        except FileNotFoundError as error:
            sys.exit(f"{error.filename} is not there. {REMEDY}")
    print(json.dumps(told, ensure_ascii=False))


main()
