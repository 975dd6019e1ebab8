"""One workspace's stuck work, piece by piece, with what to do about it: for whoever runs that workspace."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy.orm import InstrumentedAttribute

from parlour.store.database import Database
from parlour.store.ids import WorkspaceId
from parlour.store.models import Account, Conversation
from parlour.store.skill_models import SkillRow
from parlour.turns.stuck import SIGNS, Kind

# For each sign: past this many it is one outage.
MOST: Final = 100
_WORKSPACE_OF: Final[dict[Kind, InstrumentedAttribute[Any]]] = {
    Kind.TURN: Conversation.workspace_id,
    Kind.DELIVERY: Account.workspace_id,
    Kind.SENDER: Account.workspace_id,
    Kind.JOB: SkillRow.workspace_id,
}


@dataclass(frozen=True, slots=True)
class StuckPiece:
    """One turn, delivery, account or job that is stuck, and since when."""

    kind: Kind
    reason: str
    id: UUID
    since: datetime
    remedy: str


def list_stuck_work(database: Database, workspace_id: WorkspaceId, *, at_most: int | None = MOST) -> list[StuckPiece]:
    """All that is stuck in the workspace now, the longest stuck first, at most so much for each reason (None: all)."""
    now, found = database.clock.now(), []
    with database.read() as session:
        for sign in SIGNS:
            its = sign.rows(now).where(_WORKSPACE_OF[sign.kind] == workspace_id)
            rows = session.execute(its.limit(at_most)).all()
            found += [StuckPiece(sign.kind, sign.reason, row[0], row[1], sign.remedy) for row in rows]
    return sorted(found, key=lambda piece: piece.since)
