"""The key file: made once, read only when it is sound and private."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Barrier

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parlour.privacy.errors import KeyFileError, KeyStoreError
from parlour.privacy.keys import FileKeys, MasterKeys, create_key_file, read_key_file

# The file is written anew for every example.
SHARED_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "master.key"


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(content)


# ---- making it --------------------------------------------------------------------------------------------------


def test_a_new_file_is_for_its_owner_alone_and_leaves_no_draft(path: Path) -> None:
    create_key_file(path)

    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert [file.name for file in path.parent.iterdir()] == ["master.key"]


def test_what_was_made_is_read_again(path: Path) -> None:
    made = create_key_file(path)

    assert read_key_file(path) == made


def test_a_file_that_is_there_is_never_replaced(path: Path) -> None:
    first = create_key_file(path)

    assert create_key_file(path) == first


def test_many_that_make_it_at_once_end_with_one_key(path: Path) -> None:
    start = Barrier(8)

    def make(_: int) -> str:
        start.wait(timeout=60)
        return create_key_file(path).current

    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(make, range(8)))

    assert len(found) == 1
    assert [file.name for file in path.parent.iterdir()] == ["master.key"]


def test_every_new_file_holds_another_key(tmp_path: Path) -> None:
    assert create_key_file(tmp_path / "a").current != create_key_file(tmp_path / "b").current


def test_a_folder_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(KeyFileError, match="cannot be created"):
        create_key_file(tmp_path / "file" / "master.key")


# ---- reading it -------------------------------------------------------------------------------------------------


def test_a_missing_file_is_no_keys(path: Path) -> None:
    assert read_key_file(path) is None


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o700 | 0o001])
def test_a_file_open_to_others_is_refused_with_the_command_to_close_it(path: Path, mode: int) -> None:
    create_key_file(path)
    path.chmod(mode)

    with pytest.raises(KeyFileError, match=r"chmod 600 .*master\.key"):
        read_key_file(path)


def test_a_file_that_only_its_owner_reads_is_fine(path: Path) -> None:
    made = create_key_file(path)
    path.chmod(0o400)

    assert read_key_file(path) == made


def test_a_file_of_another_user_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create_key_file(path)
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)

    with pytest.raises(KeyFileError, match="belongs to another user"):
        read_key_file(path)


def test_a_folder_in_its_place_is_refused(path: Path) -> None:
    path.mkdir(parents=True)

    with pytest.raises(KeyFileError, match="cannot be read"):
        read_key_file(path)


def test_a_pipe_in_its_place_is_refused(path: Path) -> None:
    with pytest.raises(KeyFileError, match="not a plain file"):
        read_key_file(Path("/dev/null"))


def test_a_file_of_a_newer_version_says_so(path: Path) -> None:
    create_key_file(path)
    content = json.loads(path.read_text())
    _put(path, json.dumps({**content, "version": 2}).encode())

    with pytest.raises(KeyFileError, match="newer Parlour"):
        read_key_file(path)


@SHARED_FOLDER
@given(st.data())
def test_a_file_cut_short_anywhere_is_refused(path: Path, data: st.DataObject) -> None:
    create_key_file(path)
    content = path.read_bytes().rstrip()
    _put(path, content[: data.draw(st.integers(0, len(content) - 1))])

    with pytest.raises(KeyFileError, match="damaged or cut short"):
        read_key_file(path)
    path.unlink()


@SHARED_FOLDER
@given(st.data())
def test_a_flipped_bit_is_noticed_or_means_nothing(path: Path, data: st.DataObject) -> None:
    made = create_key_file(path)
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    _put(path, bytes(content))

    with suppress(KeyFileError):
        assert read_key_file(path) == made
    path.unlink()


@SHARED_FOLDER
@given(
    st.binary(max_size=400) | st.recursive(st.text() | st.integers(), st.lists).map(lambda v: json.dumps(v).encode())
)
def test_anything_else_in_the_file_is_refused(path: Path, content: bytes) -> None:
    _put(path, content)

    with pytest.raises(KeyFileError, match="damaged or cut short"):
        read_key_file(path)


# ---- wrapping ---------------------------------------------------------------------------------------------------


def test_a_wrapped_key_unwraps_only_where_it_was_bound() -> None:
    provider = FileKeys(MasterKeys.generate())
    kek_id, wrapped = provider.wrap(b"k" * 32, bound_to=b"ann")

    assert provider.unwrap(kek_id, wrapped, bound_to=b"ann") == b"k" * 32
    with pytest.raises(KeyStoreError, match="does not open"):
        provider.unwrap(kek_id, wrapped, bound_to=b"bob")


def test_a_wrapped_key_is_bound_to_its_kek() -> None:
    one, other = MasterKeys.generate(), MasterKeys.generate()
    both = FileKeys(MasterKeys({**one.secrets, **other.secrets}, current=one.current, lookup=one.lookup))
    _, wrapped = both.wrap(b"k" * 32, bound_to=b"")

    with pytest.raises(KeyStoreError, match="does not open"):
        both.unwrap(other.current, wrapped, bound_to=b"")


def test_an_older_key_still_unwraps_and_look_ups_stay_when_a_new_one_wraps() -> None:
    """What rotation will stand on: a file with several keys."""
    old, new = MasterKeys.generate(), MasterKeys.generate()
    before = FileKeys(old)
    kek_id, wrapped = before.wrap(b"k" * 32, bound_to=b"")

    after = FileKeys(MasterKeys({**old.secrets, **new.secrets}, current=new.current, lookup=old.lookup))

    assert after.unwrap(kek_id, wrapped, bound_to=b"") == b"k" * 32
    assert after.current_kek == new.current
    assert after.lookup_key() == before.lookup_key()


def test_an_unknown_kek_is_named() -> None:
    with pytest.raises(KeyStoreError, match="lacks key 00ff00ff"):
        FileKeys(MasterKeys.generate()).unwrap("00ff00ff", b"x" * 60, bound_to=b"")


def test_keys_do_not_show_in_their_repr() -> None:
    keys = MasterKeys.generate()

    shown = repr(keys) + repr(FileKeys(keys))

    assert keys.current in shown
    assert all(repr(secret) not in shown and secret.hex() not in shown for secret in keys.secrets.values())
