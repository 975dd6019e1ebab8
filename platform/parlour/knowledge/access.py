"""Who asks, and what of the documents they may find: enforced in every query."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_

from parlour.store.ids import WorkspaceId
from parlour.store.knowledge_models import KnowledgeSource

# From the least to the most; the same words as of a user's row.
ROLES = ("guest", "member", "auditor", "admin", "owner")
USUAL_ROLE = "member"


@dataclass(frozen=True, slots=True)
class Asker:
    """Whose question it is: the workspace and role of the person of the turn, as the host knows them."""

    workspace_id: WorkspaceId
    role: str = USUAL_ROLE

    @property
    def covers(self) -> tuple[str, ...]:
        """The roles that the asker has at least; none for a role that is not known."""
        return ROLES[: ROLES.index(self.role) + 1] if self.role in ROLES else ()


def may_find(asker: Asker) -> ColumnElement[bool]:
    """The condition on `KnowledgeSource` that every search and every reading of a passage has."""
    return and_(
        KnowledgeSource.workspace_id == asker.workspace_id,
        KnowledgeSource.least_role.in_(asker.covers),
    )
