"""The vectors of the last few texts: within one turn several parts ask for the meaning of the same words."""

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from typing import Final

import numpy as np

from parlour.knowledge.embedding import Embedder, Vectors

# A turn's text in its forms, for each of the few threads that answer at the same time.
_KEPT: Final = 64
# More at once are an import's or a set of examples: nobody asks for them again, and they would push out what is.
_MOST_AT_ONCE: Final = 4
_DIGEST_BYTES: Final = 16


class RecentVectors:
    """An embedder that embeds a text once while it is among the last that were asked for.

    Texts are remembered by a digest under a key that only this object has; no text is kept. Safe to use from many
    threads; two that ask for a new text at the same moment may both have it embedded.
    """

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._key = secrets.token_bytes(32)
        self._known: OrderedDict[bytes, Vectors] = OrderedDict()
        self._lock = Lock()

    @property
    def name(self) -> str:
        """The model's."""
        return self._embedder.name

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One row of length 1 for each text. Raises what the embedder raises."""
        if not 0 < len(texts) <= _MOST_AT_ONCE:
            return self._embedder.embed(texts)
        digests = [self._digest(text) for text in texts]
        with self._lock:
            found = {one: self._known[one] for one in digests if one in self._known}
        new = {one: text for one, text in zip(digests, texts, strict=True) if one not in found}
        if new:
            found |= zip(new, self._embedder.embed(list(new.values())), strict=True)
        with self._lock:
            for one in digests:
                self._known[one] = found[one]
                self._known.move_to_end(one)
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return np.stack([found[one] for one in digests])

    def _digest(self, text: str) -> bytes:
        return hashlib.blake2b(text.encode(errors="surrogatepass"), key=self._key, digest_size=_DIGEST_BYTES).digest()
