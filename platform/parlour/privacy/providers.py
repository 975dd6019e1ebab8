"""The key provider that the settings name."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from parlour.privacy.errors import KeysRefused
from parlour.privacy.keys import KeyProvider


@dataclass(frozen=True, slots=True)
class ProviderOptions:
    """Who holds the key-encryption keys, and where they are found."""

    kind: Literal["file", "vault", "aws-kms"]
    url: str = ""
    key: str = ""
    mount: str = "transit"
    region: str = ""
    token: str = field(default="", repr=False)


def remote_provider(options: ProviderOptions) -> Callable[[], KeyProvider] | None:
    """What makes the provider, None for the key file. Making it asks the server."""
    if options.kind == "vault":
        return lambda: _vault(options)
    return (lambda: _kms(options)) if options.kind == "aws-kms" else None


def _vault(options: ProviderOptions) -> KeyProvider:
    from parlour.privacy.vault import VaultKeys  # noqa: PLC0415 (hvac is in an extra)

    try:
        return VaultKeys(url=options.url, token=options.token, key=options.key or "parlour", mount=options.mount)
    except ModuleNotFoundError:
        raise KeysRefused("keys.provider is vault, but hvac is missing. Run: pip install 'parlour[vault]'") from None


def _kms(options: ProviderOptions) -> KeyProvider:
    from parlour.privacy.kms import KmsKeys  # noqa: PLC0415 (boto3 is in an extra)

    try:
        return KmsKeys(key=options.key or "alias/parlour", region=options.region, endpoint=options.url)
    except ModuleNotFoundError:
        raise KeysRefused("keys.provider is aws-kms, but boto3 is missing. Run: pip install 'parlour[aws]'") from None
