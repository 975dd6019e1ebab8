"""Runs the parts that were asked for, one after another."""

import time
from collections.abc import Sequence

from parlour.bench.pipeline import Progress
from parlour.bench.report import Report
from parlour.bench.skills.data import Data
from parlour.bench.skills.part import run_part
from parlour.bench.skills.registry import PARTS


def run_skills(parts: Sequence[str], data: Data, *, seed: int, report: Report, progress: Progress) -> None:
    """Put the tables of each part into the report. Raises `BenchError`."""
    progress.begin("skills", len(parts))
    for name in parts:
        started = time.monotonic()
        for title, rows in run_part(PARTS[name], data, seed).items():
            for row in rows:
                report.add(title, row)
        report.add("Time taken", {"part": name, "seed": seed, "seconds": round(time.monotonic() - started, 1)})
        progress.step()
