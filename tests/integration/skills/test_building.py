"""Skills that only a build tells of: built in a process that can do nothing else."""

import socket
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from parlour.skills.authoring import check, new_skill
from parlour.skills.building import built_wheel, needs_build
from parlour.skills.environment import Environments
from parlour.skills.errors import InstallRefused
from parlour.skills.package import read_package
from parlour.skills.service import SkillBook
from tests.support.storage import Storage

# A project's own backend (PEP 517, `backend-path`); the version only comes about by running it.
BACKEND = '''
import os
import shutil
import zipfile
from pathlib import Path


def build_wheel(folder, settings=None, metadata=None):
    """What setuptools does, in short: a copy into a folder of its own, with rights and times, then the archive."""
    before_build()
    version = ".".join(["0", "1", "0"])
    shutil.copytree("src", "build/lib")
    name = f"parlour_notes-{version}-py3-none-any.whl"
    info = f"parlour_notes-{version}.dist-info"
    with zipfile.ZipFile(Path(folder) / name, "w") as wheel:
        for path in sorted(Path("build/lib").rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                wheel.write(path, path.relative_to("build/lib").as_posix())
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\\nName: parlour-notes\\nVersion: {version}\\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{info}/entry_points.txt", "[parlour.skills]\\nnotes = parlour_notes:skill\\n")
    return name


def before_build():
    pass
'''
SYSTEM = '[build-system]\nrequires = [{requires}]\nbuild-backend = "own"\nbackend-path = ["."]\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A skill whose version is dynamic, with a backend of its own."""
    new_skill(tmp_path, "notes")
    folder = tmp_path / "notes"
    assert check(folder, is_freezing=True).problems == ()
    text = (folder / "pyproject.toml").read_text()
    text = text[text.index("[project]") :].replace('version = "0.1.0"', 'dynamic = ["version"]')
    (folder / "pyproject.toml").write_text(SYSTEM.format(requires="") + text)
    (folder / "own.py").write_text(BACKEND)
    return folder


def _hostile(project: Path, *lines: str) -> None:
    """Before it builds, it does this."""
    (project / "own.py").write_text(BACKEND + "\n\ndef before_build():\n" + "".join(f"    {line}\n" for line in lines))


def test_a_skill_whose_version_is_dynamic_is_built_and_installed(
    storage: Storage, project: Path, tmp_path: Path
) -> None:
    book = SkillBook(
        database=storage.database,
        privacy=storage.privacy,
        environments=Environments(tmp_path / "skills"),
        workspace_id=storage.workspace(),
        offered=frozenset({"Model", "UserStore"}),
    )
    sdist = tmp_path / "parlour_notes-0.1.0.tar.gz"
    with tarfile.open(sdist, "w:gz") as archive:
        archive.add(project, "parlour_notes-0.1.0")

    offer = book.offer(sdist)
    skill = book.install(offer, granted=offer.new_grants)

    assert needs_build(project)
    assert (skill.name, skill.version) == ("notes", "0.1.0")
    assert not (project / "build").exists()


def test_what_says_all_by_itself_is_not_built(tmp_path: Path) -> None:
    new_skill(tmp_path, "notes")

    assert not needs_build(tmp_path / "notes")
    assert not needs_build(tmp_path / "notes.whl")


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file beside the project, such as Parlour's own keys."""
    path = tmp_path / "secret"
    path.write_text("the key")
    return path


