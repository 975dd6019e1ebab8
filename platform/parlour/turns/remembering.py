"""What an answer has to do with what is remembered of its person: used in it, asked for behind it, learned after it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy.orm import Session

from parlour.people import consent
from parlour.people.profile import Profiles
from parlour.people.relevance import Chooser
from parlour.people.rights import Right, may
from parlour.people.states import ConsentState
from parlour.store.database import Database
from parlour.turns.order import Claim
from parlour.turns.outbox import Outbox
from parlour.turns.states import Author


class Personal(Protocol):
    """What the answerer asks about the person it answers."""

    def about(self, claim: Claim, question: str) -> tuple[str, ...]:
        """What to tell the model about the person, the most important first."""
        ...

    def ask_consent(self, session: Session, claim: Claim, now: datetime) -> None:
        """Put the question whether they may be remembered behind their first answer."""
        ...

    def may_learn(self, claim: Claim) -> bool:
        """Whether something may be learned from the turn."""
        ...


@dataclass(frozen=True, slots=True)
class Remembering:
    """`Personal` over the profiles in the database. Costs a person who is not remembered no query."""

    database: Database
    profiles: Profiles
    outbox: Outbox
    chooser: Chooser
    is_learning: bool

    def about(self, claim: Claim, question: str) -> tuple[str, ...]:
        """One indexed query for a person who agreed. In a group only how they like to be answered: others read it."""
        if not _is_remembered(claim):
            return ()
        with self.database.read() as session:
            entries = self.profiles.entries(session, claim.user_id)
        return self.chooser.choose(entries, question, language=claim.language, is_private=claim.is_private)

    def ask_consent(self, session: Session, claim: Claim, now: datetime) -> None:
        """Once in a person's life, in private, and not of guests."""
        if claim.consent is not None or not claim.is_private or not may(claim.role, Right.BE_REMEMBERED):
            return
        question = consent.ask(session, claim.user_id, language=claim.language, now=now)
        if question is not None:
            self.outbox.put(session, claim.to, question, author=Author.NOTICE, now=now, ordinal=1)

    def may_learn(self, claim: Claim) -> bool:
        """Only from private conversations of people who agreed."""
        return self.is_learning and claim.is_private and _is_remembered(claim)


def _is_remembered(claim: Claim) -> bool:
    return claim.consent == ConsentState.GIVEN.value and may(claim.role, Right.BE_REMEMBERED)
