"""Turns that are for a skill: which they are, and the skill's answer in the place of the engine's."""

from collections.abc import Sequence
from typing import Protocol

from sqlalchemy import select

from parlour.engines.protocol import Request
from parlour.skills.model import Ask
from parlour.skills.room import Asked, Chosen, SkillAnswer
from parlour.skills.views import Place
from parlour.store.database import Database
from parlour.store.models import Conversation, User
from parlour.turns.context import Remark
from parlour.turns.order import Claim


class Room(Protocol):
    """Where skills are at work (`skills.room.SkillRoom`)."""

    def choose(self, place: Place, text: str) -> Chosen | None:
        """The handler that `text` is for, None for plain chat. Costs nothing for what is no command."""
        ...

    def answer(self, asked: Asked, chosen: Chosen, ask: Ask, request: Request) -> SkillAnswer:
        """What it answers."""
        ...


class SkillPath:
    """Leads a turn to its skill. Who the person is stands in the turn's own rows; the skill is told, never asked."""

    def __init__(self, room: Room, database: Database) -> None:
        self._room = room
        self._database = database

    def stream(self, claim: Claim, said: Sequence[Remark], ask: Ask, request: Request) -> SkillAnswer | None:
        """The answer of the skill that the turn is for; None: it is for the model alone."""
        text = next((remark.text for remark in reversed(said) if remark.is_asked and remark.text), "")
        chosen = self._room.choose(Place(claim.workspace_id, claim.to.channel, claim.conversation_id), text)
        return None if chosen is None else self._room.answer(self._asked(claim, chosen), chosen, ask, request)

    def _asked(self, claim: Claim, chosen: Chosen) -> Asked:
        with self._database.read() as session:
            role = session.scalars(select(User.role).where(User.id == claim.user_id)).one()
            wanted = select(Conversation.is_private).where(Conversation.id == claim.conversation_id)
            is_private = session.scalars(wanted).one()
        return Asked(
            turn_id=claim.turn_id,
            conversation_id=claim.conversation_id,
            workspace_id=claim.workspace_id,
            user_id=claim.user_id,
            text=chosen.text,
            language=claim.language,
            channel=claim.to.channel,
            role=role,
            is_private=is_private,
        )
