"""Who holds the key-encryption keys: the `KeyProvider` port, and the provider that reads them from a file."""

import base64
import binascii
import json
import os
import secrets
import stat
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from filelock import FileLock

from parlour.privacy.errors import KeyFileError, KeyStoreError
from parlour.store.disk import sync

_FORMAT = "parlour-master-key"
_VERSION = 1
_SECRET_BYTES = 32
_NONCE_BYTES = 12

# Told the ids of KEKs that are about to be destroyed.
Note = Callable[[Sequence[str]], object]


def note_nothing(_: Sequence[str]) -> None:
    """For whoever keeps no log."""


class KeyProvider(Protocol):
    """Wraps and unwraps data keys under a key-encryption key (KEK) that never leaves it."""

    @property
    def current_kek(self) -> str:
        """The KEK that wraps."""
        ...

    def wrap(self, key: bytes, *, bound_to: bytes) -> tuple[str, bytes]:
        """The current KEK's id, and `key` wrapped under it; it unwraps only with the same `bound_to`."""
        ...

    def unwrap(self, kek_id: str, wrapped: bytes, *, bound_to: bytes) -> bytes:
        """The key. Raises `KeyStoreError` when the KEK is unknown or the wrapped key is not what it wrapped."""
        ...

    def lookup_key(self) -> bytes | None:
        """The key of look-up hashes: 32 bytes that stay the same when KEKs rotate. None: keep one in the key store."""
        ...

    def rotate(self) -> str:
        """Make a new KEK that wraps from now on and return its id. Those before go on unwrapping."""
        ...

    def retire(self, in_use: Collection[str], *, note: Note = note_nothing) -> Sequence[str]:
        """Destroy the KEKs that are neither current nor `in_use` and return their ids, which `note` is told before."""
        ...


@dataclass(frozen=True, slots=True)
class MasterKeys:
    """What the key file holds: secrets by KEK id, which one wraps, and which one look-ups derive from.

    A KEK id is derived from its secret, so a damaged secret is noticed before anything is sealed under it.
    """

    secrets: Mapping[str, bytes]
    current: str
    lookup: str

    @classmethod
    def generate(cls) -> "MasterKeys":
        """A fresh key to wrap with, and one for look-ups, which stays when the first is replaced."""
        wrapping, finding = secrets.token_bytes(_SECRET_BYTES), secrets.token_bytes(_SECRET_BYTES)
        ids = _kek_id(wrapping), _kek_id(finding)
        return cls({ids[0]: wrapping, ids[1]: finding}, current=ids[0], lookup=ids[1])

    def with_new(self) -> "MasterKeys":
        """The same with a fresh key to wrap with."""
        secret = secrets.token_bytes(_SECRET_BYTES)
        kek_id = _kek_id(secret)
        return MasterKeys({**self.secrets, kek_id: secret}, current=kek_id, lookup=self.lookup)

    def without(self, kek_ids: Collection[str]) -> "MasterKeys":
        """The same without these."""
        left = {kek_id: secret for kek_id, secret in self.secrets.items() if kek_id not in kek_ids}
        return MasterKeys(left, current=self.current, lookup=self.lookup)

    def __repr__(self) -> str:
        """Ids only: a secret must not get into a log or a traceback."""
        return f"MasterKeys(current={self.current!r}, all={sorted(self.secrets)!r})"


class FileKeys:
    """The `file` provider: KEKs derived from the secrets of a key file.

    A process that runs while another one rotates finds the new key by itself: it looks at the file's date before it
    wraps, and reads the file again for a key that it does not know.
    """

    def __init__(self, keys: MasterKeys, path: Path | None = None) -> None:
        self._path = path
        self._seen = _version_of(path)
        self._take(keys)

    @property
    def current_kek(self) -> str:
        """The KEK that wraps."""
        self._look_again()
        return self._keys.current

    @property
    def kek_ids(self) -> frozenset[str]:
        """Every KEK of the file."""
        return frozenset(self._keks)

    def wrap(self, key: bytes, *, bound_to: bytes) -> tuple[str, bytes]:
        """The current KEK's id, and `key` wrapped under it: nonce, ciphertext, tag."""
        kek_id = self.current_kek
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return kek_id, nonce + self._keks[kek_id].encrypt(nonce, key, _bind(kek_id, bound_to))

    def unwrap(self, kek_id: str, wrapped: bytes, *, bound_to: bytes) -> bytes:
        """The key that `wrap` was given."""
        if kek_id not in self._keks:
            self._look_again()
        kek = self._keks.get(kek_id)
        if kek is None:
            raise KeyStoreError(f"The key file lacks key {kek_id}, which wraps data keys. Put back the right key file.")
        try:
            return kek.decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], _bind(kek_id, bound_to))
        except (InvalidTag, ValueError):
            raise KeyStoreError("A wrapped data key does not open. The key store was changed; restore it.") from None

    def lookup_key(self) -> bytes:
        """The key of look-up hashes."""
        return _derive(self._keys.secrets[self._keys.lookup], "lookup")

    def rotate(self) -> str:
        """Put a new key into the file; written whole or not at all."""
        self._change(MasterKeys.with_new)
        return self._keys.current

    def retire(self, in_use: Collection[str], *, note: Note = note_nothing) -> Sequence[str]:
        """Take keys out of the file that wrap nothing any more. What look-ups derive from stays."""
        stays = {self._keys.current, self._keys.lookup, *in_use}
        gone = sorted(self.kek_ids - stays)
        if gone:
            note(gone)
            self._change(lambda keys: keys.without(gone))
        return gone

    def _change(self, change: Callable[[MasterKeys], MasterKeys]) -> None:
        if self._path is None:
            raise KeyFileError("These keys come from no file: there is nothing to write.")
        with FileLock(f"{self._path}.lock", mode=0o600):
            keys = read_key_file(self._path)
            if keys is None:
                raise KeyFileError(f"The key file {self._path} is gone. Put it back from its backup.")
            replace_key_file(self._path, change(keys))
        self._look_again()

    def _look_again(self) -> None:
        """Read the file where it was replaced since. One that is gone or damaged changes nothing for what runs."""
        version = _version_of(self._path)
        if self._path is None or version is None or version == self._seen:
            return
        keys = read_key_file(self._path)
        if keys is not None:
            self._take(keys)
            self._seen = version

    def _take(self, keys: MasterKeys) -> None:
        self._keks = {kek_id: AESGCM(_derive(secret, "kek")) for kek_id, secret in keys.secrets.items()}
        self._keys = keys


