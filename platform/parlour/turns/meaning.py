"""Nearness by meaning of what is remembered and what is asked, where there is a model to embed with."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import structlog

from parlour.people.profile import Entry

log = structlog.get_logger(__name__)

# Gives the embedder, None where none is installed. Its library is optional and large.
MakeEmbedder = Callable[[], Any]


class Meaning:
    """Vectors of facts. One for each process; safe to use from many threads.

    The embedder is loaded in the background when the first person who is remembered writes (half a second, 120 MB):
    no answer waits for it. Until then, and where none is installed, common words alone tell what is near.
    """

    def __init__(self, make: MakeEmbedder) -> None:
        self._make = make
        self._embedder: Any = None
        self._is_ready = threading.Event()
        self._loading: threading.Thread | None = None
        self._lock = threading.Lock()

    def load(self) -> None:
        """Load the embedder now; returns when it is ready, or known not to be there."""
        embedder = self._make()
        if embedder is not None:
            embedder.embed(["ready"])
            self._embedder = embedder
        self._is_ready.set()

    def pack(self, texts: Sequence[str]) -> list[bytes | None]:
        """A vector for each text as it is sealed, loading the embedder first; None without one."""
        if not self._is_ready.is_set():
            self.load()
        if self._embedder is None or not texts:
            return [None] * len(texts)
        from parlour.knowledge.vectors import pack  # noqa: PLC0415 (numpy is optional)

        return [pack(vector) for vector in self._embedder.embed(texts)]

    def nearness(self, question: str, entries: Sequence[Entry]) -> list[float]:
        """The cosine of each entry and the question; 0 where one of them has no vector."""
        vectors = [one.fact.vector for one in entries]
        if not self._is_ready.is_set():
            self._begin_loading()
        if self._embedder is None or not any(vectors):
            return [0.0] * len(entries)
        from parlour.knowledge.vectors import unpack  # noqa: PLC0415 (as above)

        (asked,) = self._embedder.embed([question])
        return [float(unpack(vector) @ asked) if vector else 0.0 for vector in vectors]

    def _begin_loading(self) -> None:
        with self._lock:
            if self._loading is None:
                self._loading = threading.Thread(target=self._try_to_load, name="meaning", daemon=True)
                self._loading.start()

    def _try_to_load(self) -> None:
        try:
            self.load()
        except Exception as error:  # noqa: BLE001 (a thread begins here; words alone do without it)
            log.warning("embedder_not_loaded", reason=type(error).__name__)
            self._is_ready.set()
