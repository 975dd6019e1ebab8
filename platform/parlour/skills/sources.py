"""Where skills come from: a folder, a wheel (here or at an address), an sdist, a git address, a package of an index.

Nothing of them is run here.

An sdist and a repository are unpacked as they are, like a folder: a skill's manifest is frozen in its sources, so that
mostly no build is needed to know what it is (`building` has the others).
"""

import gzip
import hashlib
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from parlour.sdk.errors import CapabilityError
from parlour.skills.errors import InstallRefused
from parlour.skills.http import SkillHttp

GIT_TIMEOUT_S: Final = 120.0
_INDEX_TIMEOUT_S: Final = 120.0
_KINDS: Final = "Give a folder, a .whl, a .tar.gz, https://….whl#sha256=…, git+https://… or NAME==VERSION."
_WHEEL_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]{0,199}\.whl")
_SHA256: Final = re.compile(r"sha256=([0-9a-fA-F]{64})")
_LARGEST_BYTES: Final = 100_000_000
_MOST_MEMBERS: Final = 10_000
_LONGEST: Final = 500
_PACKAGE: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?(==[A-Za-z0-9.!+-]+)?")
_REF: Final = re.compile(r"[A-Za-z0-9][\w./-]*")
# No hooks, no filters, no helpers that run programs, no other transports than these; a slow server is given up.
_GIT: Final = (
    "git", "-c", "core.hooksPath=/dev/null", "-c", "core.symlinks=false", "-c", "core.fsmonitor=false",
    "-c", "protocol.allow=never", "-c", "protocol.https.allow=always", "-c", "protocol.ssh.allow=always",
    "-c", "protocol.file.allow=always", "-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=20",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fetched:
    """A folder or wheel on this machine, where it came from in words, and what pins that place to this content."""

    path: Path
    source: str
    pin: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def fetched(source: str, *, git_timeout_s: float = GIT_TIMEOUT_S, http: SkillHttp | None = None) -> Iterator[Fetched]:
    """The skill that `source` names, for as long as the block lasts. Raises `InstallRefused`."""
    if len(source) > _LONGEST:
        raise InstallRefused(f"The source is longer than {_LONGEST} characters. Give a shorter path or address.")
    with tempfile.TemporaryDirectory(prefix="parlour-skill-") as made:
        if source.startswith(("https://", "http://")) and not source.endswith(".git"):
            yield _from_address(source, Path(made), http or SkillHttp(largest_bytes=_LARGEST_BYTES))
        else:
            yield _fetch(source, Path(made), git_timeout_s)


def _fetch(source: str, folder: Path, git_timeout_s: float) -> Fetched:
    if source.startswith("git+") or source.endswith(".git"):
        return _from_git(source, folder, git_timeout_s)
    path = Path(source)
    if path.is_file() and source.endswith((".tar.gz", ".tgz")):
        return Fetched(_unpacked(path, folder), str(path.resolve()), {"sha256": _sha256(path)})
    if path.exists():
        pin = {"sha256": _sha256(path)} if path.is_file() else {}
        return Fetched(path, str(path.resolve()), pin)
    if "/" in source or source.endswith((".whl", ".gz", ".tgz")):
        raise InstallRefused(f"{source} is not there. {_KINDS}")
    if not _PACKAGE.fullmatch(source):
        raise InstallRefused(f"{source[:80]!r} is no folder, file, address or package. {_KINDS}")
    return _from_index(source, folder)


def _sha256(path: Path) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


# ---- a wheel at an address --------------------------------------------------------------------------------------


def _from_address(source: str, folder: Path, http: SkillHttp) -> Fetched:
    """A wheel of any public server: `https://example.org/greenhouse-1.0-py3-none-any.whl#sha256=…`.

    The hash stands in the address, since nothing else tells whether what comes is what was meant, now and later.
    """
    url, _, fragment = source.partition("#")
    name = unquote(url.partition("?")[0].rpartition("/")[2])
    told, wanted = _shown(url), _SHA256.fullmatch(fragment)
    if not _WHEEL_NAME.fullmatch(name):
        raise InstallRefused(f"{told} is the address of no wheel. {_KINDS}")
    if wanted is None:
        raise InstallRefused(f"{told} needs its hash behind it: #sha256=… Its publisher tells it, or: sha256sum FILE")
    try:
        answer = http.fetch(url)
    except CapabilityError as error:
        raise InstallRefused(f"{told} could not be fetched: {error} Download it yourself and give the file.") from None
    if answer["status"] != HTTPStatus.OK:
        raise InstallRefused(f"{told} could not be fetched: the server answered {answer['status']}.")
    found = hashlib.sha256(answer["body"]).hexdigest()
    if found != wanted[1].lower():
        raise InstallRefused(f"{told} is not what its hash says: it has sha256 {found}. Nothing was changed.")
    path = folder / name
    path.write_bytes(answer["body"])
    # What follows a question mark may be a signature that lets in whoever has it: it is not kept.
    kept = url.partition("?")[0]
    return Fetched(path, f"{kept}#{fragment}", {"url": kept, "sha256": found})


def _shown(url: str) -> str:
    """The address without what may be a password or a token."""
    try:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.hostname or ''}{parts.path}"[:200]
    except ValueError:
        return "The address"


