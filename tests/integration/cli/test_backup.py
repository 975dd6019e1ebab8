"""`parlour backup`, as typed: a real turn, backed up and restored into an empty place, on SQLite and PostgreSQL."""

import json
import shutil
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import select

from parlour.privacy.errors import KeyShredded
from parlour.privacy.keys import read_key_file
from parlour.store.ids import UserId
from parlour.store.models import Message, User
from parlour.store.privacy_models import Erasure
from tests.support.command import Command, typed
from tests.support.stage import Stage, make_template, open_stage

SAID, ANSWERED = "What is basil good for?", "For soups, mostly."


@dataclass
class House:
    """An installation that can be left for an empty one of the same key file."""

    folder: Path
    new_database: Callable[[], str]
    patch: pytest.MonkeyPatch
    url: str = ""
    keys_url: str = ""

    def settle(self, name: str, *, key_file: Path | None = None) -> Path:
        """Point the settings at new, empty places; return the data folder."""
        data = self.folder / name
        (data / "keys").mkdir(parents=True, mode=0o700)
        self.url, self.keys_url = self.new_database(), self.new_database()
        self.point(data)
        if key_file is not None:
            shutil.copy2(key_file, data / "keys" / "master.key")
        return data

    def point(self, data: Path) -> None:
        """Have commands use these places."""
        self.patch.setenv("PARLOUR_DATA_DIR", str(data))
        self.patch.setenv("PARLOUR_DATABASE__URL", self.url)
        self.patch.setenv("PARLOUR_KEYS__URL", self.keys_url)

    @contextmanager
    def open(self, data: Path) -> Iterator[Stage]:
        """The installation at work."""
        with open_stage(data, url=self.url, keys={"url": self.keys_url}) as stage:
            yield stage


@pytest.fixture
def house(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """Places on the kind of database that the test is run for."""
    made: list[str] = []
    is_sqlite = request.param == "sqlite"
    databases = None if is_sqlite else request.getfixturevalue("postgres_databases")

    def new_database() -> str:
        if databases is None:
            return ""
        made.append(databases.create())
        return made[-1]

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "300")
    yield House(tmp_path, new_database, monkeypatch)
    for url in made:
        request.getfixturevalue("postgres_databases").drop(url)


both = pytest.mark.parametrize("house", ["sqlite", "postgres"], indirect=True)
on_sqlite = pytest.mark.parametrize("house", ["sqlite"], indirect=True)


