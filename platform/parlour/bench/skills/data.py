"""The research data that parts measure with. None of it comes with Parlour."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from parlour.bench.errors import BenchError

# Beside a source checkout, where benchmarks are run from.
BESIDE: Final = Path(__file__).resolve().parents[5] / "shared" / "data"


@dataclass(frozen=True, slots=True)
class Data:
    """A folder of data sets, a folder each; None where there is none."""

    folder: Path | None

    def file(self, path: str) -> Path:
        """The file at `path` in the folder. Raises `BenchError` with the remedy."""
        remedy = "Name the folder that holds it: parlour bench skills --data DIR"
        if self.folder is None:
            raise BenchError(f"{path} is needed, and there is no folder of data. {remedy}")
        found = self.folder / path
        if not found.is_file():
            raise BenchError(f"{found} is not there. {remedy}")
        return found


def data_in(folder: Path | None) -> Data:
    """The data in `folder`, or beside the checkout. Raises `BenchError` when `folder` is no folder."""
    if folder is None:
        return Data(BESIDE if BESIDE.is_dir() else None)
    if not folder.is_dir():
        raise BenchError(f"{folder} is no folder. Name the one that holds the data sets: --data DIR")
    return Data(folder.resolve())
