"""The note in the data folder that says where `parlour up` listens. Light on purpose: every `parlour chat` reads it."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from parlour.settings import Settings


@contextmanager
def announced(settings: Settings, url: str, token: str) -> Iterator[None]:
    """Leave word where this process listens and the token that local clients must show; for this user's eyes only."""
    path = _note(settings)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Made anew, never opened: one left behind might be readable by others.
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump({"url": url, "token": token, "pid": os.getpid()}, file)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def running_at(settings: Settings) -> tuple[str, str] | None:
    """Where a running `parlour up` on this data folder listens, and its token; None when none left word."""
    try:
        note = json.loads(_note(settings).read_text(encoding="utf-8"))
        return str(note["url"]), str(note["token"])
    except (OSError, ValueError, KeyError):
        return None


def _note(settings: Settings) -> Path:
    return settings.data_dir / "run" / "up.json"
