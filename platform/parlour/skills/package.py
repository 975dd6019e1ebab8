"""Reading a skill from a folder or a wheel, without running anything of it."""

import configparser
import hashlib
import io
import lzma
import re
import stat
import tomllib
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.parser import HeaderParser
from pathlib import Path, PurePosixPath
from typing import Final

from parlour.sdk.errors import SkillMistake
from parlour.sdk.manifest import FILE, Manifest, from_json
from parlour.skills.errors import InstallRefused

GROUP: Final = "parlour.skills"
_LARGEST_BYTES: Final = 100_000_000
_MOST_FILES: Final = 5_000
# Of a project: what must stand in its file.
NEEDED: Final = frozenset({"version", "dependencies", "entry-points"})
_LONGEST_PART: Final = 255
_LONGEST_PATH: Final = 1_000
SKIPPED: Final = {"__pycache__", ".git", ".mypy_cache", ".ruff_cache", ".pytest_cache"}
# A name with versions and markers. No address: what an index does not have is not installed.
REQUIREMENT: Final = re.compile(r"[A-Za-z0-9][\w.-]*(\[[\w., -]+\])?\s*(\(?[\s\d\w.,*+!<>=~-]*\)?)?(;[^@]*)?")


@dataclass(frozen=True, slots=True)
class Package:
    """A skill that could be installed: its manifest, its files, and what else it needs from a package index."""

    manifest: Manifest
    files: Mapping[str, bytes]
    requirements: tuple[str, ...]
    source: str
    # What pins the place it came from to this content: a commit, a hash.
    pin: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """SHA-256 over all names and contents."""
        made = hashlib.sha256()
        for name, content in sorted(self.files.items()):
            made.update(f"{len(name)}:{name}{len(content)}:".encode())
            made.update(content)
        return made.hexdigest()


def read_package(source: Path) -> Package:
    """The skill in a folder or wheel. Raises `InstallRefused` for what is none or lies about itself."""
    if source.is_dir():
        return _checked(*_from_folder(source), source=str(source))
    if source.suffix == ".whl" and source.is_file():
        return _checked(*_from_wheel(source), source=str(source))
    raise InstallRefused(f"{source} is neither a folder nor a wheel. Give the skill's folder or its .whl file.")


@dataclass(frozen=True, slots=True)
class _Claims:
    """What a distribution says of itself."""

    version: str
    entry_points: Mapping[str, str]
    requirements: tuple[str, ...]


def _checked(claims: _Claims, files: Mapping[str, bytes], *, source: str) -> Package:
    if len(claims.entry_points) != 1:
        raise InstallRefused(f'{source} has {len(claims.entry_points)} entry points in "{GROUP}"; a skill has one.')
    (name, entry_point), *_ = claims.entry_points.items()
    package = entry_point.partition(":")[0].partition(".")[0]
    text = files.get(f"{package}/{FILE}")
    if text is None:
        raise InstallRefused(f"{source} has no {package}/{FILE}. Write it with: parlour skill check --freeze FOLDER")
    try:
        manifest = from_json(text)
    except SkillMistake as error:
        raise InstallRefused(f"{source}: {error}") from None
    said = {"name": (manifest.name, name), "version": (manifest.version, claims.version)}
    said["entry_point"] = (manifest.entry_point, entry_point)
    for what, (frozen, claimed) in said.items():
        if frozen != claimed:
            problem = f"{source}: {FILE} says {what} {frozen!r}, the package says {claimed!r}."
            raise InstallRefused(f"{problem} Freeze it anew with: parlour skill check --freeze FOLDER")
    for line in claims.requirements:
        if not REQUIREMENT.fullmatch(line):
            raise InstallRefused(f"{source} needs {line[:80]!r}. Name packages of an index, not addresses or options.")
    return Package(manifest, files, claims.requirements, source)


# ---- folder -----------------------------------------------------------------------------------------------------


def _from_folder(folder: Path) -> tuple[_Claims, dict[str, bytes]]:
    try:
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        _refuse_dynamic(folder, project.get("dynamic", ()))
        entry_points = project.get("entry-points", {}).get(GROUP, {})
        claims = _Claims(str(project["version"]), dict(entry_points), tuple(project.get("dependencies", ())))
    except FileNotFoundError:
        raise InstallRefused(f"{folder} has no pyproject.toml. Make a skill with: parlour skill new NAME") from None
    except (KeyError, TypeError, ValueError, AttributeError):
        raise InstallRefused(f"{folder}/pyproject.toml has no [project] with name and version.") from None
    root = folder / "src" if (folder / "src").is_dir() else folder
    packages = {str(point).partition(":")[0].partition(".")[0] for point in entry_points.values()}
    files = {name: content for package in packages for name, content in _folder_files(root, root / package)}
    return claims, files


