"""The search for plaintext finds it: a search that cannot find anything would prove nothing."""

import base64
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.support.leaks import find_bytes

MARKER = "Käse-öffne-dich-芝麻开门"
OTHER = "a-marker-that-is-nowhere"


@pytest.mark.parametrize(
    "content",
    [
        MARKER.encode(),
        MARKER.encode("utf-16-le"),
        MARKER.encode("utf-16-be"),
        MARKER.encode().hex().encode(),
        MARKER.encode().hex().upper().encode(),
        json.dumps({"text": MARKER}).encode(),
        repr(MARKER.encode()).encode(),
        quote(MARKER).encode(),
        *(base64.b64encode(b"x" * shift + MARKER.encode() + b"y") for shift in range(4)),
        *(base64.urlsafe_b64encode(b"x" * shift + MARKER.encode() + b"y") for shift in range(4)),
    ],
)
def test_a_marker_is_found_in_every_form(content: bytes) -> None:
    found = find_bytes([OTHER, MARKER], b"\0\xff before " + content + b" after \0")

    assert {leak.marker for leak in found} == {MARKER}


def test_other_bytes_are_no_leak() -> None:
    assert find_bytes([MARKER, OTHER], bytes(range(256)) * 50, b"") == []


def test_files_are_searched_in_all_folders_and_so_are_their_names(tmp_path: Path) -> None:
    (tmp_path / "deep" / "down").mkdir(parents=True)
    (tmp_path / "deep" / "down" / "log").write_text(f"said {MARKER}")
    (tmp_path / f"{OTHER}.txt").touch()

    found = find_bytes([MARKER, OTHER], tmp_path)

    assert {(leak.marker, Path(leak.place).name) for leak in found} == {(MARKER, "log"), (OTHER, f"{OTHER}.txt")}


def test_a_row_that_is_only_in_the_write_ahead_log_is_found(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE t (a TEXT)")
        connection.execute("INSERT INTO t VALUES (?)", [MARKER])

        found = find_bytes([MARKER], f"sqlite:///{path}")

    assert {leak.place for leak in found} == {f"{path}-wal", f"{path}: t"}


def test_a_deleted_row_is_found_while_its_page_still_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA secure_delete = OFF")
        connection.execute("CREATE TABLE t (a TEXT)")
        connection.execute("INSERT INTO t VALUES (?)", [MARKER])
        connection.execute("DELETE FROM t")

    assert [leak.place for leak in find_bytes([MARKER], f"sqlite:///{path}")] == [str(path)]


def test_a_value_that_is_spread_over_pages_is_found(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    value = "-".join([MARKER * 400])
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE t (a BLOB)")
        connection.execute("INSERT INTO t VALUES (?)", [value.encode()])

    found = find_bytes([value], f"sqlite:///{path}")

    assert {leak.place for leak in found} == {f"{path}: t"}


@pytest.mark.parametrize("place", [Path("/nowhere"), "sqlite:////nowhere/x.sqlite", "ftp://x"])
def test_a_place_that_is_not_there_is_an_error(place: Path | str) -> None:
    with pytest.raises(ValueError, match="search"):
        find_bytes([MARKER], place)


def test_a_marker_too_short_to_mean_anything_is_an_error() -> None:
    with pytest.raises(ValueError, match="too short"):
        find_bytes(["ab"], b"")
