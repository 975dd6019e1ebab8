"""What can go wrong with keys and sealed values; no message holds content or key material."""


class PrivacyError(Exception):
    """A key or a sealed value could not be used."""


class KeyFileError(PrivacyError):
    """The key file is missing, damaged, of another installation, or open to others. Nothing starts without it."""


class KeyStoreError(PrivacyError):
    """The key store does not belong to this key file or to this database. Nothing starts with it."""


class KeysMissing(PrivacyError):
    """The subject has no data key: it was never made, or the key store was restored from before it was."""


class KeyShredded(PrivacyError):
    """The subject's data key was destroyed on purpose. Nothing sealed under it can be read again."""


class SealBroken(PrivacyError):
    """A sealed value was changed, or belongs to another user, table, column or row."""


class KeysUnavailable(PrivacyError):
    """The key provider does not answer. What needs a key waits; nothing is written unsealed."""


class KeysRefused(PrivacyError):
    """What was asked of the keys cannot be done. The message names the remedy."""
