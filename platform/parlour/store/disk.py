"""What must outlive a power cut."""

import os
from pathlib import Path


def sync(path: Path) -> None:
    """Have the disk hold a file, or a folder's list of names, before anything relies on it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