def read_key_file(path: Path) -> MasterKeys | None:
    """The keys in the file, None where there is none. Raises `KeyFileError` for one that cannot be used as it is."""
    try:
        with path.open("rb") as file:
            _check_access(path, os.fstat(file.fileno()))
            content = file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        problem = f"The key file {path} cannot be read ({error.strerror})."
        raise KeyFileError(f"{problem} Make it readable for this user.") from None
    return _parse(path, content)


def create_key_file(path: Path) -> MasterKeys:
    """The keys of a new file, or those of the file that another process made at the same moment."""
    keys = MasterKeys.generate()
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write_durably(draft, _render(keys))
        try:
            # A link appears whole or not at all, and never replaces a file that is there.
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        sync(path.parent)
    except OSError as error:
        problem = f"The key file {path} cannot be created ({error.strerror})."
        raise KeyFileError(f"{problem} Make its folder writable.") from None
    found = read_key_file(path)
    if found is None:
        raise KeyFileError(f"The key file {path} vanished while it was made. Start again.")
    return found


def replace_key_file(path: Path, keys: MasterKeys) -> None:
    """Write the file anew; whoever reads it sees the old one or the new one."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        _write_durably(draft, _render(keys))
        draft.replace(path)
        sync(path.parent)
    except OSError as error:
        draft.unlink(missing_ok=True)
        problem = f"The key file {path} cannot be written ({error.strerror}). It is as it was."
        raise KeyFileError(f"{problem} Make its folder writable.") from None


def _version_of(path: Path | None) -> tuple[int, int] | None:
    """What changes when the file is replaced."""
    if path is None:
        return None
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def _check_access(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise KeyFileError(f"The key file {path} is not a plain file. Point keys.file at the file itself.")
    if status.st_uid != os.geteuid():
        raise KeyFileError(f"The key file {path} belongs to another user. Change it with: chown {os.geteuid()} {path}")
    if status.st_mode & 0o077:
        raise KeyFileError(f"The key file {path} is open to other users. Close it with: chmod 600 {path}")


def _parse(path: Path, content: bytes) -> MasterKeys:
    """The keys in a file's content; every way of being damaged is one `KeyFileError`."""
    problem = f"The key file {path} is damaged or cut short. Put it back from its backup."
    try:
        data: dict[str, Any] = json.loads(content)
        version = data["version"] if data["format"] == _FORMAT else None
        keys = {kek_id: base64.b64decode(secret, validate=True) for kek_id, secret in data["keys"].items()}
        found = MasterKeys(keys, current=data["current"], lookup=data["lookup"])
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
        raise KeyFileError(problem) from None
    if isinstance(version, int) and version > _VERSION:
        raise KeyFileError(f"The key file {path} was written by a newer Parlour (version {version}). Upgrade this one.")
    is_sound = version == _VERSION and all(
        len(secret) == _SECRET_BYTES and _kek_id(secret) == kek_id for kek_id, secret in keys.items()
    )
    if not is_sound or found.current not in keys or found.lookup not in keys:
        raise KeyFileError(problem)
    return found


def _render(keys: MasterKeys) -> bytes:
    data = {
        "format": _FORMAT,
        "version": _VERSION,
        "current": keys.current,
        "lookup": keys.lookup,
        "keys": {kek_id: base64.b64encode(secret).decode() for kek_id, secret in keys.secrets.items()},
    }
    return json.dumps(data, indent=2).encode() + b"\n"


def _write_durably(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _kek_id(secret: bytes) -> str:
    return _derive(secret, "kek id")[:8].hex()


def _derive(secret: bytes, purpose: str) -> bytes:
    """A key for one purpose (HKDF-SHA256, RFC 5869); none of them tells the others or the secret."""
    return HKDF(SHA256(), length=32, salt=None, info=f"parlour/{purpose}/v1".encode()).derive(secret)


def _bind(kek_id: str, bound_to: bytes) -> bytes:
    return b"parlour/wrap/v1\0" + kek_id.encode() + b"\0" + bound_to
