"""`Files` for skills: the files of a few folders, read by the host. No path of a skill's is ever followed.

A folder is opened once, and a file of it by its bare name relative to that descriptor, without following links: what is
renamed or linked meanwhile changes nothing about where the file lies.
"""

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from parlour.sdk.errors import Invalid, NotAvailable, NotGranted, TooMuch

LARGEST_BYTES: Final = 8_000_000
MOST_FILES: Final = 1_000
# More is not looked through, so that a folder of millions holds up nobody.
_MOST_SEEN: Final = 100_000
_LONGEST_NAME: Final = 255


class SkillFiles:
    """Reads for skills. `folders` are those that the machine's operator named; nothing `private` lies in them."""

    def __init__(self, folders: Mapping[str, Path], *, private: Sequence[Path] = ()) -> None:
        self._folders = folders
        self._private = [path.resolve() for path in private]

    def list(self, granted: Sequence[str], folder: str) -> list[list[object]]:
        """Name, bytes and time of change (seconds since 1970) of its files, those changed last, the newest at the end.

        Raises `NotGranted`, `NotAvailable`.
        """
        with self._opened(granted, folder) as place:
            found = [(status.st_mtime, name, status.st_size) for name, status in _files(place)]
        return [[name, size, changed] for changed, name, size in sorted(found)[-MOST_FILES:]]

    def read(self, granted: Sequence[str], folder: str, name: str) -> bytes:
        """What the file holds. Raises as `list` does, `Invalid` for what is no file in it, and `TooMuch`."""
        # Said without the name: it is the skill's, and may be anything.
        missing = Invalid(f"The folder {folder!r} has no such file. Give a name as `list` tells it.")
        if not _is_plain(name):
            raise missing
        with self._opened(granted, folder) as place:
            try:
                # Not waiting: a pipe in the folder would never be opened.
                file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=place)
            except OSError:
                raise missing from None
            try:
                if not _is_own(os.fstat(file)):
                    raise missing
                content = _whole(file)
            finally:
                os.close(file)
        if len(content) > LARGEST_BYTES:
            raise TooMuch(f"The file has more than {LARGEST_BYTES:,} bytes.")
        return content

    @contextmanager
    def _opened(self, granted: Sequence[str], folder: str) -> Iterator[int]:
        if folder not in granted:
            raise NotGranted(
                f"The folder {folder[:64]!r} is named by no setting. Named: {', '.join(granted) or 'none'}."
            )
        path = self._folders.get(folder)
        if path is None:
            raise NotAvailable(f"There is no folder {folder!r}. The operator names it in PARLOUR_SKILLS__FOLDERS.")
        whole = path.resolve()
        if any(whole.is_relative_to(one) or one.is_relative_to(whole) for one in self._private):
            raise NotAvailable(f"The folder {folder!r} holds the platform's own data. Name another in skills.folders.")
        try:
            place = os.open(whole, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise NotAvailable(f"The folder {folder!r} cannot be read: {error.strerror}.") from None
        try:
            yield place
        finally:
            os.close(place)


def _whole(file: int) -> bytes:
    """What it holds, a byte more than is allowed at most."""
    made = bytearray()
    while len(made) <= LARGEST_BYTES and (part := os.read(file, LARGEST_BYTES + 1 - len(made))):
        made += part
    return bytes(made)


def _files(place: int) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(place) as entries:
        for number, entry in enumerate(entries):
            if number >= _MOST_SEEN:
                return
            try:
                status = entry.stat(follow_symlinks=False)
                entry.name.encode()
            except (OSError, UnicodeEncodeError):  # it went away, or its name is no text
                continue
            if _is_plain(entry.name) and _is_own(status):
                yield entry.name, status


def _is_plain(name: str) -> bool:
    return 0 < len(name) <= _LONGEST_NAME and not name.startswith(".") and not {"/", "\0"} & {*name}


def _is_own(status: os.stat_result) -> bool:
    """Whether it is a file that lies here and nowhere else: a second name of a file could be anybody's."""
    return stat.S_ISREG(status.st_mode) and status.st_nlink == 1
