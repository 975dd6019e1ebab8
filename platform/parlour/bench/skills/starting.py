"""What installed skills cost a start: `parlour up` with none and with twenty, again and again, each on its own data."""

import shutil
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from parlour.bench.children import PARLOUR, Child
from parlour.bench.report import Row
from parlour.bench.skills.data import Data
from parlour.bench.usage import cpu_seconds
from parlour.bootstrap import platform
from parlour.settings import load
from parlour.skills.authoring import new_skill

_SKILLS: Final = 20
_STARTS: Final = 9


@dataclass(frozen=True, slots=True)
class _Start:
    """One start: seconds by the clock until it is ready, and of processor time, which other work moves less."""

    clock_s: float
    cpu_s: float


def run(data: Data, seed: int) -> Mapping[str, Sequence[Row]]:
    """The seconds from the command to "is ready". Needs no data; nothing is drawn by chance."""
    del data, seed
    with tempfile.TemporaryDirectory(prefix="parlour-bench-") as made:
        without, with_many = Path(made) / "without", Path(made) / "with"
        without.mkdir()
        # Migrated, with keys: a first start does more, with skills and without.
        _start(without)
        shutil.copytree(without, with_many)
        _install(with_many, _SKILLS)
        took: dict[Path, list[_Start]] = {without: [], with_many: []}
        # In turns, in changing order, so that what else the machine does falls on both.
        for number in range(_STARTS):
            for folder in (without, with_many) if number % 2 else (with_many, without):
                took[folder].append(_start(folder))
    none, many = _row("none", took[without]), _row(str(_SKILLS), took[with_many])
    added: Row = {
        "skills installed": "added",
        "starts": _STARTS,
        "median_s": round(many["median_s"] - none["median_s"], 2),
        "median_cpu_s": round(many["median_cpu_s"] - none["median_cpu_s"], 2),
    }
    return {"Skills: the start of `parlour up`": [none, many, added]}


def _row(name: str, starts: Sequence[_Start]) -> Row:
    clock = sorted(one.clock_s for one in starts)
    return {
        "skills installed": name,
        "starts": len(clock),
        "median_s": round(statistics.median(clock), 2),
        "median_cpu_s": round(statistics.median(one.cpu_s for one in starts), 2),
        "fastest_s": round(clock[0], 2),
        "slowest_s": round(clock[-1], 2),
    }


def _install(folder: Path, number: int) -> None:
    """So many skills, alike but for their names."""
    new_skill(folder, "idle-0")
    settings = load({}, data_dir=folder / "data", engine={"kind": "echo"})
    with platform(settings) as parts:
        book = parts.skills.book(parts.accounts.ensure_workspace())
        for one in range(number):
            offer = book.offer(_renamed(folder, str(one)))
            book.install(offer, granted=offer.new_grants)


def _renamed(folder: Path, number: str) -> Path:
    """The skill under another name: written anew and checked, each would take seconds."""
    place = folder / "sources" / number
    for file in (folder / "idle-0").rglob("*.*"):
        if file.suffix in {".py", ".json", ".toml"}:
            moved = place / str(file.relative_to(folder / "idle-0")).replace("idle_0", f"idle_{number}")
            moved.parent.mkdir(parents=True, exist_ok=True)
            text = file.read_text(encoding="utf-8")
            text = text.replace("idle_0", f"idle_{number}").replace("idle-0", f"idle-{number}")
            moved.write_text(text, encoding="utf-8")
    return place


def _start(folder: Path) -> _Start:
    """One start, ended again."""
    with Child("up", [*PARLOUR, "up"], folder, settings=_settings(folder), ready="is ready") as up:
        return _Start(up.ready_after_s, cpu_seconds([up.pid]))


def _settings(folder: Path) -> dict[str, str]:
    return {"PARLOUR_DATA_DIR": str(folder / "data"), "PARLOUR_ENGINE__KIND": "echo", "PARLOUR_WEB__PORT": "0"}
