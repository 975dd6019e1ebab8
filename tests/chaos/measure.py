"""Figures of what happens under faults, on the production layout over a PostgreSQL and a Redis of its own.

python -m tests.chaos.measure takeover --json-file takeover.json --plot takeover.svg
python -m tests.chaos.measure outage
python -m tests.chaos.measure isolation --seconds 20
python -m tests.chaos.measure long-run --seconds 600
"""

import argparse
import random
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from rich.console import Console

from parlour.bench.report import Report
from tests.chaos import figures
from tests.chaos.crowd import Crowd
from tests.chaos.ending import unwind_when_told
from tests.chaos.house import House, Services, production
from tests.chaos.nursery import Nursery
from tests.fakes.telegram import FakeTelegram
from tests.services import PostgresDatabases


@dataclass(frozen=True, slots=True)
class Wanted:
    """One kind of figure: what measures it, its defaults, and the columns of its plot."""

    measure: Callable[[figures.Ground, argparse.Namespace, Report], None]
    defaults: Mapping[str, float]
    pace: str
    across: str
    up: tuple[str, ...]


KINDS: Final[Mapping[str, Wanted]] = MappingProxyType(
    {
        "takeover": Wanted(figures.takeover, {"rounds": 5}, "0.05", "round", ("took_over_after_s",)),
        "outage": Wanted(figures.outage, {"rounds": 3, "people": 40}, "0", "round", ("first_after_s", "last_after_s")),
        "isolation": Wanted(
            figures.isolation,
            {"rounds": 3, "people": 20, "seconds": 20, "rate": 4},
            "0",
            "case",
            ("p50_ms", "p99_ms"),
        ),
        "long-run": Wanted(
            figures.long_run, {"people": 50, "seconds": 600, "rate": 5}, "0", "after_s", ("rss_mb", "descriptors")
        ),
    }
)


def main() -> int:
    """0 when the judge found all that was said answered once and in order."""
    options = _arguments()
    unwind_when_told()
    wanted = KINDS[options.kind]
    report = Report(options.kind, {name: getattr(options, name) for name in ("rounds", "people", "seconds", "rate")})
    with _ground(wanted.pace, int(options.people)) as ground:
        wanted.measure(ground, options, report)
        verdict = ground.crowd.settled(patience_s=120)
        print(verdict)
    report.options = {**report.options, "verdict": str(verdict)}
    report.show(Console(width=160))
    if options.json_file:
        report.write(options.json_file)
    if options.plot:
        figures.plot(report, wanted.across, wanted.up, options.plot)
    return 0 if verdict.is_clean else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.measure", description=__doc__)
    parser.add_argument("kind", choices=sorted(KINDS))
    parser.add_argument("--rounds", type=int, help="how often the fault is made")
    parser.add_argument("--people", type=int, help="who talk")
    parser.add_argument("--seconds", type=float, help="how long each case, or the whole run, lasts")
    parser.add_argument("--rate", type=float, help="messages a second of all people together")
    parser.add_argument("--json-file", type=Path)
    parser.add_argument("--plot", type=Path, help="an SVG or PNG")
    options = parser.parse_args()
    defaults: dict[str, Any] = {"rounds": 1, "people": 4, "seconds": 0.0, "rate": 0.0, **KINDS[options.kind].defaults}
    for name, value in defaults.items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    return options


@contextmanager
def _ground(pace: str, people: int) -> Iterator[figures.Ground]:
    """A production installation of its own, running, and people who talk there."""
    with (
        Nursery() as nursery,
        Services() as services,
        FakeTelegram() as telegram,
        tempfile.TemporaryDirectory(prefix="parlour-measure-") as folder,
    ):
        databases = PostgresDatabases(services.postgres.url)
        broker_url = f"{services.redis.url}/0"
        house: House = production(Path(folder), databases, broker_url, telegram, nursery=nursery, pace=pace)
        with house:
            crowd = Crowd(telegram, people=people, dice=random.Random(1), is_varied=False)
            yield figures.Ground(house, services, telegram, crowd)


if __name__ == "__main__":
    sys.exit(main())
