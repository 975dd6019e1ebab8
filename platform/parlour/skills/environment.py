"""A skill's virtual environment: made once from its files and wheels, named by its content, never changed."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from parlour.sdk.confine import Limits
from parlour.sdk.manifest import Manifest
from parlour.skills.errors import InstallRefused
from parlour.skills.package import Package
from parlour.skills.process import Launch
from parlour.skills.runtime import runtime

_PIP_TIMEOUT_S: Final = 600
_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.!+_-]*")


@dataclass(frozen=True, slots=True)
class Built:
    """What was installed: the folder's name, and every file or wheel in it by hash."""

    folder: str
    lock: str


class Environments:
    """The folders of all skills, below one."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def build(self, package: Package, *, lock: str = "") -> Built:
        """Install it, and what it needs, as wheels: no code of either runs. Raises `InstallRefused`.

        The same package is installed once; whoever comes second finds it there. Where it was built before, its `lock`
        says which wheels it gets: the same by hash, or none.
        """
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=self._root, prefix=".new-"))
        try:
            venv.create(made / "venv", with_pip=False, symlinks=True)
            site = _site(made)
            # What a stranger asks for never stands in a file that pip reads: there a line may be an option.
            pinned = made / "pinned.txt"
            pinned.write_text("\n".join(_locked(lock, package)), encoding="utf-8")
            wanted = ("-r", str(pinned)) if pinned.stat().st_size else ("--", *package.requirements)
            wheels = install_wheels(wanted, site) if package.requirements else []
            pinned.unlink()
            # The skill's own files last: a dependency cannot put itself in their place.
            for name, content in package.files.items():
                (site / name).parent.mkdir(parents=True, exist_ok=True)
                (site / name).write_bytes(content)
            origin = {"origin": dict(package.pin)} if package.pin else {}
            asked = {"skill": package.digest, "requires": list(package.requirements), **origin}
            lock = json.dumps({**asked, "wheels": wheels}, indent=2)
            (made / "lock.json").write_text(lock, encoding="utf-8")
            digest = hashlib.sha256(lock.encode()).hexdigest()[:16]
            folder = f"{package.manifest.name}-{digest}"
            _put(made, self._root / folder)
        finally:
            shutil.rmtree(made, ignore_errors=True)
        return Built(folder, lock)

    def launch(self, manifest: Manifest, folder: str, *, limits: Limits | None = None) -> Launch:
        """How a skill that was built there is started."""
        place = self._root / folder
        return Launch(
            manifest=manifest,
            python=place / "venv" / "bin" / "python",
            runtime=runtime(self._root),
            paths=(_site(place),),
            limits=limits or Limits(),
        )

    def holds(self, folder: str, package: Package) -> bool:
        """Whether that very package was built there."""
        try:
            lock = json.loads((self._root / folder / "lock.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return isinstance(lock, dict) and lock.get("skill") == package.digest

    def remove(self, folder: str) -> None:
        """Delete what was built there; harmless where there is nothing."""
        shutil.rmtree(self._root / folder, ignore_errors=True)


def _site(place: Path) -> Path:
    """The environment's folder for packages, the same before and after it is moved."""
    version = sysconfig.get_python_version()
    return place / "venv" / "lib" / f"python{version}" / "site-packages"


def _put(made: Path, place: Path) -> None:
    try:
        made.rename(place)
    except OSError:
        if not place.exists():
            raise


def _locked(lock: str, package: Package) -> list[str]:
    """The wheels of a lock as pip takes them, each by its hash; none where it is another package's lock."""
    known = json.loads(lock) if lock else {}
    if known.get("skill") != package.digest or known.get("requires") != list(package.requirements):
        return []
    wheels = [(str(one["name"]), str(one["version"]), str(one["sha256"])) for one in known["wheels"]]
    if not all(_WORD.fullmatch(word) for wheel in wheels for word in wheel):
        raise InstallRefused(f"The lock of {package.manifest.name} is damaged. Remove the skill and install it anew.")
    # One hash among them makes pip demand one of every wheel.
    return [f"{name}=={version} --hash=sha256:{sha256}" for name, version, sha256 in wheels]


def install_wheels(wanted: tuple[str, ...], site: Path) -> list[dict[str, str]]:
    """Fetch and unpack wheels; what was installed, by name, version and hash.

    Wheels only: building a source distribution would run its code outside of any confinement.
    """
    report = site / ".report.json"
    command = [sys.executable, "-I", "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]
    command += ["--only-binary", ":all:", "--target", str(site), "--report", str(report), "--no-compile"]
    try:
        done = subprocess.run(  # noqa: S603 (our interpreter; requirements are checked to be no options)
            [*command, *wanted], capture_output=True, text=True, check=False, timeout=_PIP_TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        raise InstallRefused(f"The package index did not answer within {_PIP_TIMEOUT_S} s. Try again later.") from None
    if done.returncode != 0:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        reason = errors[-1].removeprefix("ERROR: ") if errors else "pip failed"
        raise InstallRefused(f"What the skill needs could not be installed: {reason[:300]}")
    installed = json.loads(report.read_text(encoding="utf-8"))["install"]
    report.unlink()
    return sorted((_pinned(one) for one in installed), key=lambda one: one["name"])


def _pinned(one: dict[str, dict[str, dict[str, dict[str, str]]]]) -> dict[str, str]:
    sha256 = one["download_info"].get("archive_info", {}).get("hashes", {}).get("sha256", "")
    return {"name": str(one["metadata"]["name"]), "version": str(one["metadata"]["version"]), "sha256": sha256}
