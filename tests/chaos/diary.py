"""The log of schedules played: one line of JSON each, added as soon as it is over, so a run broken off keeps it."""

import json
import os
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from parlour.bench.machine import machine
from tests.chaos.play import LayoutName, Played

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Broken:
    """A play that did not come to its end: a process that was not ready in time, a service that did not start."""

    seed: int
    error: str

    @classmethod
    def off(cls, seed: int) -> "Broken":
        """The play of this seed, by the exception that is being handled."""
        return cls(seed, traceback.format_exc())


@dataclass(frozen=True, slots=True)
class Diary:
    """A log in a file. What is needed to find out why a schedule was unclean is written into files beside it."""

    file: Path

    def note(self, one: Played | Broken, layout: LayoutName) -> None:
        """Add a schedule."""
        with self.file.open("a", encoding="utf-8") as log:
            log.write(json.dumps(row(one, layout), ensure_ascii=False) + "\n")
        if isinstance(one, Broken):
            self._beside(one.seed, layout, "txt").write_text(one.error, encoding="utf-8")
        elif not one.verdict.is_clean:
            self._beside(one.seed, layout, "txt").write_text(one.output, encoding="utf-8")
            journal = "\n".join(json.dumps(entry, ensure_ascii=False, default=str) for entry in one.journal)
            self._beside(one.seed, layout, "journal.jsonl").write_text(journal, encoding="utf-8")

    def seeds(self, layout: LayoutName) -> set[int]:
        """Those that were played in this layout."""
        return {one["seed"] for one in rows([self.file]) if one["layout"] == layout} if self.file.exists() else set()

    def _beside(self, seed: int, layout: LayoutName, ending: str) -> Path:
        return self.file.with_name(f"{self.file.stem}-{layout}-{seed}.{ending}")


def row(one: Played | Broken, layout: LayoutName) -> Row:
    """One line of the log: what broke, what came of it, how long its parts took, and where it ran."""
    told = {"seed": one.seed, "layout": layout, **_place(), "load": round(os.getloadavg()[0], 1)}
    told["at"] = datetime.now(UTC).isoformat(timespec="seconds")
    if isinstance(one, Broken):
        return told | {"broke_off": one.error.strip().splitlines()[-1]}
    found = asdict(one.verdict)
    del found["accepted"]
    took = {f"{part}_s": round(seconds, 1) for part, seconds in one.took_s.items()}
    return told | {
        "faults": one.faults,
        "people": one.people,
        "turns": one.turns,
        "mode": one.mode.value,
        **found,
        **took,
    }


def rows(logs: Iterable[Path]) -> list[Row]:
    """All lines of these logs."""
    return [json.loads(line) for log in logs for line in log.read_text(encoding="utf-8").splitlines()]


def is_clean(one: Row) -> bool:
    """Whether nothing was wrong in the schedule of this line. An older one tells of less that may be."""
    return "broke_off" not in one and not any(one.get(kind) for kind in WRONG)


WRONG = ("lost", "stuck", "doubled", "misordered", "misdirected", "left_over")


@cache
def _place() -> Mapping[str, str]:
    told = machine()
    return {"machine": f"{told['cpu']}, {told['cores']} cores", "commit": str(told["commit"])}
