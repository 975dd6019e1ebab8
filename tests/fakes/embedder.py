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
