"""What `parlour up --demo` puts in: a small shop's documents, the skills that come along, their sample files."""

from collections.abc import Iterator
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from parlour.bootstrap import Platform
from parlour.sdk.replies import as_markdown
from parlour.settings import SettingsError
from parlour.skills.environment import Environments
from parlour.skills.errors import SkillError
from parlour.skills.inbox import open_inbox
from parlour.skills.package import read_package
from parlour.skills.service import SkillBook

_CHECKOUT: Final = Path(__file__).resolve().parents[3]
# What the folder of documents is called in `parlour kb list`.
FOLDER: Final = "shop"


def check_sample(checkout: Path = _CHECKOUT) -> Path:
    """The checkout that holds the sample. Raises `SettingsError` where Parlour was installed without one."""
    if not (checkout / "deploy" / "demo" / "knowledge").is_dir():
        raise SettingsError(
            "The sample is a part of the source checkout, which is not here. Start without --demo, or run: make demo"
        )
    return checkout


def put_in(parts: Platform, checkout: Path) -> Iterator[str]:
    """Put in what is not there yet, and tell it line by line. What cannot be had is told, and costs nothing else."""
    yield from _documents(parts, checkout / "deploy" / "demo" / "knowledge")
    book = parts.skills.book(parts.accounts.ensure_workspace())
    for project in sorted((checkout / "plugins").glob("*/pyproject.toml")):
        try:
            yield from _skill(parts, book, book.environments, project.parent)
        except SkillError as error:
            yield f"The skill in {project.parent.name} was left out: {error}"


def _documents(parts: Platform, folder: Path) -> Iterator[str]:
    if find_spec("numpy") is None:
        yield "The sample documents were left out; reading them needs: pip install 'parlour[knowledge]'"
        return
    report = parts.knowledge.library.add(parts.accounts.ensure_workspace(), folder, name=FOLDER)
    if new := len(report.added) + len(report.replaced):
        yield f"{new} sample documents are in, {report.passages} passages."


def _skill(parts: Platform, book: SkillBook, environments: Environments, folder: Path) -> Iterator[str]:
    """The skill, with all that it asks for, unless it is there as it is; its sample files when it is new."""
    package = read_package(folder)
    there = next((one for one in book.installed() if one.name == package.manifest.name), None)
    if there is not None and environments.holds(there.folder, package):
        return
    offer = book.offer(folder)
    skill = book.install(offer, granted=offer.new_grants)
    yield f"The skill {skill.name} {skill.version} is installed."
    if there is None:
        yield from _files(parts, book, skill.name, folder / "demo")


def _files(parts: Platform, book: SkillBook, name: str, folder: Path) -> Iterator[str]:
    """Each file is handed to the import that has its name."""
    with closing(
        open_inbox(database=parts.database, privacy=parts.privacy, retention=parts.retention, book=book)
    ) as inbox:
        for file in sorted(folder.glob("*.*")):
            for reply in inbox.take_in(book.workspace_id, name, file.stem, file):
                yield f"{name}, {file.stem}: {as_markdown(reply)}"
