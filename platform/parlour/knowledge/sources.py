"""Documents as they stand in the database: put in, replaced, listed, removed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from parlour.knowledge import fulltext
from parlour.knowledge.embedding import Vectors
from parlour.knowledge.errors import NameTaken
from parlour.knowledge.passages import packed
from parlour.knowledge.splitting import Piece
from parlour.knowledge.terms import Terms
from parlour.knowledge.vectors import pack
from parlour.privacy.service import Privacy
from parlour.store.ids import WorkspaceId, new_id
from parlour.store.knowledge_models import KnowledgePassage, KnowledgeSource
from parlour.store.models import Workspace

_ROWS_AT_ONCE = 500
# The random bits at the end of a UUIDv7.
_RANDOM = (1 << 62) - 1


@dataclass(frozen=True, slots=True)
class NewSource:
    """A document that was read, ready to be put in."""

    name: str
    origin: str
    folder: str | None
    format: str
    least_role: str
    content_hash: bytes
    byte_count: int
    pieces: Sequence[Piece]
    embedder: str | None
    vectors: Vectors | None


@dataclass(frozen=True, slots=True)
class SourceView:
    """A document in a list, its name opened."""

    source_id: UUID
    name: str
    origin: str
    format: str
    least_role: str
    passages: int
    byte_count: int
    embedder: str | None
    indexed_at: datetime


class Sources:
    """The documents of all workspaces. Every method works in the caller's transaction."""

    def __init__(self, privacy: Privacy, terms: Terms) -> None:
        self._privacy = privacy
        self._terms = terms

    def find(self, session: Session, workspace: WorkspaceId, name: str) -> KnowledgeSource | None:
        """The document of that name."""
        wanted = select(KnowledgeSource).where(
            KnowledgeSource.workspace_id == workspace,
            KnowledgeSource.lookup_hash == self._hash(workspace, "source", name),
        )
        return session.scalars(wanted).one_or_none()

    def in_folder(self, session: Session, workspace: WorkspaceId, folder: str) -> list[KnowledgeSource]:
        """The documents that came with the folder."""
        wanted = select(KnowledgeSource).where(
            KnowledgeSource.workspace_id == workspace,
            KnowledgeSource.folder_hash == self._hash(workspace, "folder", folder),
        )
        return list(session.scalars(wanted.order_by(KnowledgeSource.id)))

    def every(self, session: Session, workspace: WorkspaceId) -> list[SourceView]:
        """All of the workspace, by name."""
        rows = session.scalars(select(KnowledgeSource).where(KnowledgeSource.workspace_id == workspace))
        return sorted((self._view(workspace, row) for row in rows), key=lambda view: view.name)

    def name_of(self, source: KnowledgeSource) -> str:
        """Its name, opened."""
        workspace = WorkspaceId(source.workspace_id)
        return self._privacy.sealer.open_text(workspace, KnowledgeSource.name, source.id, source.name)

    def origin_of(self, source: KnowledgeSource) -> str:
        """Where it was read from, opened."""
        workspace = WorkspaceId(source.workspace_id)
        return self._privacy.sealer.open_text(workspace, KnowledgeSource.origin, source.id, source.origin)

    def content_hash(self, workspace: WorkspaceId, *facts: str) -> bytes:
        """A keyed hash of what a document's passages depend on."""
        return self._hash(workspace, "content", *facts)

    def put(self, session: Session, workspace: WorkspaceId, new: NewSource, now: datetime) -> bool:
        """Put the document in; what was there under its name is replaced, which is the answer.

        Raises `NameTaken` where that came from elsewhere.
        """
        revision = self.next_revision(session, workspace)
        old = self.find(session, workspace, new.name)
        if old is not None:
            self.refuse_other(old, new.name, new.origin)
            session.delete(old)
            session.flush()
        created_at = old.created_at if old is not None else now
        source = self._row(workspace, new, revision=revision, created_at=created_at, now=now)
        session.add(source)
        session.flush()
        self._put_passages(session, workspace, source.id, new)
        return old is not None

    def set_role(self, session: Session, workspace: WorkspaceId, name: str, least_role: str) -> None:
        """Let those find the document who are at least of this role."""
        revision = self.next_revision(session, workspace)
        source = self.find(session, workspace, name)
        if source is not None:
            source.least_role, source.revision = least_role, revision

    def refuse_other(self, known: KnowledgeSource, name: str, origin: str) -> None:
        """Raises `NameTaken` where the document of that name was read from another place."""
        its_origin = self.origin_of(known)
        if its_origin != origin:
            problem = f"A document named {name!r} is there already, from {its_origin}."
            raise NameTaken(f"{problem} Give this one another name with --name, or remove that one first.")

    def next_revision(self, session: Session, workspace: WorkspaceId) -> int:
        """A number higher than any of the workspace's documents has. One change at a time: others wait here."""
        session.execute(select(Workspace.id).where(Workspace.id == workspace).with_for_update(key_share=True))
        highest = select(func.coalesce(func.max(KnowledgeSource.revision), 0))
        return session.scalars(highest.where(KnowledgeSource.workspace_id == workspace)).one() + 1

    def _row(
        self, workspace: WorkspaceId, new: NewSource, *, revision: int, created_at: datetime, now: datetime
    ) -> KnowledgeSource:
        source_id = new_id()
        seal = self._privacy.sealer.seal
        return KnowledgeSource(
            id=source_id,
            workspace_id=workspace,
            lookup_hash=self._hash(workspace, "source", new.name),
            folder_hash=self._hash(workspace, "folder", new.folder) if new.folder is not None else None,
            name=seal(workspace, KnowledgeSource.name, source_id, new.name),
            origin=seal(workspace, KnowledgeSource.origin, source_id, new.origin),
            format=new.format,
            least_role=new.least_role,
            content_hash=new.content_hash,
            byte_count=new.byte_count,
            passage_count=len(new.pieces),
            embedder=new.embedder,
            revision=revision,
            created_at=created_at,
            indexed_at=now,
        )

    def _put_passages(self, session: Session, workspace: WorkspaceId, source: UUID, new: NewSource) -> None:
        dialect = session.get_bind().dialect.name
        seal = self._privacy.sealer.seal
        rows = []
        for ordinal, piece in enumerate(new.pieces):
            passage = new_id()
            vector = None if new.vectors is None else pack(new.vectors[ordinal])
            rows.append(
                {
                    "id": passage,
                    "source_id": source,
                    "number": passage.int & _RANDOM,
                    "ordinal": ordinal,
                    "body": seal(workspace, KnowledgePassage.body, passage, packed(piece)),
                    "vector": vector and seal(workspace, KnowledgePassage.vector, passage, vector),
                    "terms": fulltext.stored(self._terms.of(workspace, piece.words), dialect),
                }
            )
        for at in range(0, len(rows), _ROWS_AT_ONCE):
            session.execute(insert(KnowledgePassage), rows[at : at + _ROWS_AT_ONCE])

    def _view(self, workspace: WorkspaceId, row: KnowledgeSource) -> SourceView:
        return SourceView(
            source_id=row.id,
            name=self.name_of(row),
            origin=self.origin_of(row),
            format=row.format,
            least_role=row.least_role,
            passages=row.passage_count,
            byte_count=row.byte_count,
            embedder=row.embedder,
            indexed_at=row.indexed_at,
        )

    def _hash(self, workspace: WorkspaceId, *parts: str) -> bytes:
        return self._privacy.lookup.hash("knowledge", str(workspace), *parts)