# ---- sdist ------------------------------------------------------------------------------------------------------


def _unpacked(path: Path, folder: Path) -> Path:
    """The sdist's one folder. Links, devices and whatever would not stay in it are refused before anything is read."""
    place = folder / "sdist"
    try:
        with _Bounded(path) as opened, tarfile.open(fileobj=opened, mode="r|") as archive:
            for member in _members(archive, path):
                archive.extract(member, place, filter="data")
    except (tarfile.TarError, zlib.error, OSError, EOFError, ValueError) as error:
        problem = type(error).__name__
        raise InstallRefused(
            f"{path} is not an sdist, or holds what would not stay in its folder ({problem})."
        ) from None
    tops = list(place.iterdir()) if place.exists() else []
    if len(tops) != 1 or not tops[0].is_dir():
        raise InstallRefused(f"{path} is not an sdist: it holds no one folder with everything in it.")
    return tops[0]


class _Bounded(gzip.GzipFile):
    """The archive's bytes as they unfold, up to a limit: a name or a header may unfold to any size too."""

    left = _LARGEST_BYTES + _MOST_MEMBERS * tarfile.BLOCKSIZE * 4

    def read(self, size: int | None = -1) -> bytes:
        """The next bytes. Raises `InstallRefused` past the limit."""
        got = super().read(size)
        self.left -= len(got)
        if self.left < 0:
            raise _too_large(Path(str(self.name)))
        return got


def _too_large(path: Path) -> InstallRefused:
    return InstallRefused(f"{path} is larger than {_LARGEST_BYTES:,} bytes or {_MOST_MEMBERS:,} files.")


def _members(archive: tarfile.TarFile, path: Path) -> Iterator[tarfile.TarInfo]:
    total = 0
    seen: set[str] = set()
    for number, member in enumerate(archive):
        total += member.size
        if number >= _MOST_MEMBERS or total > _LARGEST_BYTES:
            raise _too_large(path)
        if not (member.isfile() or member.isdir()):
            raise InstallRefused(f"{path} holds {member.name[:80]!r}, a link or device. Put the file itself there.")
        if member.name.startswith("/") or ".." in member.name.split("/"):
            raise InstallRefused(f"{path} holds {member.name[:80]!r}, which would not stay in its folder.")
        if member.isfile() and member.name in seen:
            raise InstallRefused(f"{path} holds {member.name[:80]!r} twice. Build it anew.")
        seen.add(member.name)
        yield member


# ---- git --------------------------------------------------------------------------------------------------------


