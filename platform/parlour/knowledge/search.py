"""Hybrid search: by words and by meaning, fused by rank."""

from collections.abc import Iterable, Sequence
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from parlour.knowledge import fulltext
from parlour.knowledge.access import Asker, may_find
from parlour.knowledge.embedding import Embedder, Vectors
from parlour.knowledge.errors import EmbeddingsUnavailable
from parlour.knowledge.passages import Passage, unpacked
from parlour.knowledge.terms import Terms
from parlour.knowledge.vectors import VectorIndex
from parlour.privacy.sealing import Sealer
from parlour.store.database import Database
from parlour.store.knowledge_models import KnowledgePassage, KnowledgeSource

log = structlog.get_logger(__name__)

# How deep each of the two searches looks before their ranks are fused.
_DEPTH = 50
# Cormack, Clarke and Büttcher 2009, "Reciprocal rank fusion": 60 works nearly everywhere.
_FUSION = 60
_LONGEST_QUESTION = 4_000


class Search:
    """Finds passages for questions."""

    def __init__(self, *, database: Database, sealer: Sealer, terms: Terms, embedder: Embedder | None) -> None:
        self._database = database
        self._sealer = sealer
        self._terms = terms
        self._embedder = embedder
        self._vectors = VectorIndex(sealer, embedder.name) if embedder else None

    def find(self, asker: Asker, question: str, *, limit: int = 5) -> list[Passage]:
        """The passages that answer best, the best first; only those that the asker may find.

        Something is found for every question where there are vectors: `Passage.similarity` tells how near it is.
        """
        short = question[:_LONGEST_QUESTION].strip()
        if not short or limit < 1:
            return []
        terms = self._terms.of(asker.workspace_id, short)
        # Before the transaction: embedding takes a millisecond or, by an engine, many.
        vector = self._vector(short)
        depth = max(limit, _DEPTH)
        with self._database.read() as session:
            by_words = fulltext.find(session, asker, terms, depth)
            by_meaning: dict[UUID, float] = {}
            if self._vectors is not None and vector is not None:
                by_meaning = self._vectors.nearest(session, asker, vector, depth)
            best = fuse([by_words, list(by_meaning)])[:limit]
            return self._opened(session, asker, best, by_meaning)

    def _vector(self, question: str) -> Vectors | None:
        """Its meaning; None without a model, or where the model cannot be asked now: words find something too."""
        try:
            return self._embedder.embed([question])[0] if self._embedder else None
        except EmbeddingsUnavailable as error:
            log.warning("knowledge_by_words_only", reason=str(error))
            return None

    def _opened(
        self, session: Session, asker: Asker, ids: Sequence[UUID], similarity: dict[UUID, float]
    ) -> list[Passage]:
        """The passages, opened. Whether the asker may have them is asked once more here, where content comes out."""
        rows = session.execute(
            select(KnowledgePassage.id, KnowledgePassage.body, KnowledgeSource.id, KnowledgeSource.name)
            .join(KnowledgeSource, KnowledgeSource.id == KnowledgePassage.source_id)
            .where(KnowledgePassage.id.in_(ids), may_find(asker))
        )
        subject, open_text = asker.workspace_id, self._sealer.open_text
        found = {
            passage: Passage(
                id=passage,
                source_id=source,
                source=open_text(subject, KnowledgeSource.name, source, name),
                similarity=similarity.get(passage),
                **unpacked(open_text(subject, KnowledgePassage.body, passage, body)),
            )
            for passage, body, source, name in rows
        }
        return [found[one] for one in ids if one in found]


def fuse(rankings: Iterable[Sequence[UUID]]) -> list[UUID]:
    """One ranking of several: what stands high in any of them, and higher what stands in more than one."""
    scores: dict[UUID, float] = {}
    for ranking in rankings:
        for rank, one in enumerate(ranking, start=1):
            scores[one] = scores.get(one, 0.0) + 1 / (_FUSION + rank)
    return sorted(scores, key=lambda one: -scores[one])
