"""Exact search among a workspace's vectors, held in memory and brought up to date when the database has changed."""

from dataclasses import dataclass, replace
from threading import Lock
from uuid import UUID

import numpy as np
import numpy.typing as npt
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from parlour.knowledge.access import ROLES, Asker
from parlour.knowledge.embedding import Vectors
from parlour.privacy.sealing import Sealer
from parlour.store.ids import WorkspaceId
from parlour.store.knowledge_models import KnowledgePassage, KnowledgeSource

# Half the room of 32-bit floats, and no ranking changes by it.
_STORED = np.dtype("<f2")
_SOURCES_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class _Block:
    """One document's vectors."""

    revision: int
    ids: tuple[UUID, ...]
    vectors: Vectors


@dataclass(frozen=True, slots=True)
class _Corpus:
    """A workspace's vectors as they were at `state`; `least[i]` is the rank of the role that row i needs."""

    state: tuple[int, int]
    blocks: dict[UUID, _Block]
    ids: list[UUID]
    vectors: Vectors
    least: npt.NDArray[np.int8]


class VectorIndex:
    """Finds the nearest passages. One for each process; safe to use from many threads.

    Holds 2 KB of memory a passage (512 dimensions), and looks at every one of them: nothing is missed. The database is
    asked once a search whether anything has changed; then only the changed documents are read again.
    """

    def __init__(self, sealer: Sealer, embedder: str) -> None:
        self._sealer = sealer
        self._embedder = embedder
        self._corpora: dict[WorkspaceId, _Corpus] = {}
        self._refreshing = Lock()

    def nearest(self, session: Session, asker: Asker, vector: Vectors, limit: int) -> dict[UUID, float]:
        """Ids of the nearest passages that the asker may find, with their cosine, the nearest first."""
        corpus = self._fresh(session, asker.workspace_id)
        allowed = corpus.least < len(asker.covers)
        if not allowed.any():
            return {}
        cosines = np.where(allowed, corpus.vectors @ vector, np.float32(-2))
        count = min(limit, int(allowed.sum()))
        top = np.argpartition(-cosines, count - 1)[:count]
        ordered = top[np.argsort(-cosines[top], kind="stable")]
        return {corpus.ids[row]: float(cosines[row]) for row in ordered}

    def _fresh(self, session: Session, workspace: WorkspaceId) -> _Corpus:
        state = self._state(session, workspace)
        with self._refreshing:
            known = self._corpora.get(workspace)
            if known is None or known.state != state:
                known = self._load(session, workspace, state, known.blocks if known else {})
                self._corpora[workspace] = known
            return known

    def _state(self, session: Session, workspace: WorkspaceId) -> tuple[int, int]:
        """Changes whenever a document is added, changed or removed: revisions only grow."""
        counted = select(func.count(), func.coalesce(func.max(KnowledgeSource.revision), 0))
        count, revision = session.execute(counted.where(KnowledgeSource.workspace_id == workspace)).one()
        return count, revision

    def _load(
        self, session: Session, workspace: WorkspaceId, state: tuple[int, int], known: dict[UUID, _Block]
    ) -> _Corpus:
        sources = session.execute(
            select(KnowledgeSource.id, KnowledgeSource.revision, KnowledgeSource.least_role)
            .where(KnowledgeSource.workspace_id == workspace, KnowledgeSource.embedder == self._embedder)
            .order_by(KnowledgeSource.id)
        ).all()
        stale = {
            source: revision
            for source, revision, _ in sources
            if source not in known or known[source].revision != revision
        }
        blocks = {source: known[source] for source, *_ in sources if source not in stale}
        blocks |= self._read(session, workspace, stale)
        ranks = {source: ROLES.index(role) for source, _, role in sources}
        return _joined(state, blocks, ranks)

    def _read(self, session: Session, workspace: WorkspaceId, stale: dict[UUID, int]) -> dict[UUID, _Block]:
        ids: dict[UUID, list[UUID]] = {source: [] for source in stale}
        rows: dict[UUID, list[Vectors]] = {source: [] for source in stale}
        sources = list(stale)
        for at in range(0, len(sources), _SOURCES_AT_ONCE):
            some = sources[at : at + _SOURCES_AT_ONCE]
            wanted = select(KnowledgePassage.id, KnowledgePassage.source_id, KnowledgePassage.vector)
            found = session.execute(wanted.where(KnowledgePassage.source_id.in_(some)).order_by(KnowledgePassage.id))
            for passage, source, sealed in found:
                if sealed is None:
                    continue
                opened = self._sealer.open(workspace, KnowledgePassage.vector, passage, sealed)
                ids[source].append(passage)
                rows[source].append(unpack(opened))
        return {
            source: _Block(revision, tuple(ids[source]), np.stack(rows[source]) if rows[source] else _none())
            for source, revision in stale.items()
        }


def _joined(state: tuple[int, int], blocks: dict[UUID, _Block], ranks: dict[UUID, int]) -> _Corpus:
    """The blocks in one matrix, of which each becomes a part, so that nothing is held twice."""
    filled = {source: block for source, block in blocks.items() if block.ids}
    if not filled:
        return _Corpus(state, blocks, [], _none(), np.empty(0, np.int8))
    vectors = np.concatenate([block.vectors for block in filled.values()])
    least = np.concatenate([np.full(len(block.ids), ranks[source], np.int8) for source, block in filled.items()])
    start = 0
    for source, block in filled.items():
        end = start + len(block.ids)
        blocks[source] = replace(block, vectors=vectors[start:end])
        start = end
    return _Corpus(state, blocks, [one for block in filled.values() for one in block.ids], vectors, least)


def pack(vector: Vectors) -> bytes:
    """The vector as it is sealed."""
    return vector.astype(_STORED).tobytes()


def unpack(data: bytes) -> Vectors:
    """The vector that was packed."""
    return np.frombuffer(data, _STORED).astype(np.float32)


def _none() -> Vectors:
    return np.empty((0, 0), np.float32)