def _refuse_dynamic(folder: Path, dynamic: Sequence[str]) -> None:
    """What only comes about by a build is not known here: a build would run the skill's own code."""
    if found := [name for name in dynamic if name in NEEDED]:
        remedy = "Build its wheel where its code may run (python -m build --wheel) and install that."
        raise InstallRefused(
            f"{folder.name}: {', '.join(found)} only come about by a build, which is not run. {remedy}"
        )


def _folder_files(root: Path, folder: Path) -> Iterator[tuple[str, bytes]]:
    total = number = 0
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(root)
        if SKIPPED & set(relative.parts) or path.is_dir():
            continue
        if path.is_symlink() or not path.is_file():
            raise InstallRefused(f"{relative} is a link or no plain file. Put the file itself there.")
        total, number = total + path.stat().st_size, number + 1
        _refuse_large(total, number)
        yield relative.as_posix(), path.read_bytes()


# ---- wheel ------------------------------------------------------------------------------------------------------


def _from_wheel(path: Path) -> tuple[_Claims, dict[str, bytes]]:
    try:
        with zipfile.ZipFile(path) as archive:
            files = dict(_wheel_files(archive))
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, RuntimeError, OSError, EOFError, ValueError):
        raise InstallRefused(f"{path} is not a wheel, or a damaged one.") from None
    if len({name.partition("/")[0] for name in files if _is_metadata(name)}) > 1:
        raise InstallRefused(f"{path} holds the metadata of several packages. A wheel has one; build it anew.")
    info = {name.rpartition("/")[2]: content for name, content in files.items() if _is_metadata(name)}
    try:
        metadata = HeaderParser().parsestr(info["METADATA"].decode("utf-8"))
        points = configparser.ConfigParser(delimiters=("=",), interpolation=None)
        points.read_string(info.get("entry_points.txt", b"").decode("utf-8"))
    except (KeyError, UnicodeDecodeError, configparser.Error):
        raise InstallRefused(f"{path} is a wheel without readable metadata.") from None
    entry_points = dict(points[GROUP]) if points.has_section(GROUP) else {}
    lines = [str(line) for line in metadata.get_all("Requires-Dist", [])]
    # What belongs to an extra is not asked for.
    requirements = tuple(line for line in lines if "extra ==" not in line)
    return _Claims(str(metadata.get("Version", "")), entry_points, requirements), files


def _wheel_files(archive: zipfile.ZipFile) -> Iterator[tuple[str, bytes]]:
    total = number = 0
    seen = _Seen()
    for member in archive.infolist():
        if member.is_dir():
            continue
        name = PurePosixPath(member.filename)
        kind = stat.S_IFMT(member.external_attr >> 16)
        is_outside = not name.parts or name.is_absolute() or ".." in name.parts or "\\" in member.filename
        if is_outside or kind not in {0, stat.S_IFREG}:
            raise InstallRefused(f"The wheel holds {member.filename[:80]!r}, which would not stay in its folder.")
        if name.parts[0].endswith(".data") or name.suffix == ".pth":
            raise InstallRefused(f"The wheel holds {member.filename[:80]!r}. A skill is a package, without scripts.")
        # The size that an archive announces may be a lie: no more than that is read.
        total, number = total + member.file_size, number + 1
        _refuse_large(total, number)
        _refuse_twice(name, seen)
        with archive.open(member) as opened:
            content = io.BytesIO(opened.read(member.file_size + 1)).getvalue()
        if len(content) != member.file_size:
            raise InstallRefused(f"The wheel lies about the size of {member.filename[:80]!r}.")
        yield str(name), content


@dataclass(frozen=True, slots=True)
class _Seen:
    """The names that an archive has shown so far."""

    files: set[PurePosixPath] = field(default_factory=set)
    folders: set[PurePosixPath] = field(default_factory=set)


def _refuse_twice(name: PurePosixPath, seen: _Seen) -> None:
    """A name that stands there twice shows one content to whoever checks and another to whoever runs it."""
    if max(len(part.encode()) for part in name.parts) > _LONGEST_PART or len(str(name).encode()) > _LONGEST_PATH:
        raise InstallRefused(f"The wheel holds {str(name)[:80]!r}…, a name that is too long for a file. Shorten it.")
    if name in seen.files or name in seen.folders or not seen.files.isdisjoint(name.parents):
        raise InstallRefused(f"The wheel holds {str(name)[:80]!r} twice, or as file and folder. Build it anew.")
    seen.files.add(name)
    seen.folders.update(name.parents)


def _is_metadata(name: str) -> bool:
    parts = name.split("/")
    return len(parts) == 2 and parts[0].endswith(".dist-info")  # noqa: PLR2004 (folder and file)


def _refuse_large(total: int, number: int) -> None:
    if total > _LARGEST_BYTES or number > _MOST_FILES:
        raise InstallRefused(
            f"It is larger than {_LARGEST_BYTES:,} bytes or {_MOST_FILES:,} files. Leave data out of it."
        )
