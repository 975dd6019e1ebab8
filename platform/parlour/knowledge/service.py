"""The parts of knowledge, joined."""

from dataclasses import dataclass

from parlour.knowledge.embedding import Embedder, SentenceEncoder, ServerEmbedder
from parlour.knowledge.library import Library
from parlour.knowledge.recent import RecentVectors
from parlour.knowledge.search import Search
from parlour.knowledge.sources import Sources
from parlour.knowledge.terms import Terms
from parlour.privacy.service import Privacy
from parlour.store.clock import Clock
from parlour.store.database import Database


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What an installation knows: `library` to put documents in, `search` to find passages."""

    library: Library
    search: Search
    embedder: Embedder | None
    """What gives texts their vectors; None where nothing is found by its meaning."""

    @property
    def is_words_only(self) -> bool:
        """Whether nothing is found by its meaning."""
        return self.embedder is None


@dataclass(frozen=True, slots=True)
class EmbeddingServer:
    """An OpenAI-compatible server that has embeddings."""

    base_url: str
    api_key: str
    model: str


def embedder_of(server: EmbeddingServer | None) -> Embedder | None:
    """The server's embeddings; without one the encoder that comes as a package, None where it is not installed.

    Neither is loaded or asked before its first use, nor for the same text several times in a turn.
    """
    if server is not None:
        return RecentVectors(ServerEmbedder(base_url=server.base_url, api_key=server.api_key, model=server.model))
    return RecentVectors(SentenceEncoder()) if SentenceEncoder.is_installed() else None


def open_knowledge(
    *, database: Database, privacy: Privacy, embedder: Embedder | None, clock: Clock | None = None
) -> Knowledge:
    """Knowledge on this database; one for each process. Without an embedder it searches by words alone."""
    terms = Terms(privacy.lookup)
    sources = Sources(privacy, terms)
    return Knowledge(
        library=Library(database=database, clock=clock or database.clock, sources=sources, embedder=embedder),
        search=Search(database=database, sealer=privacy.sealer, terms=terms, embedder=embedder),
        embedder=embedder,
    )
