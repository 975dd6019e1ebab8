"""Finding a row by a messenger's id without storing the id."""

import hashlib
import hmac


class Lookup:
    """Keyed hashes of ids. The key is not in the database, so a stolen database does not tell whom it knows."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def hash(self, *parts: str) -> bytes:
        """32 bytes, the same for the same parts in the same order, under this key.

        By habit the first part names what is hashed (`identity`, `conversation`), so that hashes of different kinds
        are never alike.
        """
        mac = hmac.new(self._key, digestmod=hashlib.sha256)
        for part in parts:
            # The length goes before each part: ("a", "bc") and ("ab", "c") must differ.
            encoded = part.encode("utf-8", "surrogatepass")
            mac.update(len(encoded).to_bytes(8))
            mac.update(encoded)
        return mac.digest()
