"""Taking documents in, listing and removing them."""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from parlour.knowledge.access import ROLES, USUAL_ROLE
from parlour.knowledge.embedding import Embedder, Vectors
from parlour.knowledge.errors import DocumentError, DocumentGone, DocumentUnreadable, KnowledgeError, SourceUnknown
from parlour.knowledge.reading.formats import SUFFIXES
from parlour.knowledge.reading.isolated import IsolatedReader, ReadingLimits
from parlour.knowledge.site import Site, each_page
from parlour.knowledge.sources import NewSource, Sources, SourceView
from parlour.knowledge.splitting import Piece, split
from parlour.store.clock import Clock
from parlour.store.database import Database
from parlour.store.ids import WorkspaceId

# Raised when reading or splitting changes, so that documents are indexed anew though they are the same.
_EDITION = "1"
_MOST_FILES = 20_000
_HASHED_AT_ONCE = 1 << 20

# Told the document, how many are done, and of how many.
OnProgress = Callable[[str, int, int], None]


def _silent(_name: str, _done: int, _all: int) -> None:
    """Tells nobody."""


@dataclass(slots=True)
class Report:
    """What became of each document: names, and problems beside them."""

    added: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    """One line for each file that could not be taken in."""
    warnings: list[str] = field(default_factory=list)
    passages: int = 0


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    name: str
    folder: str | None
    origin: str


