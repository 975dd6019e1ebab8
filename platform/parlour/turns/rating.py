"""Thumbs up and down under answers."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from parlour.store.ids import new_id
from parlour.store.models import Feedback, Message
from parlour.turns.ports import Taken, Verdict
from parlour.turns.states import Author


def rate(
    session: Session,
    conversation_id: UUID,
    external_hash: bytes,
    user_id: UUID,
    *,
    is_positive: bool,
    now: datetime,
    expires_at: datetime | None,
) -> Taken:
    """Keep a person's opinion of the answer whose messenger id hashes to `external_hash`; the last press counts."""
    turn_id = session.scalars(
        select(Message.turn_id).where(
            Message.conversation_id == conversation_id,
            Message.external_hash == external_hash,
            Message.author == Author.ASSISTANT.value,
        )
    ).one_or_none()
    if turn_id is None:
        return Taken(Verdict.IGNORED)
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    session.execute(
        dialect.insert(Feedback)
        .values(
            id=new_id(),
            turn_id=turn_id,
            user_id=user_id,
            is_positive=is_positive,
            created_at=now,
            expires_at=expires_at,
        )
        .on_conflict_do_update(
            index_elements=["turn_id", "user_id"],
            set_={"is_positive": is_positive, "created_at": now, "expires_at": expires_at},
        )
    )
    return Taken(Verdict.REPLIED)
