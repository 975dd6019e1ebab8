"""What is remembered about a person: kept sealed under their key, each thing once, corrected, forgotten."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import bindparam, or_, select
from sqlalchemy.orm import Session

from parlour.people.errors import ProfileFull
from parlour.people.facts import EntryKind, Fact, Slot, Source
from parlour.privacy.classes import DataClass
from parlour.privacy.retention import Retention
from parlour.privacy.service import Privacy
from parlour.privacy.withdrawing import is_held, is_in_use, withdraw
from parlour.store.clock import Clock
from parlour.store.ids import TurnId, UserId, new_id
from parlour.store.models import User
from parlour.store.people_models import ProfileEntry

MOST_ENTRIES: Final = 200

# Built once: it runs for every answer to a person who is remembered.
_OF_USER = (
    select(ProfileEntry)
    .where(
        ProfileEntry.user_id == bindparam("user"),
        or_(ProfileEntry.expires_at.is_(None), ProfileEntry.expires_at > bindparam("now")),
    )
    .order_by(ProfileEntry.created_at, ProfileEntry.id)
    .limit(MOST_ENTRIES)
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that is remembered, opened."""

    id: UUID
    fact: Fact
    source: Source
    turn_id: TurnId | None
    created_at: datetime
    updated_at: datetime


class Remembered(StrEnum):
    """What became of a fact."""

    NEW = "new"
    KNOWN = "known"
    CORRECTED = "corrected"


class Profiles:
    """The profiles of people. Every method works in the caller's transaction. Entries that nobody touched for as long
    as the rules say are read no more, and go with the next purge; what is deleted under a legal hold, when that ends.
    """

    def __init__(self, privacy: Privacy, *, retention: Retention, clock: Clock) -> None:
        self._privacy = privacy
        self._retention = retention
        self._clock = clock

    def entries(self, session: Session, user_id: UserId) -> list[Entry]:
        """All that is remembered of a person, oldest first. Raises `KeyShredded` for an erased one."""
        found = {"user": user_id, "now": self._clock.now()}
        return [self._opened(user_id, row) for row in session.scalars(_OF_USER, found)]

    def remember(
        self,
        session: Session,
        user_id: UserId,
        fact: Fact,
        *,
        source: Source,
        now: datetime,
        turn_id: TurnId | None = None,
    ) -> Remembered:
        """Keep `fact`; what it contradicts (the same key, another text) gives way. The caller has checked the consent.

        A full profile lets go of what was learned and not confirmed for longest; raises `ProfileFull` where all of it
        was told.
        """
        row = self._find(session, user_id, fact)
        outcome = Remembered.NEW
        if row is not None:
            is_known = self._opened(user_id, row).fact.text == fact.text
            outcome = Remembered.KNOWN if is_known else Remembered.CORRECTED
            if not is_known and is_held(session, user_id):
                withdraw(session, ProfileEntry, user_id, ProfileEntry.id == row.id)
                row = None
        if row is None:
            self._make_room(session, user_id)
            row = ProfileEntry(id=new_id(), user_id=user_id, kind=fact.kind.value, created_at=now)
            row.lookup_hash = self._hash(user_id, fact)
            session.add(row)
        self._write(user_id, row, fact, source=source, turn_id=turn_id, now=now)
        workspace_id = session.scalars(select(User.workspace_id).where(User.id == user_id)).one()
        row.expires_at = self._retention.until_of_person(session, DataClass.PROFILE, workspace_id, now)
        session.flush()
        return outcome

    def forget(self, session: Session, user_id: UserId, entry_id: UUID) -> bool:
        """Delete one entry; whether it was there."""
        return withdraw(session, ProfileEntry, user_id, ProfileEntry.id == entry_id) > 0

    def forget_all(self, session: Session, user_id: UserId) -> int:
        """Delete everything that is remembered of a person; returns how many entries that were."""
        return withdraw(session, ProfileEntry, user_id)

    def move(self, session: Session, *, from_id: UserId, to_id: UserId) -> None:
        """Seal one person's entries anew under the key of the person they were linked to; the newer of two wins."""
        mine = {entry.fact.key: entry for entry in self.entries(session, to_id)}
        for entry in self.entries(session, from_id):
            there = mine.get(entry.fact.key)
            if there is not None and there.updated_at >= entry.updated_at:
                continue
            self.remember(session, to_id, entry.fact, source=entry.source, now=entry.updated_at, turn_id=entry.turn_id)
        self.forget_all(session, from_id)

    def _find(self, session: Session, user_id: UserId, fact: Fact) -> ProfileEntry | None:
        return session.scalars(
            select(ProfileEntry).where(
                ProfileEntry.user_id == user_id,
                ProfileEntry.kind == fact.kind.value,
                ProfileEntry.lookup_hash == self._hash(user_id, fact),
            )
        ).one_or_none()

    def _write(
        self,
        user_id: UserId,
        row: ProfileEntry,
        fact: Fact,
        *,
        source: Source,
        turn_id: TurnId | None,
        now: datetime,
    ) -> None:
        seal = self._privacy.sealer.seal
        body = json.dumps({"slot": fact.slot, "text": fact.text}, ensure_ascii=False)
        row.body = seal(user_id, ProfileEntry.body, row.id, body)
        row.vector = seal(user_id, ProfileEntry.vector, row.id, fact.vector) if fact.vector is not None else None
        row.source, row.turn_id = source.value, turn_id
        row.updated_at = now

    def _make_room(self, session: Session, user_id: UserId) -> None:
        kept = session.execute(
            select(ProfileEntry.id, ProfileEntry.source)
            .where(ProfileEntry.user_id == user_id, is_in_use(ProfileEntry.expires_at))
            .order_by(ProfileEntry.updated_at, ProfileEntry.id)
        ).all()
        if len(kept) < MOST_ENTRIES:
            return
        oldest = next((row.id for row in kept if row.source == Source.LEARNED.value), None)
        if oldest is None:
            raise ProfileFull(f"There are {MOST_ENTRIES} entries already. Forget some with: /memory forget NUMBER")
        withdraw(session, ProfileEntry, user_id, ProfileEntry.id == oldest)

    def _hash(self, user_id: UserId, fact: Fact) -> bytes:
        return self._privacy.lookup.hash("profile", str(user_id), fact.kind.value, fact.key)

    def _opened(self, user_id: UserId, row: ProfileEntry) -> Entry:
        sealer = self._privacy.sealer
        body = json.loads(sealer.open_text(user_id, ProfileEntry.body, row.id, row.body))
        vector = sealer.open(user_id, ProfileEntry.vector, row.id, row.vector) if row.vector is not None else None
        slot = Slot(body["slot"]) if body["slot"] else None
        return Entry(
            id=row.id,
            fact=Fact(EntryKind(row.kind), body["text"], slot, vector),
            source=Source(row.source),
            turn_id=TurnId(row.turn_id) if row.turn_id else None,
            created_at=row.created_at,
            updated_at=row.updated_at,
        )


def in_order(entries: Sequence[Entry]) -> list[Entry]:
    """Entries as they are shown and numbered: preferences, interests, memories, each oldest first."""
    kinds = list(EntryKind)
    return sorted(entries, key=lambda entry: (kinds.index(entry.fact.kind), entry.created_at, entry.id))
