"""The files of answers in a terminal: numbered as they come, written where the person says."""

import os
from pathlib import Path

from parlour.cli.errors import Refused
from parlour.cli.talking import Talking
from parlour.turns.said import Enclosure, Said

SAVE = "/save"


class Files:
    """All files that came in this conversation since it was opened, by number from 1."""

    def __init__(self, talking: Talking, folder: Path | None = None) -> None:
        self._talking = talking
        self._folder = folder
        self._seen: list[Enclosure] = []

    def in_words(self, said: Said) -> str:
        """The message as Markdown that holds everything a terminal can show: files to save, buttons to type.

        Where a folder was named for them, the files are written there as they come.
        """
        paragraphs = [said.text, *(self._describe(one) for one in said.enclosures), said.closing]
        if said.buttons:
            paragraphs.append("\n".join(f"- {button.label}: `{button.says}`" for button in said.buttons))
        return "\n\n".join(paragraph for paragraph in paragraphs if paragraph)

    def save(self, wanted: str) -> str:
        """Carry out `/save NUMBER [PATH]`; what became of it, as a word to the person."""
        number, _, path = wanted.strip().partition(" ")
        if not number.isdecimal() or not 1 <= int(number) <= len(self._seen):
            known = ", ".join(f"{place}: {one.name}" for place, one in enumerate(self._seen, 1)) or "none yet"
            return f"Give the number of a file, and where to write it: /save 1 report.csv. Files: {known}"
        try:
            return f"Written: {self._write(self._seen[int(number) - 1], Path(path.strip() or '.').expanduser())}"
        except (Refused, OSError) as error:
            return f"Not written: {error}"

    def _describe(self, one: Enclosure) -> str:
        self._seen.append(one)
        number = len(self._seen)
        is_table = one.alt is not None and one.words.startswith("**")
        about = one.words if is_table else f"[{one.alt or one.name}]"
        if self._folder is None:
            return f"{about}\n\n({one.name}, {one.size:,} bytes: `{SAVE} {number}`)"
        return f"{about}\n\n({self._write(one, self._folder)})"

    def _write(self, one: Enclosure, path: Path) -> Path:
        """Where it was written, never over a file that is there. Raises `Refused` and `OSError`."""
        file = self._talking.file(one.id)
        if file is None:
            raise Refused(f"{one.name} is no longer kept.")
        if path.is_dir():
            # The name comes from a skill: it names no folder, whatever it holds.
            path = _unused(path / (Path(one.name).name.lstrip(".") or "file"))
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as written:
            written.write(file.content)
        return path


def _unused(path: Path) -> Path:
    """The path, with a number where it is taken."""
    number, unused = 1, path
    while unused.exists():
        number += 1
        unused = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return unused
