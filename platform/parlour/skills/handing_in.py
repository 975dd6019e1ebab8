"""Skills handed in from afar, through a page or the API: shown first, and installed only as they were shown.

Whoever asks stands before another machine. So a path of this one is no source, and neither is git over ssh, which
would speak with this machine's own keys.
"""

import hashlib
import re
import secrets
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from parlour.skills.errors import InstallRefused, OfferChanged
from parlour.skills.installing import Offer
from parlour.skills.package import Package
from parlour.skills.service import SkillBook
from parlour.skills.views import SkillView

LARGEST_UPLOAD_BYTES: Final = 20_000_000
_KEPT_S: Final = 3_600
_TOKEN: Final = re.compile(r"upload:([0-9a-f]{32})")
_FILE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]{0,199}\.(whl|tar\.gz|tgz)")
_FROM_INDEX: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9.!+-]+")


@dataclass(frozen=True, slots=True)
class Proposal:
    """What would be installed. `source` and `digest` are handed back by who agrees to exactly that."""

    source: str
    digest: str
    offer: Offer


class Counter:
    """Where skills are handed in. Uploads lie below `root`, apart for each workspace, for an hour at most."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def take(self, book: SkillBook, name: str, content: bytes) -> str:
        """Keep an uploaded file, and return the source that names it. Raises `InstallRefused`."""
        if len(content) > LARGEST_UPLOAD_BYTES:
            raise InstallRefused(f"The file is larger than {LARGEST_UPLOAD_BYTES:,} bytes. Leave data out of it.")
        if not _FILE.fullmatch(name):
            raise InstallRefused(
                "The file is no .whl and no .tar.gz, or has a strange name. Upload it as it was built."
            )
        self._sweep()
        token = secrets.token_hex(16)
        place = self._place(book, token)
        place.mkdir(mode=0o700, parents=True)
        (place / name).write_bytes(content)
        return f"upload:{token}"

    def propose(self, book: SkillBook, source: str, *, upgrading: str | None = None) -> Proposal:
        """What `source` holds, for a new skill or as another version of one. Nothing of it runs.

        Raises `InstallRefused`, and for an upgrade `NoSuchSkill`, `BadSettings`.
        """
        is_own = upgrading is not None and source == book.get(upgrading).source
        # Where it came from was chosen at the command line, or checked here before.
        place = source if is_own else self._located(book, source)
        offer = book.offer_new(place) if upgrading is None else book.offer_upgrade(upgrading, place)
        if isinstance(place, Path):
            # Where it lies is of no use later, and no operator's business.
            offer = replace(offer, package=replace(offer.package, source=""))
        return Proposal(source, _digest(offer.package), offer)

    def accept(
        self, book: SkillBook, source: str, *, digest: str, granted: frozenset[str], upgrading: str | None = None
    ) -> SkillView:
        """Install what was shown under that digest, with what was granted.

        Raises `OfferChanged` where `source` holds something else by now, `GrantsMissing`, and what `propose` does.
        """
        proposal = self._same(book, source, digest, upgrading)
        skill = book.install(proposal.offer, granted=sorted(granted))
        self.forget(book, source)
        return skill

    def try_out(self, book: SkillBook, source: str, *, digest: str, upgrading: str) -> Proposal:
        """Build and start once what was shown, and change nothing. Raises as `accept`, and `InstallRefused`."""
        proposal = self._same(book, source, digest, upgrading)
        book.try_out(proposal.offer)
        return proposal

    def forget(self, book: SkillBook, source: str) -> None:
        """Delete an upload; harmless for any other source."""
        if found := _TOKEN.fullmatch(source):
            shutil.rmtree(self._place(book, found[1]), ignore_errors=True)

    def _same(self, book: SkillBook, source: str, digest: str, upgrading: str | None) -> Proposal:
        proposal = self.propose(book, source, upgrading=upgrading)
        if not secrets.compare_digest(proposal.digest.encode(), digest.encode()):
            raise OfferChanged("What was shown is not what is there now. Look at it again.")
        return proposal

    def _located(self, book: SkillBook, source: str) -> Path | str:
        if found := _TOKEN.fullmatch(source):
            files = list(self._place(book, found[1]).glob("*"))
            if len(files) != 1:
                raise InstallRefused("The upload is not there any more. Upload the file again.")
            return files[0]
        if source.startswith(("git+https://", "https://")) or _FROM_INDEX.fullmatch(source):
            return source
        raise InstallRefused(
            f"{source[:80]!r} is no source here. Upload a file, or give https://….whl#sha256=…, git+https://… or "
            "NAME==VERSION."
        )

    def _place(self, book: SkillBook, token: str) -> Path:
        return self._root / str(book.workspace_id) / token

    def _sweep(self) -> None:
        """Delete uploads that nobody agreed to in time."""
        now = time.time()
        for place in self._root.glob("*/*"):
            if now - place.stat().st_mtime > _KEPT_S:
                shutil.rmtree(place, ignore_errors=True)


def _digest(package: Package) -> str:
    """Over all that is installed: its files, and what it needs besides."""
    return hashlib.sha256("\n".join([package.digest, *package.requirements]).encode()).hexdigest()
