"""An embedder that knows words and no meanings: texts that share words are near each other."""

import zlib
from collections.abc import Sequence

import numpy as np

from parlour.knowledge.embedding import Vectors

DIMENSIONS = 64


class FakeEmbedder:
    """Counts words into a short vector; `embedded` keeps what it was given."""

    def __init__(self, name: str = "fake") -> None:
        self.name = name
        self.embedded: list[str] = []

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.embedded += texts
        rows = np.full((len(texts), DIMENSIONS), 0.01, np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in text.lower().split():
                row[zlib.crc32(word.strip(".,?!").encode()) % DIMENSIONS] += 1
        unit: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return unit


class LifelikeEmbedder:
    """Sentences that begin alike are as near each other (0.95) as a model finds those that differ in one word.

    Measured with the multilingual universal sentence encoder: "I have 2 cats" and "I have 3 cats" 0.935, tennis on
    Mondays and on Tuesdays 0.964, a meeting on Monday and on Thursday 0.959. Others have nothing to do with each other.
    """

    name = "lifelike"
    _NEAR = 0.95

    def embed(self, texts: Sequence[str]) -> Vectors:
        rows = np.zeros((len(texts), 2 * DIMENSIONS), np.float32)
        for row, text in zip(rows, texts, strict=True):
            beginning = " ".join(text.lower().split()[:2])
            row[zlib.crc32(beginning.encode()) % DIMENSIONS] = self._NEAR**0.5
            row[DIMENSIONS + zlib.crc32(text.encode()) % DIMENSIONS] = (1 - self._NEAR) ** 0.5
        return rows
