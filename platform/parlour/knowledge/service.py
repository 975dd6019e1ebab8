"""The parts of knowledge, joined."""

from dataclasses import dataclass

from parlour.knowledge.embedding import Embedder, SentenceEncoder
from parlour.knowledge.library import Library
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


def default_embedder() -> Embedder | None:
    """The encoder that comes as a package, None where it is not installed. Its model is loaded at the first use."""
    return SentenceEncoder() if SentenceEncoder.is_installed() else None


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