def _from_git(source: str, folder: Path, timeout_s: float) -> Fetched:
    """A branch, tag or commit: `git+https://host/path.git@v1.2#subdirectory=plugins/one`."""
    address, _, fragment = source.removeprefix("git+").partition("#")
    # An @ before the path belongs to the host: ssh://git@host/path
    host, slash, path = address.partition("://")[2].partition("/")
    path, _, ref = path.rpartition("@") if "@" in path else (path, "", "HEAD")
    url = f"{address.partition('://')[0]}://{host}{slash}{path}"
    _check_address(url, ref)
    place = folder / "git"
    place.mkdir()
    fetch = ["fetch", "--quiet", "--depth", "1", "--no-tags", "--no-recurse-submodules"]
    _git(place, ["init", "--quiet"], url, timeout_s)
    _git(place, [*fetch, "--", url, ref], url, timeout_s)
    commit = _git(place, ["rev-parse", "FETCH_HEAD"], url, timeout_s).strip()
    _git(place, ["checkout", "--quiet", "--detach", commit], url, timeout_s)
    inside = fragment.removeprefix("subdirectory=") if fragment else ""
    chosen = (place / inside).resolve()
    if not chosen.is_relative_to(place.resolve()) or not chosen.is_dir():
        raise InstallRefused(f"{url} has no folder {inside[:80]!r}. Name one that is there: #subdirectory=plugins/one")
    return Fetched(chosen, source, {"git": url, "commit": commit})


def _check_address(url: str, ref: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in {"https", "ssh", "file"} or (parts.scheme != "file" and not parts.hostname):
        raise InstallRefused("A git address begins with git+https://, git+ssh:// or git+file://.")
    if parts.password is not None or (parts.scheme == "https" and parts.username is not None):
        raise InstallRefused("A git address holds no name or password: it is kept. Use ssh, or clone it yourself.")
    if not _REF.fullmatch(ref) or ".." in ref:
        raise InstallRefused(f"{ref[:80]!r} is no branch, tag or commit. Write git+https://host/path.git@v1.2")


def _git(place: Path, arguments: list[str], url: str, timeout_s: float) -> str:
    try:
        done = subprocess.run(  # noqa: S603 (arguments are checked, and stand behind --)
            [*_GIT, "-C", str(place), *arguments],
            capture_output=True, text=True, errors="replace", check=False, timeout=timeout_s,
            stdin=subprocess.DEVNULL, env=_environment(place),
        )  # fmt: skip
    except FileNotFoundError:
        raise InstallRefused("git is not installed. Install it, or give a folder, wheel or sdist.") from None
    except subprocess.TimeoutExpired:
        raise InstallRefused(f"{url} did not answer within {timeout_s:g} s. Nothing was changed.") from None
    if done.returncode != 0:
        reason = next((line for line in done.stderr.splitlines() if line.startswith(("fatal", "error"))), "git failed")
        raise InstallRefused(f"{url} could not be fetched: {reason[:200]}. Nothing was changed.")
    return done.stdout


def _environment(home: Path) -> dict[str, str]:
    """Nobody's git configuration, no questions, and nothing of Parlour's own environment, which holds secrets."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(home),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o ConnectTimeout=20",
    }


# ---- an index ---------------------------------------------------------------------------------------------------


def _from_index(requirement: str, folder: Path) -> Fetched:
    """The package's wheel. An sdist of an index is not taken: pip would run its code to read its name."""
    place = folder / "index"
    command = [sys.executable, "-I", "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary", ":all:", "--retries", "1", "--timeout", "15", "--dest", str(place)]
    try:
        done = subprocess.run(  # noqa: S603 (our interpreter; the requirement is checked to be a name)
            [*command, "--", requirement],
            capture_output=True, text=True, errors="replace", check=False, timeout=_INDEX_TIMEOUT_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise InstallRefused(f"The package index did not answer within {_INDEX_TIMEOUT_S:g} s. Try again.") from None
    wheels = list(place.glob("*.whl")) if place.exists() else []
    if done.returncode != 0 or len(wheels) != 1:
        remedy = (
            "Check the name, the version and the network; a package without a wheel: download and give its .tar.gz."
        )
        raise InstallRefused(f"The package index has no wheel for {requirement!r}, or was not reached. {remedy}")
    return Fetched(wheels[0], requirement, {"package": requirement, "sha256": _sha256(wheels[0])})
