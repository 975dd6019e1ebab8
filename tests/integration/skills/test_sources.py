"""Where skills come from, and what is refused there before anything is changed."""

import contextlib
import gzip
import hashlib
import io
import socket
import subprocess
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parlour.skills.authoring import new_skill
from parlour.skills.errors import InstallRefused
from parlour.skills.http import SkillHttp
from parlour.skills.package import read_package
from parlour.skills.sources import fetched


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("made")
    new_skill(made, "notes")
    return made / "notes"


@pytest.fixture(scope="module")
def repository(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The skill below `plugins/notes` of a repository with a tag, and a hook that must not run."""
    place = tmp_path_factory.mktemp("repository")
    (place / "plugins").mkdir()
    subprocess.run(["cp", "-r", str(folder), str(place / "plugins" / "notes")], check=True)
    who = ["-c", "user.name=Author", "-c", "user.email=author@example.org"]
    for command in (["init", "-q"], ["add", "-A"], [*who, "commit", "-qm", "One"], [*who, "tag", "v1.0"]):
        subprocess.run(["git", "-C", str(place), *command], check=True)
    return place


def _names(source: str) -> str:
    with fetched(source) as there:
        return read_package(there.path).manifest.name


def _sdist(path: Path, *members: tuple[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def test_a_folder_is_taken_as_it_is(folder: Path) -> None:
    with fetched(str(folder)) as there:
        assert (there.path, there.source, there.pin) == (folder, str(folder), {})


def test_an_sdist_is_unpacked_and_pinned_by_its_hash(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "notes-0.1.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(folder, "notes-0.1.0")

    with fetched(str(path)) as there:
        assert read_package(there.path).manifest.name == "notes"
        assert len(there.pin["sha256"]) == 64
        unpacked = there.path

    assert not unpacked.exists()


@pytest.mark.parametrize("name", ["../climbs", "notes/../../climbs", "/tmp/absolute"])
def test_an_sdist_whose_path_climbs_out_is_refused(tmp_path: Path, name: str) -> None:
    path = _sdist(tmp_path / "bad.tar.gz", ("notes/pyproject.toml", b""), (name, b"x"))

    with pytest.raises(InstallRefused, match="would not stay in its folder"), fetched(str(path)):
        pass

    assert not (tmp_path / "climbs").exists()


def test_an_sdist_with_a_link_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        link = tarfile.TarInfo("notes/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)

    with pytest.raises(InstallRefused, match="a link or device"), fetched(str(path)):
        pass


def test_an_sdist_with_a_name_twice_is_refused(tmp_path: Path) -> None:
    path = _sdist(tmp_path / "bad.tar.gz", ("notes/pyproject.toml", b"one"), ("notes/pyproject.toml", b"two"))

    with pytest.raises(InstallRefused, match="twice"), fetched(str(path)):
        pass


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.REGTYPE])
def test_an_sdist_that_unfolds_to_any_size_is_refused(tmp_path: Path, kind: bytes) -> None:
    """Whatever unfolds: a file, or a header that is read before any file is seen."""
    path = tmp_path / "bomb.tar.gz"
    info = tarfile.TarInfo("notes/bomb")
    info.type, info.size = kind, 400_000_000
    with gzip.open(path, "wb", compresslevel=1) as opened:
        opened.write(info.tobuf(tarfile.GNU_FORMAT))
        for _ in range(400):
            opened.write(bytes(1_000_000))

    with pytest.raises(InstallRefused, match="larger than"), fetched(str(path)):
        pass


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_sdist_is_unpacked_or_refused_and_nothing_else(tmp_path: Path, data: st.DataObject) -> None:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("notes/pyproject.toml"))
    content = bytearray(plain.getvalue())
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, 1_023))] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged.tar.gz"
    packed = gzip.compress(bytes(content))
    path.write_bytes(packed[: data.draw(st.integers(0, len(packed)))] if data.draw(st.booleans()) else packed)

    with contextlib.suppress(InstallRefused), fetched(str(path)):
        pass


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.tar.gz"
    path.write_bytes(b"no archive")

    with pytest.raises(InstallRefused, match="not an sdist"), fetched(str(path)):
        pass


@pytest.mark.parametrize("ref", ["", "@v1.0"])
def test_a_repository_is_read_at_a_tag_and_pinned_by_its_commit(repository: Path, ref: str) -> None:
    with fetched(f"git+file://{repository}{ref}#subdirectory=plugins/notes") as there:
        assert read_package(there.path).manifest.name == "notes"
        assert len(there.pin["commit"]) == 40


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("git+file://{repository}@v9", "could not be fetched"),
        ("git+file://{repository}#subdirectory=../..", "has no folder"),
        ("git+file://{repository}#subdirectory=nothing", "has no folder"),
        ("git+file:///nowhere/at/all", "could not be fetched"),
        ("git+ext::sh -c touch% /tmp/x", "begins with git"),
        ("git+https://user:secret@git.example/x.git", "holds no name or password"),
        ("git+https://git.example/x.git@--upload-pack=x", "is no branch, tag or commit"),
        ("./nowhere", "is not there"),
        ("no such thing", "is no folder, file, address or package"),
        ("x" * 501, "longer than 500"),
    ],
)
def test_what_cannot_be_had_is_one_clear_line(repository: Path, source: str, problem: str) -> None:
    with pytest.raises(InstallRefused, match=problem) as caught, fetched(source.format(repository=repository)):
        pass

    assert "secret" not in str(caught.value)


@pytest.fixture
def silent() -> Iterator[int]:
    """A server that takes connections and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_a_repository_that_hangs_is_given_up(silent: int) -> None:
    source = f"git+https://127.0.0.1:{silent}/x.git"

    with pytest.raises(InstallRefused, match=r"did not answer within 0.5 s"), fetched(source, git_timeout_s=0.5):
        pass


def test_without_a_network_an_index_is_told_so(monkeypatch: pytest.MonkeyPatch, silent: Callable[..., int]) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_NO_INDEX", "1")

    with pytest.raises(InstallRefused, match=r"has no wheel for 'parlour-notes==1.0', or was not reached"):
        _names("parlour-notes==1.0")


def test_a_package_of_an_index_is_pinned_by_its_hash(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a folder of wheels, which pip takes for an index."""
    info = "parlour_notes-0.1.0.dist-info"
    with zipfile.ZipFile(tmp_path / "parlour_notes-0.1.0-py3-none-any.whl", "w") as wheel:
        for path in (folder / "src" / "parlour_notes").glob("*.*"):
            wheel.write(path, f"parlour_notes/{path.name}")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: parlour-notes\nVersion: 0.1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/entry_points.txt", "[parlour.skills]\nnotes = parlour_notes:skill\n")
        wheel.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))

    with fetched("parlour-notes==0.1.0") as there:
        assert read_package(there.path).manifest.name == "notes"
        assert there.source == "parlour-notes==0.1.0"
        assert len(there.pin["sha256"]) == 64


# ---- a wheel at an address ----

WHEEL = "notes-0.1.0-py3-none-any.whl"


def _server(content: bytes) -> SkillHttp:
    """A public server with the wheel at /w/, and redirects; a name of it has a private address."""

    def answer(request: httpx.Request) -> httpx.Response:
        path, host = request.url.path, request.headers["host"]
        moves = {"/moved/": f"https://files.example.org/w/{WHEEL}", "/inside/": f"https://inside.example.org/w/{WHEEL}"}
        moves |= {"/local/": f"https://127.0.0.1/w/{WHEEL}", "/plain/": f"http://files.example.org/w/{WHEEL}"}
        for start, location in moves.items():
            if path.startswith(start):
                return httpx.Response(302, headers={"location": location})
        if path == "/round/" + WHEEL:
            return httpx.Response(302, headers={"location": f"https://{host}{path}"})
        return httpx.Response(200, content=content) if path.startswith("/w/") else httpx.Response(404)

    def find(host: str) -> list[str]:
        return ["10.0.0.7"] if host == "inside.example.org" else [host if host[0].isdigit() else "93.184.216.34"]

    return SkillHttp(transport=httpx.MockTransport(answer), find=find, largest_bytes=100_000)


@pytest.fixture(scope="module")
def wheel(folder: Path) -> bytes:
    """The skill as a wheel."""
    made = io.BytesIO()
    info = "notes-0.1.0.dist-info"
    with zipfile.ZipFile(made, "w") as archive:
        for path in sorted((folder / "src").rglob("*.*")):
            archive.writestr(str(path.relative_to(folder / "src")), path.read_bytes())
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: parlour-notes\nVersion: 0.1.0\n")
        archive.writestr(f"{info}/entry_points.txt", "[parlour.skills]\nnotes = parlour_notes:skill\n")
    return made.getvalue()


def test_the_signature_in_an_address_is_not_kept(wheel: bytes) -> None:
    fragment = f"sha256={hashlib.sha256(wheel).hexdigest()}"

    with fetched(f"https://files.example.org/w/{WHEEL}?sig=SECRET#{fragment}", http=_server(wheel)) as there:
        assert there.source == f"https://files.example.org/w/{WHEEL}#{fragment}"
        assert "SECRET" not in str(there.pin)


@pytest.mark.parametrize("way", ["w", "moved"])
def test_a_wheel_is_fetched_from_its_address_and_pinned_by_its_hash(wheel: bytes, way: str) -> None:
    digest = hashlib.sha256(wheel).hexdigest()
    source = f"https://files.example.org/{way}/{WHEEL}#sha256={digest.upper()}"

    with fetched(source, http=_server(wheel)) as there:
        package = read_package(there.path)

    assert (package.manifest.name, there.source) == ("notes", source)
    assert there.pin == {"url": source.partition("#")[0], "sha256": digest}
    assert not there.path.exists()


@pytest.mark.parametrize(
    ("address", "word"),
    [
        (f"https://files.example.org/w/{WHEEL}", "needs its hash behind it"),
        (f"https://files.example.org/w/{WHEEL}#md5=x", "needs its hash behind it"),
        (f"https://files.example.org/w/{WHEEL}#sha256={'0' * 64}", "is not what its hash says"),
        ("https://files.example.org/w/notes.tar.gz#sha256=HASH", "address of no wheel"),
        (f"https://files.example.org/gone/{WHEEL}#sha256=HASH", "answered 404"),
        (f"https://inside.example.org/w/{WHEEL}#sha256=HASH", "address that is not public"),
        (f"https://files.example.org/inside/{WHEEL}#sha256=HASH", "address that is not public"),
        (f"https://files.example.org/local/{WHEEL}#sha256=HASH", "was not granted|not public"),
        (f"https://files.example.org/plain/{WHEEL}#sha256=HASH", "Only https"),
        (f"https://files.example.org/round/{WHEEL}#sha256=HASH", "More than 5 redirects"),
        (f"https://files.example.org:8443/w/{WHEEL}#sha256=HASH", "Only https"),
        (f"https://user:SECRET@files.example.org/w/{WHEEL}#sha256=HASH", "Only https"),
        (f"http://files.example.org/w/{WHEEL}#sha256=HASH", "Only https"),
        ("https://files.example.org/w/%2e%2e%2f.whl#sha256=HASH", "address of no wheel"),
        (f"https://[/w/{WHEEL}#sha256=HASH", "."),
    ],
)
def test_an_address_that_leads_elsewhere_or_to_something_else_is_refused(wheel: bytes, address: str, word: str) -> None:
    source = address.replace("HASH", hashlib.sha256(wheel).hexdigest())

    with pytest.raises(InstallRefused, match=word) as told, fetched(source, http=_server(wheel)):
        pytest.fail("it was taken")

    assert "SECRET" not in str(told.value)


def test_a_wheel_without_end_is_not_gathered(wheel: bytes) -> None:
    source = f"https://files.example.org/w/{WHEEL}#sha256={'0' * 64}"

    with pytest.raises(InstallRefused, match="more than 100,000 bytes"), fetched(source, http=_server(b"x" * 200_000)):
        pytest.fail("it was taken")
