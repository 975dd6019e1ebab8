"""The process that reads documents, one after the other, with little memory and no rights to speak of.

A document comes from anyone; its reader may be led to crash, hang or take all memory. Here that costs one document.
Started by `isolated.py`: a path a line comes in, JSON lines go out.
"""

import contextlib
import json
import resource
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

from parlour.knowledge.errors import DocumentError
from parlour.knowledge.reading.blocks import Warnings
from parlour.knowledge.reading.formats import reader_of


def main(memory_bytes: int) -> None:
    """Read what is asked for on stdin until it closes."""
    _confine(memory_bytes)
    # Libraries that print must not get in between.
    told, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        _tell(told, _answer(Path(json.loads(line)), told))


def _answer(path: Path, told: TextIO) -> dict[str, object]:
    """Tell the document's blocks, and return how it ended."""
    warnings = Warnings()
    try:
        for block in reader_of(path)(path, warnings):
            if block.text:
                _tell(told, {"block": asdict(block)})
    except DocumentError as error:
        return {"refused": type(error).__name__, "problem": str(error)}
    except MemoryError:
        return {"refused": "DocumentTooLarge", "problem": "takes too much memory to read. Split it."}
    except OSError as error:
        return {"refused": "DocumentUnreadable", "problem": f"cannot be read ({error.strerror})."}
    except Exception as error:  # noqa: BLE001 (a damaged document may cause anything in its reader)
        return {"refused": "DocumentUnreadable", "problem": f"is damaged ({type(error).__name__}). Save it again."}
    return {"warnings": warnings.lines()}


def _tell(told: TextIO, message: dict[str, object]) -> None:
    told.write(json.dumps(message) + "\n")
    told.flush()


def _confine(memory_bytes: int) -> None:
    """Take away what reading does not need: memory, writing files, new processes where the kernel allows."""
    for what, limit in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, 0),
    ):
        # A container may have set a lower hard limit; that one holds.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(what, (limit, limit))


if __name__ == "__main__":
    main(int(sys.argv[1]))