class Library:
    """The documents of an installation."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        sources: Sources,
        embedder: Embedder | None,
        limits: ReadingLimits | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._sources = sources
        self._embedder = embedder
        self._limits = limits or ReadingLimits()

    def add(
        self,
        workspace: WorkspaceId,
        path: Path,
        *,
        least_role: str = USUAL_ROLE,
        name: str | None = None,
        on_progress: OnProgress = _silent,
    ) -> Report:
        """Take in a file, or a folder with all that can be read in it, and report.

        What has not changed is left as it is; what has gone from the folder is removed. Of a folder, a file that cannot
        be read is reported and the others are taken; its old passages stay. Raises `DocumentError` for a single file,
        `KnowledgeError` where nothing can be done at all.
        """
        _check_role(least_role)
        report = Report()
        files = list(_files(path, name, report))
        if not files:
            # Not an empty library: a share that is not mounted looks like this, and all of it would be removed.
            raise DocumentError(f"{path} holds no document that can be read. Nothing was changed.")
        is_whole = not report.refused
        with IsolatedReader(self._limits) as reader:
            for done, file in enumerate(files):
                on_progress(file.name, done, len(files))
                try:
                    self._add(workspace, file, least_role, reader, report)
                except KnowledgeError as error:
                    if not path.is_dir():
                        raise
                    report.refused.append(str(error))
        if path.is_dir() and is_whole:
            self._remove_gone(workspace, name or path.resolve().name, {file.name for file in files}, report)
        return report

    def add_site(
        self,
        workspace: WorkspaceId,
        site: Site,
        *,
        least_role: str = ROLES[0],
        on_progress: OnProgress = _silent,
    ) -> Report:
        """Take in the pages that a site's sitemap names, and report; they are a folder that has the host's name.

        What has not changed is left as it is; what has gone from the sitemap or the site is removed. A page that does
        not answer is reported, and keeps its old passages. Raises `KnowledgeError` where nothing can be done at all.
        """
        _check_role(least_role)
        report = Report()
        addresses = site.addresses()
        if not addresses:
            # Not an empty site: all of its documents would be removed.
            raise DocumentError(f"The sitemap names no page of {site.host}. Nothing was changed.")
        if site.elsewhere:
            report.warnings.append(f"{site.host}: {site.elsewhere} addresses on other hosts were left out")
        there = {site.name(address) for address in addresses}
        with IsolatedReader(self._limits) as reader, TemporaryDirectory() as folder:
            for done, (address, page) in enumerate(each_page(site, addresses)):
                name, path = site.name(address), Path(folder) / "page"
                on_progress(name, done, len(addresses))
                try:
                    if isinstance(page, DocumentError):
                        raise page
                    path = path.with_suffix(page.suffix)
                    path.write_bytes(page.content)
                    self._add(workspace, _File(path, name, site.host, address), least_role, reader, report)
                except DocumentGone as error:
                    there.discard(name)
                    report.warnings.append(str(error))
                except KnowledgeError as error:
                    report.refused.append(str(error).replace(str(path), address))
        if not report.refused:
            self._remove_gone(workspace, site.host, there, report)
        return report

    def every(self, workspace: WorkspaceId) -> list[SourceView]:
        """The workspace's documents, by name."""
        with self._database.read() as session:
            return self._sources.every(session, workspace)

    def remove(self, workspace: WorkspaceId, name: str) -> list[str]:
        """Remove the document of that name, or all that came with the folder of that name; returns their names.

        Raises `SourceUnknown`.
        """
        with self._database.begin() as session:
            self._sources.next_revision(session, workspace)
            one = self._sources.find(session, workspace, name)
            found = [one] if one is not None else self._sources.in_folder(session, workspace, name)
            if not found:
                raise SourceUnknown(f"No document and no folder named {name!r}. See all with: parlour kb list")
            names = [self._sources.name_of(source) for source in found]
            for source in found:
                session.delete(source)
        return names

    def _add(
        self, workspace: WorkspaceId, file: _File, least_role: str, reader: IsolatedReader, report: Report
    ) -> None:
        content_hash = self._content_hash(workspace, file.path)
        if self._is_current(workspace, file, content_hash, least_role):
            report.unchanged.append(file.name)
            return
        document = reader.read(file.path)
        report.warnings += [f"{file.name}: {warning}" for warning in document.warnings]
        pieces = list(split(document.blocks))
        if not pieces:
            raise DocumentUnreadable(f"{file.path} holds no text.")
        new = NewSource(
            name=file.name,
            origin=file.origin,
            folder=file.folder,
            format=document.format,
            least_role=least_role,
            content_hash=content_hash,
            byte_count=file.path.stat().st_size,
            pieces=pieces,
            embedder=self._embedder.name if self._embedder else None,
            vectors=self._embedded(pieces),
        )
        with self._database.begin() as session:
            was_there = self._sources.put(session, workspace, new, self._clock.now())
        (report.replaced if was_there else report.added).append(file.name)
        report.passages += len(pieces)

    def _is_current(self, workspace: WorkspaceId, file: _File, content_hash: bytes, least_role: str) -> bool:
        """Whether the document stands as it is. Another role for the same content is noted here, nothing else changes.

        Raises `NameTaken`.
        """
        with self._database.read() as session:
            known = self._sources.find(session, workspace, file.name)
            if known is None:
                return False
            self._sources.refuse_other(known, file.name, file.origin)
        if known.content_hash != content_hash or known.embedder != (self._embedder and self._embedder.name):
            return False
        if known.least_role != least_role:
            with self._database.begin() as session:
                self._sources.set_role(session, workspace, file.name, least_role)
        return True

    def _remove_gone(self, workspace: WorkspaceId, folder: str, there: set[str], report: Report) -> None:
        with self._database.begin() as session:
            self._sources.next_revision(session, workspace)
            for source in self._sources.in_folder(session, workspace, folder):
                name = self._sources.name_of(source)
                if name not in there:
                    session.delete(source)
                    report.removed.append(name)

    def _embedded(self, pieces: Sequence[Piece]) -> Vectors | None:
        return self._embedder.embed([piece.meaning for piece in pieces]) if self._embedder else None

    def _content_hash(self, workspace: WorkspaceId, path: Path) -> bytes:
        """Of what the passages depend on. A pipe is no file: it would be read without end."""
        if not path.is_file():
            raise DocumentUnreadable(f"{path} is not there, or no file.")
        if path.stat().st_size > self._limits.file_bytes:
            # Its reader says how large it may be.
            return b""
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise DocumentUnreadable(f"{path} cannot be read ({error.strerror}).") from None
        return self._sources.content_hash(workspace, _EDITION, path.suffix.lower(), digest)


def _check_role(least_role: str) -> None:
    if least_role not in ROLES:
        raise KnowledgeError(f"No role named {least_role!r}. There are: {', '.join(ROLES)}.")


def _files(path: Path, name: str | None, report: Report) -> Iterator[_File]:
    """The file itself; or of a folder what can be read, by name. Links are not followed: they may lead anywhere."""
    if not path.is_dir():
        yield _File(path, name or path.name, None, str(path.resolve()))
        return
    folder = name or path.resolve().name
    count = 0
    for place, folders, files in os.walk(path, onerror=lambda error: report.refused.append(_unlistable(error))):
        folders[:] = sorted(one for one in folders if not one.startswith("."))
        for file in sorted(one for one in files if not one.startswith(".")):
            found = Path(place) / file
            if found.suffix.lower() not in SUFFIXES or found.is_symlink():
                report.warnings.append(f"{found.relative_to(path)}: left out, of a kind that is not read, or a link")
                continue
            count += 1
            if count > _MOST_FILES:
                raise DocumentError(f"{path} holds more than {_MOST_FILES} documents. Take it in folder by folder.")
            yield _File(found, f"{folder}/{found.relative_to(path).as_posix()}", folder, str(found.resolve()))


def _unlistable(error: OSError) -> str:
    return f"{error.filename} cannot be listed ({error.strerror})."
