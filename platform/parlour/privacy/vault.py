"""The `vault` provider: the Transit engine of HashiCorp Vault or OpenBao wraps data keys."""

import base64
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from parlour.privacy.errors import KeyStoreError, KeysUnavailable
from parlour.privacy.keys import Note, note_nothing

_TIMEOUT_S: Final = 10


class VaultKeys:
    """Wraps data keys by a Transit key of type `aes256-gcm96`, made on first use. A KEK is one version of it."""

    def __init__(self, *, url: str, token: str, key: str, mount: str = "transit") -> None:
        # Of use only to those who keep their keys there.
        import hvac  # noqa: PLC0415

        self._name = key
        self._mount = mount
        self._transit: Any = hvac.Client(url=url, token=token, timeout=_TIMEOUT_S).secrets.transit
        with _translated():
            # Making one that is there changes nothing.
            self._transit.create_key(name=key, mount_point=mount)
        self._version = self._ask_version()

    @property
    def current_kek(self) -> str:
        """The key's name and newest version."""
        return f"{self._name}:v{self._version}"

    def wrap(self, key: bytes, *, bound_to: bytes) -> tuple[str, bytes]:
        """The version that wrapped, and what Vault made of `key`: `vault:v1:…`."""
        with _translated():
            answer = self._transit.encrypt_data(
                name=self._name,
                plaintext=_text(key),
                associated_data=_text(bound_to),
                mount_point=self._mount,
            )
        ciphertext = str(answer["data"]["ciphertext"])
        version = int(ciphertext.split(":")[1].removeprefix("v"))
        # Another process may have rotated: what wraps from now on is newer than what was known here.
        self._version = max(self._version, version)
        return f"{self._name}:v{version}", ciphertext.encode()

    def unwrap(self, kek_id: str, wrapped: bytes, *, bound_to: bytes) -> bytes:
        """The key that `wrap` was given."""
        name = kek_id.rpartition(":")[0]
        with _translated():
            answer = self._transit.decrypt_data(
                name=name,
                ciphertext=wrapped.decode("ascii", "replace"),
                associated_data=_text(bound_to),
                mount_point=self._mount,
            )
        return base64.b64decode(answer["data"]["plaintext"])

    def lookup_key(self) -> None:
        """Transit gives out no key: one is kept in the key store, wrapped."""

    def rotate(self) -> str:
        """Have Vault make a new version."""
        with _translated():
            self._transit.rotate_key(name=self._name, mount_point=self._mount)
        self._version = self._ask_version()
        return self.current_kek

    def retire(self, in_use: Collection[str], *, note: Note = note_nothing) -> Sequence[str]:
        """Have Vault refuse to decrypt with versions older than any in use."""
        used = [int(kek_id.rpartition(":v")[2]) for kek_id in in_use if kek_id.startswith(f"{self._name}:v")]
        oldest = min([*used, self._version])
        gone = [f"{self._name}:v{number}" for number in range(1, oldest)]
        note(gone)
        with _translated():
            self._transit.update_key_configuration(
                name=self._name, min_decryption_version=oldest, mount_point=self._mount
            )
        return gone

    def _ask_version(self) -> int:
        with _translated():
            answer = self._transit.read_key(name=self._name, mount_point=self._mount)
        return int(answer["data"]["latest_version"])


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


@contextmanager
def _translated() -> Iterator[None]:
    """Vault's and the network's errors as ours; their words stay out, they quote addresses."""
    import requests  # noqa: PLC0415 (see above)
    from hvac.exceptions import Forbidden, InvalidPath, InvalidRequest, Unauthorized, VaultError  # noqa: PLC0415

    try:
        yield
    except InvalidRequest:
        raise KeyStoreError(
            "Vault does not open a wrapped data key. The key store was changed, or keys.key names another key."
        ) from None
    except (Forbidden, Unauthorized):
        raise KeysUnavailable(
            "Vault refuses keys.token. Give one whose policy allows keys, encrypt and decrypt of keys.key."
        ) from None
    except InvalidPath:
        raise KeyStoreError(
            "Vault has no Transit engine at keys.mount. Enable it: vault secrets enable transit"
        ) from None
    except (VaultError, requests.RequestException) as error:
        raise KeysUnavailable(
            f"Vault cannot be asked ({type(error).__name__}). Turns wait until it can; check keys.provider_url."
        ) from None