@pytest.fixture
def listening() -> Iterator[int]:
    """The port of a server on this machine."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize(
    "lines",
    [
        ["open({secret!r}).read()"],
        ["os.listdir({folder!r})"],
        ["open({folder!r} + '/made', 'w')"],
        ["open({secret!r}, 'a')"],
        ["os.remove({secret!r})"],
        ["os.rename({secret!r}, 'taken')"],
        ["os.link({secret!r}, 'taken')"],
        ["os.symlink({secret!r}, 'taken')", "open('taken').read()"],
        ["os.mkdir({folder!r} + '/made')"],
        ["open('/proc/' + str(os.getppid()) + '/environ').read()"],
        ["import socket", "socket.create_connection(('127.0.0.1', {port}))"],
        ["import subprocess", "subprocess.run(['/bin/true'])"],
        ["os.fork()"],
        ["os.kill(os.getppid(), 9)"],
        ["import ctypes", "assert ctypes.CDLL(None).chmod({secret!r}.encode(), 0o777) == 0"],
        ["open('much', 'wb').truncate(200_000_000)"],
        ["held = b'x' * 2_000_000_000"],
        ["import parlour.settings"],
    ],
    ids=lambda lines: lines[-1][:40],
)
def test_a_hostile_build_fails_at_what_it_tries(project: Path, secret: Path, listening: int, lines: list[str]) -> None:
    folder, rights = secret.parent, secret.stat().st_mode
    _hostile(project, *(line.format(secret=str(secret), folder=str(folder), port=listening) for line in lines))
    before = sorted(folder.iterdir())

    with pytest.raises(InstallRefused, match="could not be built, confined"), built_wheel(project):
        pass

    assert sorted(folder.iterdir()) == before
    assert (secret.read_text(), secret.stat().st_mode) == ("the key", rights)


def test_the_environment_of_parlour_is_not_the_builds(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLOUR_SECRET", "the key")
    _hostile(project, "raise SystemExit(','.join(sorted(os.environ)))")

    with pytest.raises(InstallRefused, match=r"confined: HOME,LC_CTYPE,PATH,TMPDIR\. Give"), built_wheel(project):
        pass


def test_a_build_that_hangs_is_ended(project: Path) -> None:
    _hostile(project, "while True: pass")

    with pytest.raises(InstallRefused, match=r"longer than 0\.5 s"), built_wheel(project, timeout_s=0.5):
        pass


def test_a_build_that_makes_no_wheel_or_only_a_link_to_one_is_refused(project: Path, secret: Path) -> None:
    (project / "own.py").write_text("def build_wheel(folder, *_): pass")
    with pytest.raises(InstallRefused, match="made no wheel"), built_wheel(project):
        pass

    (project / "own.py").write_text(
        f"import os\ndef build_wheel(folder, *_): os.symlink({str(secret)!r}, folder + '/a.whl')"
    )
    with pytest.raises(InstallRefused, match="made no wheel"), built_wheel(project):
        pass


def test_what_a_build_wants_beyond_what_it_names_is_told(project: Path) -> None:
    with (project / "own.py").open("a") as opened:
        opened.write("\n\ndef get_requires_for_build_wheel(settings=None):\n    return ['tried-need >= 1']\n")

    with pytest.raises(InstallRefused, match=r"wants more than it names: tried-need >= 1"), built_wheel(project):
        pass


def test_what_a_build_names_is_fetched_as_wheels_and_is_there(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = tmp_path / "index"
    index.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    info = "tried_need-1.0.dist-info"
    with zipfile.ZipFile(index / "tried_need-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tried_need.py", "")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tried-need\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    text = (project / "pyproject.toml").read_text()
    (project / "pyproject.toml").write_text(text.replace("requires = []", 'requires = ["tried-need>=1"]'))
    _hostile(project, "import tried_need")

    with built_wheel(project) as wheel_file:
        assert read_package(wheel_file).manifest.name == "notes"

    (project / "pyproject.toml").write_text(text.replace("requires = []", 'requires = ["tried-need>=2"]'))
    with pytest.raises(InstallRefused, match="could not be installed"), built_wheel(project):
        pass


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ("requires = []", 'requires = ["x @ https://example.org/x.whl"]', "Name packages of an index"),
        ('"own"', '"own; import os"', "is no build backend"),
        ('"own"', '"gone"', "No module named 'gone'"),
    ],
)
def test_what_no_build_can_be_made_of_is_refused(project: Path, before: str, after: str, problem: str) -> None:
    text = (project / "pyproject.toml").read_text()
    (project / "pyproject.toml").write_text(text.replace(before, after, 1))

    with pytest.raises(InstallRefused, match=problem), built_wheel(project):
        pass
