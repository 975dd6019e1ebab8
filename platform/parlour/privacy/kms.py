"""The `aws-kms` provider: KEKs are keys of AWS's Key Management Service and never leave it."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from parlour.privacy.errors import KeysRefused, KeyStoreError, KeysUnavailable
from parlour.privacy.keys import Note, note_nothing

_CONNECT_S: Final = 3
_ANSWER_S: Final = 10
# Answers that say that what was asked for is wrong, not that nobody answered.
_WRONG: Final = frozenset({"InvalidCiphertextException", "IncorrectKeyException", "InvalidKeyUsageException"})
_GONE: Final = frozenset({"NotFoundException", "DisabledException", "KMSInvalidStateException"})


class KmsKeys:
    """Wraps data keys by KMS. `key` is an alias (`alias/parlour`), so that rotating can point it at a new key."""

    def __init__(self, *, key: str, region: str = "", endpoint: str = "") -> None:
        # Large, and of use only to those who keep their keys there.
        import boto3  # noqa: PLC0415
        from botocore.config import Config  # noqa: PLC0415

        self._alias = key
        options = Config(connect_timeout=_CONNECT_S, read_timeout=_ANSWER_S, retries={"total_max_attempts": 2})
        self._client: Any = boto3.client(
            "kms", region_name=region or None, endpoint_url=endpoint or None, config=options
        )
        self._current = self._ask_current()

    @property
    def current_kek(self) -> str:
        """The id of the key that the alias pointed at when this was made, or since it was rotated here."""
        return self._current

    def wrap(self, key: bytes, *, bound_to: bytes) -> tuple[str, bytes]:
        """The current key's id, and `key` as KMS encrypted it."""
        with _translated():
            answer = self._client.encrypt(KeyId=self._current, Plaintext=key, EncryptionContext=_context(bound_to))
        return self._current, bytes(answer["CiphertextBlob"])

    def unwrap(self, kek_id: str, wrapped: bytes, *, bound_to: bytes) -> bytes:
        """The key that `wrap` was given."""
        with _translated():
            answer = self._client.decrypt(KeyId=kek_id, CiphertextBlob=wrapped, EncryptionContext=_context(bound_to))
        return bytes(answer["Plaintext"])

    def lookup_key(self) -> None:
        """KMS gives out no key: one is kept in the key store, wrapped."""

    def rotate(self) -> str:
        """Make a new key and point the alias at it. Raises `KeysRefused` where the settings name no alias."""
        if not self._alias.startswith("alias/"):
            problem = f"keys.key names the key {self._alias} itself, which cannot be replaced from here."
            raise KeysRefused(f"{problem} Make a new key in KMS, or point an alias at it and set keys.key to that.")
        with _translated():
            made = self._client.create_key(Description="Parlour: wraps data keys", KeyUsage="ENCRYPT_DECRYPT")
            key_id = str(made["KeyMetadata"]["KeyId"])
            self._client.update_alias(AliasName=self._alias, TargetKeyId=key_id)
        self._current = key_id
        return key_id

    def retire(self, in_use: Collection[str], *, note: Note = note_nothing) -> Sequence[str]:
        """Nothing: which of the account's keys are Parlour's alone is for its owner to say."""
        return ()

    def _ask_current(self) -> str:
        with _translated():
            answer = self._client.describe_key(KeyId=self._alias)
        return str(answer["KeyMetadata"]["KeyId"])


def _context(bound_to: bytes) -> dict[str, str]:
    return {"parlour": bound_to.hex()}


@contextmanager
def _translated() -> Iterator[None]:
    """KMS's and botocore's errors as ours; their words stay out, they quote addresses and arguments."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 (see above)

    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in _WRONG:
            raise KeyStoreError("A wrapped data key does not open. The key store was changed; restore it.") from None
        if code in _GONE:
            problem = f"AWS KMS has no usable key for keys.key ({code})."
            raise KeyStoreError(f"{problem} Enable it, or point keys.key at the right one.") from None
        raise KeysUnavailable(f"AWS KMS refuses ({code}). Check the credentials and the key's policy.") from None
    except BotoCoreError as error:
        raise KeysUnavailable(
            f"AWS KMS cannot be asked ({type(error).__name__}). Turns wait until it can; check keys.* and the network."
        ) from None
