"""The same contract for every key provider: a file, KMS as moto serves it, Transit as the wire fake speaks it."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from parlour.privacy.errors import KeysRefused, KeyStoreError, KeysUnavailable
from parlour.privacy.keys import FileKeys, KeyProvider, create_key_file
from parlour.privacy.keystore import Keyring
from parlour.privacy.kms import KmsKeys
from parlour.privacy.rotation import in_use, retire, rewrap, stored_secret, waiting
from parlour.privacy.vault import VaultKeys
from parlour.store import schema
from parlour.store.database import Database
from parlour.store.errors import DatabaseLocked
from parlour.store.ids import UserId, new_id
from parlour.store.schema import Schema
from tests.fakes.vault import FakeVault, fake_vault


@pytest.fixture
def vault() -> Iterator[FakeVault]:
    with fake_vault() as running:
        yield running


@pytest.fixture
def kms_url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """moto's server, with the alias that an operator would make."""
    import boto3  # noqa: PLC0415 (takes a second, and only these tests want it)
    from moto.server import ThreadedMotoServer  # noqa: PLC0415 (the same)

    for name, value in {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}.items():
        monkeypatch.setenv(name, value)
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    # moto keeps what it holds in the process, whatever server is asked.
    httpx.post(f"{url}/moto-api/reset", timeout=60).raise_for_status()
    client: Any = boto3.client("kms", region_name="eu-central-1", endpoint_url=url)
    key_id = client.create_key()["KeyMetadata"]["KeyId"]
    client.create_alias(AliasName="alias/parlour", TargetKeyId=key_id)
    client.close()
    yield url
    server.stop()


@pytest.fixture(params=["file", "kms", "vault"])
def provider(request: pytest.FixtureRequest, tmp_path: Path) -> KeyProvider:
    if request.param == "file":
        path = tmp_path / "keys" / "master.key"
        return FileKeys(create_key_file(path), path)
    if request.param == "kms":
        return _kms(request.getfixturevalue("kms_url"))
    running: FakeVault = request.getfixturevalue("vault")
    return VaultKeys(url=running.url, token=running.token, key="parlour")


def _kms(url: str, key: str = "alias/parlour") -> KmsKeys:
    return KmsKeys(key=key, region="eu-central-1", endpoint=url)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    schema.upgrade(url, Schema.KEYS)
    with ExitStack() as stack:
        database = Database(url)
        stack.callback(database.close)
        yield database


def test_what_is_wrapped_unwraps_bound_to_its_place_and_nowhere_else(provider: KeyProvider) -> None:
    kek_id, wrapped = provider.wrap(b"k" * 32, bound_to=b"here")

    assert b"k" * 32 not in wrapped
    assert provider.unwrap(kek_id, wrapped, bound_to=b"here") == b"k" * 32
    with pytest.raises(KeyStoreError, match="not open"):
        provider.unwrap(kek_id, wrapped, bound_to=b"there")


def test_a_rotation_loses_nothing_and_rewrapping_finishes_it(provider: KeyProvider, store: Database) -> None:
    people = [UserId(new_id()) for _ in range(5)]
    keyring = Keyring(store, provider, life_s=0)
    for one in people:
        keyring.create(one)
    ids = [keyring.data_key(one).key_id for one in people]
    secret = stored_secret(store, provider, "lookup")
    before = provider.current_kek

    after = provider.rotate()
    behind = waiting(store, provider)
    done = rewrap(store, provider, batch=2)
    retired = retire(store, provider)

    assert after == provider.current_kek != before
    assert (behind, done, waiting(store, provider)) == (5, 6, 0)
    with store.read() as session:
        assert in_use(session) == {after}
    assert before in retired or isinstance(provider, KmsKeys)
    assert [Keyring(store, provider).data_key(one).key_id for one in people] == ids
    assert stored_secret(store, provider, "lookup") == secret


