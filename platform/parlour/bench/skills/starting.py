"""What installed skills cost a start: `parlour up` with none and with twenty, again and again, each on its own data."""

import shutil
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from parlour.bench.children import PARLOUR, Child
from parlour.bench.errors import BenchError
from parlour.bench.report import Row
from parlour.bench.skills.data import Data
from parlour.bootstrap import platform
from parlour.settings import load
from parlour.skills.authoring import new_skill

_SKILLS: Final = 20
_STARTS: Final = 5


def run(data: Data, seed: int) -> Mapping[str, Sequence[Row]]:
    """The seconds from the command to "is ready". Needs no data; nothing is drawn by chance."""
    del data, seed
    with tempfile.TemporaryDirectory(prefix="parlour-bench-") as made:
        without, with_many = Path(made) / "without", Path(made) / "with"
        without.mkdir()
        # Migrated, with keys: a first start does more, with skills and without.
        _seconds(without)
        shutil.copytree(without, with_many)
        _install(with_many, _SKILLS)
        # In turns, so that what else the machine does falls on both.
        took = [(_seconds(without), _seconds(with_many)) for _ in range(_STARTS)]
    none, many = (sorted(column) for column in zip(*took, strict=True))
    rows: list[Row] = [_row("none", none), _row(f"{_SKILLS}", many)]
    rows.append({"skills installed": "added", "median_s": round(statistics.median(many) - statistics.median(none), 2)})
    return {"Skills: the start of `parlour up`": rows}


def _row(name: str, seconds: Sequence[float]) -> Row:
    return {
        "skills installed": name,
        "starts": len(seconds),
        "median_s": round(statistics.median(seconds), 2),
        "fastest_s": round(seconds[0], 2),
        "slowest_s": round(seconds[-1], 2),
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


def _seconds(folder: Path) -> float:
    """How long one start takes."""
    with Child("up", [*PARLOUR, "up"], folder, settings=_settings(folder), ready="is ready") as up:
        took = up.ready_after_s
    if not took:
        raise BenchError("parlour up was never ready.")
    return took


def _settings(folder: Path) -> dict[str, str]:
    return {"PARLOUR_DATA_DIR": str(folder / "data"), "PARLOUR_ENGINE__KIND": "echo", "PARLOUR_WEB__PORT": "0"}
