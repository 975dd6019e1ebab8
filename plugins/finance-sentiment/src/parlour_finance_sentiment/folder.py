"""A folder of news files that is watched: what is new or changed in it is read, once, through the host."""

import hashlib
from datetime import datetime
from typing import Final

from parlour.sdk import CapabilityError, Files, FolderFile
from parlour_finance_sentiment.feeds import BadFeed, read_file
from parlour_finance_sentiment.items import Item
from parlour_finance_sentiment.shelf import Shelf

# The rest is read at the next poll: a folder that was just filled holds up no feed.
_MOST_AT_ONCE: Final = 100
_SHOWN_PROBLEMS: Final = 10


async def read_folder(shelf: Shelf, files: Files, folder: str, now: datetime) -> list[Item]:
    """The items of files that are new or have changed since they were read; how it went is written down.

    A file that is broken is told by its name, and read again once it has changed.
    """
    problems: dict[str, str] = {}
    items: list[Item] = []
    try:
        there = await files.list(folder)
    except CapabilityError as error:
        await shelf.put_folder(folder, str(error), 0, now)
        return items
    known = await shelf.files_read()
    new = [file for file in there if known.get(_key(file)) != _state(file)][:_MOST_AT_ONCE]
    for file in new:
        try:
            items += read_file(await files.read(folder, file.name), file.name[:100], now)
        except (CapabilityError, BadFeed) as error:
            problems[file.name[:100]] = str(error)
    # What is gone from the folder is forgotten with it; what waits for the next poll is not known yet.
    states = known | {_key(file): _state(file) for file in new}
    await shelf.put_files_read({_key(file): states[_key(file)] for file in there if _key(file) in states})
    told = " ".join(f"{name}: {problem}" for name, problem in list(problems.items())[:_SHOWN_PROBLEMS])
    await shelf.put_folder(folder, told, len(items), now)
    return items


def _key(file: FolderFile) -> str:
    """A short name for a file: there may be a thousand of them to remember in one document."""
    return hashlib.sha256(file.name.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _state(file: FolderFile) -> list[int]:
    return [int(file.changed_at.timestamp() * 1_000), file.size_bytes]