def test_a_rewrapping_that_broke_off_goes_on(provider: KeyProvider, store: Database) -> None:
    keyring = Keyring(store, provider)
    for _ in range(5):
        keyring.create(UserId(new_id()))
    provider.rotate()

    def power_cut(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rewrap(store, provider, batch=2, step=power_cut)
    left = waiting(store, provider)
    rewrap(store, provider, batch=2)

    assert left == 3
    assert waiting(store, provider) == 0


@pytest.mark.parametrize("wraps", ["a new key", "a secret", "an older key"])
def test_no_key_is_retired_while_something_is_wrapped_under_it(
    provider: KeyProvider, database_url: str, wraps: str
) -> None:
    """Another process rotates, re-wraps and retires between the wrapping and its commit: it has to wait."""
    schema.upgrade(database_url, Schema.KEYS)
    ann = UserId(new_id())
    with ExitStack() as stack:
        store, elsewhere = Database(database_url), Database(_impatient(database_url), busy_timeout_s=0.05)
        for one in (store, elsewhere):
            stack.callback(one.close)
        if wraps == "an older key":
            Keyring(store, provider).create(ann)
            provider.rotate()
        disturbed = Disturbed(provider, elsewhere)

        if wraps == "a new key":
            Keyring(store, disturbed).create(ann)
        elif wraps == "a secret":
            stored_secret(store, disturbed, "lookup")
        else:
            rewrap(store, disturbed)

        rewrap(store, provider)
        retire(store, provider)
        if wraps == "a secret":
            assert stored_secret(store, provider, "lookup")
        else:
            Keyring(store, provider).data_key(ann)
        assert disturbed.had_to_wait


class Disturbed:
    """A provider that was asked to wrap, and whose older keys another process retires before that is stored."""

    def __init__(self, provider: KeyProvider, elsewhere: Database) -> None:
        self._provider = provider
        self._elsewhere = elsewhere
        self.had_to_wait = False

    def wrap(self, key: bytes, *, bound_to: bytes) -> tuple[str, bytes]:
        wrapped = self._provider.wrap(key, bound_to=bound_to)
        self._provider.rotate()
        try:
            rewrap(self._elsewhere, self._provider)
            retire(self._elsewhere, self._provider)
        except DatabaseLocked:
            self.had_to_wait = True
        return wrapped

    def __getattr__(self, name: str) -> Any:
        return getattr(self._provider, name)


def _impatient(url: str) -> str:
    """SQLite is told how long to wait when it is opened; PostgreSQL by an option of the connection."""
    return url if url.startswith("sqlite") else f"{url}?options=-c%20lock_timeout%3D200"


def test_a_shredded_key_stays_shredded_through_a_rewrapping(provider: KeyProvider, store: Database) -> None:
    ann, keyring = UserId(new_id()), Keyring(store, provider)
    keyring.create(ann)
    keyring.shred([ann])
    provider.rotate()

    assert rewrap(store, provider) == 0


def test_another_process_notices_a_new_key_file(tmp_path: Path, store: Database) -> None:
    path = tmp_path / "keys" / "master.key"
    here, there = FileKeys(create_key_file(path), path), FileKeys(create_key_file(path), path)
    ann = UserId(new_id())

    here.rotate()
    Keyring(store, here).create(ann)

    assert Keyring(store, there).data_key(ann).key_id == Keyring(store, here).data_key(ann).key_id
    assert there.current_kek == here.current_kek


def test_a_vault_that_is_sealed_or_refuses_is_said_so(vault: FakeVault) -> None:
    keys = VaultKeys(url=vault.url, token=vault.token, key="parlour")
    vault.is_sealed = True
    with pytest.raises(KeysUnavailable, match="Turns wait"):
        keys.wrap(b"k" * 32, bound_to=b"here")

    vault.is_sealed = False
    with pytest.raises(KeysUnavailable, match=r"keys\.token"):
        VaultKeys(url=vault.url, token="wrong", key="parlour")
    with pytest.raises(KeyStoreError, match="enable transit"):
        VaultKeys(url=vault.url, token=vault.token, key="parlour", mount="elsewhere")


def test_a_server_that_is_away_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")

    with pytest.raises(KeysUnavailable, match="Turns wait"):
        VaultKeys(url="http://127.0.0.1:9", token="t", key="parlour")
    with pytest.raises(KeysUnavailable, match="Turns wait"):
        _kms("http://127.0.0.1:9")


def test_kms_rotates_aliases_only(kms_url: str) -> None:
    with pytest.raises(KeysRefused, match="point an alias"):
        _kms(kms_url, _kms(kms_url).current_kek).rotate()