@pytest.fixture
def parlour(capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs a command line: exit code, stdout, stderr."""
    return lambda *arguments: typed(capsys, *arguments)


def _live(house: House) -> Path:
    """A house where Ann asked something and was answered."""
    data = house.settle("old")
    make_template(data, url=house.url, keys_url=house.keys_url)
    with house.open(data) as stage:
        stage.answered(SAID, says=(ANSWERED,))
    return data


def _key_file(data: Path) -> Path:
    return data / "keys" / "master.key"


def _ann(stage: Stage) -> UserId:
    with stage.platform.database.read() as session:
        return UserId(session.scalars(select(User.id)).one())


@both
def test_a_conversation_is_read_again_from_an_empty_place(house: House, parlour: Command) -> None:
    old = _live(house)

    created = parlour("backup", "create", "saved", "--keys", "--json")
    verified = parlour("backup", "verify", "saved")
    new = house.settle("new", key_file=_key_file(old))
    restored = parlour("backup", "restore", "saved", "--json")

    assert [code for code, _, _ in (created, verified, restored)] == [0, 0, 0]
    assert [row["database"] for row in json.loads(created[1])] == ["content", "keys"]
    assert json.loads(restored[1])["erased_again"] == 0
    with house.open(new) as stage:
        assert stage.messages() == [SAID, ANSWERED]


@both
def test_the_keys_are_in_a_backup_only_when_asked_for_and_the_key_file_never(house: House, parlour: Command) -> None:
    old = _live(house)

    parlour("backup", "create", "without")
    _, said, _ = parlour("backup", "create", "with", "--keys")

    assert sorted(path.name for path in Path("without").iterdir()) == ["content"]
    assert sorted(path.name for path in Path("with").iterdir()) == ["content", "keys"]
    keys = read_key_file(_key_file(old)) or pytest.fail("no key file")
    secrets = [form for one in keys.secrets.values() for form in (one, one.hex().encode(), b64encode(one))]
    held = [path for path in Path("with").rglob("*") if path.is_file()]
    assert len(held) == 4
    assert any(secret in _key_file(old).read_bytes() for secret in secrets)
    assert not any(secret in path.read_bytes() for path in held for secret in secrets)
    assert {path.stat().st_mode & 0o777 for path in held} == {0o600}
    assert f"Not in it, and without it nothing opens: {_key_file(old)}" in said


@both
def test_a_flipped_byte_is_found_and_never_restored(house: House, parlour: Command) -> None:
    old = _live(house)
    parlour("backup", "create", "saved")
    (file,) = [path for path in Path("saved/content").iterdir() if path.name != "manifest.json"]
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)

    code, said, why = parlour("backup", "verify", "saved")
    house.settle("new", key_file=_key_file(old))
    refused, _, _ = parlour("backup", "restore", "saved")

    assert (code, refused) == (1, 1)
    assert "SHA-256 differs" in said
    assert "cannot be relied on" in why


@both
def test_a_restore_over_data_is_refused(house: House, parlour: Command) -> None:
    old = _live(house)
    parlour("backup", "create", "saved", "--keys")

    code, _, why = parlour("backup", "restore", "saved")

    assert code == 1
    assert "empty" in why
    with house.open(old) as stage:
        assert stage.messages() == [SAID, ANSWERED]


@both
def test_whoever_was_erased_since_the_backup_is_not_revived(house: House, parlour: Command) -> None:
    """The present key store has the tombstone; the content from before has the person."""
    old = _live(house)
    parlour("backup", "create", "saved")
    with house.open(old) as stage:
        ann = _ann(stage)
        stage.platform.eraser.erase(ann, actor="command:test")
    keys_url = house.keys_url or f"sqlite:///{(old / 'keys' / 'keys.sqlite').resolve()}"
    new = house.settle("new", key_file=_key_file(old))
    house.keys_url = keys_url
    house.point(new)

    code, said, _ = parlour("backup", "restore", "saved")

    assert (code, "Erasures carried out again: 1" in said) == (0, True)
    with house.open(new) as stage:
        assert stage.count(Message) == 0
        with stage.platform.database.read() as session:
            assert session.get_one(Erasure, ann).receipt is not None


@on_sqlite
def test_a_missing_key_file_is_told_before_anything_is_restored(house: House, parlour: Command) -> None:
    old = _live(house)
    parlour("backup", "create", "saved", "--keys")
    new = house.settle("new")

    verified, _, why = parlour("backup", "verify", "saved")
    files_alone, _, _ = parlour("backup", "verify", "saved", "--files-only")
    restored, _, _ = parlour("backup", "restore", "saved")

    assert (verified, files_alone, restored) == (1, 0, 1)
    assert f"no key file {_key_file(new)}" in why
    assert not (new / "parlour.sqlite").exists()
    assert _key_file(old).exists()


@on_sqlite
def test_another_installations_key_file_is_told(house: House, parlour: Command) -> None:
    _live(house)
    parlour("backup", "create", "saved", "--keys")
    stranger = make_template(house.folder / "stranger")
    house.settle("new", key_file=_key_file(stranger))

    code, _, why = parlour("backup", "verify", "saved")

    assert code == 1
    assert "made with another key file" in why


@on_sqlite
def test_a_key_store_restored_beside_the_content_revives_nobody(house: House, parlour: Command) -> None:
    """The present content knows who was erased; the key store from before has their key."""
    old = _live(house)
    parlour("backup", "create", "saved", "--keys")
    with house.open(old) as stage:
        ann = _ann(stage)
        stage.platform.eraser.erase(ann, actor="command:test")
    for lost in (old / "keys").glob("keys.sqlite*"):
        lost.unlink()

    code, _, _ = parlour("backup", "restore", "saved/keys")

    assert code == 0
    with house.open(old) as stage, pytest.raises(KeyShredded):
        stage.platform.privacy.keyring.data_key(ann)


@on_sqlite
def test_content_of_other_keys_is_told_once_restored(house: House, parlour: Command) -> None:
    _live(house)
    parlour("backup", "create", "saved")
    stranger = make_template(house.folder / "stranger")
    house.point(stranger)
    for unused in stranger.glob("parlour.sqlite*"):
        unused.unlink()

    code, _, why = parlour("backup", "restore", "saved")

    assert code == 1
    assert "Restored, but it does not open" in why


@on_sqlite
def test_a_backup_is_never_overwritten(house: House, parlour: Command) -> None:
    _live(house)
    parlour("backup", "create", "saved")
    before = Path("saved/content/manifest.json").read_bytes()

    code, _, why = parlour("backup", "create", "saved")

    assert code == 1
    assert "there already" in why
    assert Path("saved/content/manifest.json").read_bytes() == before


@on_sqlite
def test_the_log_of_an_older_database_is_not_mixed_into_a_restored_one(house: House, parlour: Command) -> None:
    old = _live(house)
    parlour("backup", "create", "saved")
    new = house.settle("new", key_file=_key_file(old))
    (new / "parlour.sqlite-wal").write_bytes(b"of another database")

    code, _, why = parlour("backup", "restore", "saved")

    assert code == 1
    assert "parlour.sqlite-wal" in why


@pytest.mark.parametrize("house", ["postgres"], indirect=True)
def test_without_pg_dump_it_says_what_to_install(
    house: House, parlour: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    _live(house)
    monkeypatch.setenv("PATH", str(house.folder))

    code, _, why = parlour("backup", "create", "saved")

    assert code == 1
    assert "apt-get install postgresql-client" in why
    assert not Path("saved/content").exists()


@pytest.mark.parametrize("house", ["postgres"], indirect=True)
def test_a_pg_dump_older_than_the_server_is_refused(
    house: House, parlour: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    _live(house)
    tool = house.folder / "pg_dump"
    tool.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(house.folder))

    code, _, why = parlour("backup", "create", "saved")

    assert code == 1
    assert "is of PostgreSQL 9" in why


@pytest.mark.parametrize("house", ["postgres"], indirect=True)
def test_a_password_is_in_no_command_line(house: House, parlour: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is in a file that only this user can read, which is gone after."""
    _live(house)
    house.url = house.url.replace("postgres@", "postgres:se%3Ac%5Cret@")
    house.point(house.folder / "old")
    tool = house.folder / "pg_dump"
    tool.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && echo 99 && exit\necho "$@" > said\n'
        'for last; do :; done\nfile=${last##*passfile=}\n/bin/cat "$(echo "$file" | /bin/sed s,%2F,/,g)" > passed\n'
    )
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(house.folder))

    parlour("backup", "create", "saved")

    assert "ret" not in Path("said").read_text()
    assert Path("passed").read_text() == "*:*:*:*:se\\:c\\\\ret\n"


@on_sqlite
def test_a_folder_without_a_backup_is_told(house: House, parlour: Command) -> None:
    house.settle("new")

    code, _, why = parlour("backup", "verify", "nowhere")

    assert code == 1
    assert "holds no backup" in why
