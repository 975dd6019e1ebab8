"""The documents that skills keep, behind `UserStore` and `SharedStore`. Sealed; nobody but the skill sees them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, delete, func, or_, select
from sqlalchemy.orm import Session

from parlour.privacy.classes import DataClass
from parlour.privacy.retention import Retention
from parlour.privacy.service import Privacy
from parlour.privacy.withdrawing import is_held, is_in_use, set_aside, withdraw
from parlour.sdk.errors import Invalid, TooMuch
from parlour.store.changes import changed_rows
from parlour.store.clock import Clock
from parlour.store.database import Database
from parlour.store.ids import SkillId, SubjectId, UserId, WorkspaceId, new_id
from parlour.store.skill_models import SkillDocument

LARGEST_BYTES: Final = 64_000
MOST_DOCUMENTS: Final = 10_000
MOST_AT_ONCE: Final = 1_000
_LONGEST_ID: Final = 200


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where one skill keeps the documents of one person, or of the workspace."""

    skill_id: SkillId
    workspace_id: WorkspaceId
    user_id: UserId | None = None

    @property
    def subject_id(self) -> SubjectId:
        """Whose key seals them."""
        return self.workspace_id if self.user_id is None else self.user_id


class Documents:
    """All shelves. Documents about a person go when they were not touched for as long as the rules say."""

    def __init__(self, *, database: Database, privacy: Privacy, clock: Clock, retention: Retention) -> None:
        self._database = database
        self._privacy = privacy
        self._clock = clock
        self._retention = retention

    def put(self, shelf: Shelf, kind: str, document: Mapping[str, Any], name: str | None) -> str:
        """Store it under `name`, made up where there is none, and return that. Raises `Invalid` and `TooMuch`."""
        name = str(new_id()) if name is None else _checked_name(name)
        body = _packed({**document, "id": name})
        now = self._clock.now()
        with self._database.begin() as session:
            row = session.scalars(self._wanted(shelf, kind, name)).one_or_none()
            if row is None:
                self._refuse_full(session, shelf)
                row = SkillDocument(
                    id=new_id(),
                    skill_id=shelf.skill_id,
                    subject_id=shelf.subject_id,
                    user_id=shelf.user_id,
                    kind=kind,
                    lookup_hash=self._hash(shelf, kind, name),
                    created_at=now,
                )
                session.add(row)
            row.body = self._privacy.sealer.seal(shelf.subject_id, SkillDocument.body, row.id, body)
            row.updated_at = now
            row.expires_at = self._until(session, shelf, now)
        return name

    def get(self, shelf: Shelf, kind: str, name: str) -> dict[str, Any] | None:
        """The document, None where there is none."""
        with self._database.read() as session:
            wanted = self._wanted(shelf, kind, _checked_name(name)).where(self._is_kept())
            row = session.scalars(wanted).one_or_none()
        return None if row is None else self._opened(shelf, row)

    def all(self, shelf: Shelf, kind: str) -> list[dict[str, Any]]:
        """All of a kind, oldest first, at most `MOST_AT_ONCE`."""
        wanted = (
            select(SkillDocument)
            .where(
                SkillDocument.skill_id == shelf.skill_id,
                SkillDocument.subject_id == shelf.subject_id,
                SkillDocument.kind == kind,
                self._is_kept(),
            )
            .order_by(SkillDocument.created_at, SkillDocument.id)
            .limit(MOST_AT_ONCE)
        )
        with self._database.read() as session:
            return [self._opened(shelf, row) for row in session.scalars(wanted)]

    def delete(self, shelf: Shelf, kind: str, name: str) -> bool:
        """Delete it; whether there was one."""
        with self._database.begin() as session:
            on_it = _on(shelf, kind), SkillDocument.lookup_hash == self._hash(shelf, kind, _checked_name(name))
            if shelf.user_id is None:
                return changed_rows(session, delete(SkillDocument).where(*on_it)) > 0
            return withdraw(session, SkillDocument, shelf.user_id, *on_it) > 0

    def _wanted(self, shelf: Shelf, kind: str, name: str) -> Any:  # noqa: ANN401 (a select)
        found = SkillDocument.lookup_hash == self._hash(shelf, kind, name)
        return select(SkillDocument).where(_on(shelf, kind), found)

    def _is_kept(self) -> ColumnElement[bool]:
        """Not past its date: what is goes with the next purge, and is read by nobody before that."""
        return or_(SkillDocument.expires_at.is_(None), SkillDocument.expires_at > self._clock.now())

    def _until(self, session: Session, shelf: Shelf, now: datetime) -> datetime | None:
        if shelf.user_id is None:
            return None
        return self._retention.until_of_person(session, DataClass.SKILL_DOCUMENT, shelf.workspace_id, now)

    def _hash(self, shelf: Shelf, kind: str, name: str) -> bytes:
        return _name_hash(self._privacy, shelf.skill_id, shelf.subject_id, kind, name)

    def _opened(self, shelf: Shelf, row: SkillDocument) -> dict[str, Any]:
        body = self._privacy.sealer.open(shelf.subject_id, SkillDocument.body, row.id, row.body)
        document: dict[str, Any] = json.loads(body)
        return document

    def _refuse_full(self, session: Session, shelf: Shelf) -> None:
        on_it = SkillDocument.skill_id == shelf.skill_id, SkillDocument.subject_id == shelf.subject_id, self._is_kept()
        if session.scalars(select(func.count()).select_from(SkillDocument).where(*on_it)).one() >= MOST_DOCUMENTS:
            raise TooMuch(f"There are {MOST_DOCUMENTS:,} documents already. Delete some.")


def move_documents(session: Session, privacy: Privacy, *, from_id: UserId, to_id: UserId) -> None:
    """Seal a person's documents anew under the key of the user they were linked to; of two by one name theirs stays."""
    kept = select(SkillDocument.lookup_hash).where(SkillDocument.user_id == to_id)
    taken = set(session.scalars(kept))
    is_kept, theirs = is_held(session, from_id), SkillDocument.user_id == from_id
    for row in session.scalars(select(SkillDocument).where(theirs, is_in_use(SkillDocument.expires_at))):
        body = privacy.sealer.open(from_id, SkillDocument.body, row.id, row.body)
        found_by = _name_hash(privacy, SkillId(row.skill_id), to_id, row.kind, str(json.loads(body)["id"]))
        if found_by in taken:
            if is_kept:
                set_aside(row)
            else:
                session.delete(row)
            continue
        row.subject_id = row.user_id = to_id
        row.lookup_hash = found_by
        row.body = privacy.sealer.seal(to_id, SkillDocument.body, row.id, body)


def _name_hash(privacy: Privacy, skill_id: SkillId, subject_id: SubjectId, kind: str, name: str) -> bytes:
    return privacy.lookup.hash("skill-document", str(skill_id), str(subject_id), kind, name)


def _on(shelf: Shelf, kind: str) -> Any:  # noqa: ANN401 (a condition)
    return (
        (SkillDocument.skill_id == shelf.skill_id)
        & (SkillDocument.subject_id == shelf.subject_id)
        & (SkillDocument.kind == kind)
    )


def _checked_name(name: object) -> str:
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_ID:
        raise Invalid(f"A document's id is a text of 1 to {_LONGEST_ID} characters.")
    return name


def _packed(document: Mapping[str, Any]) -> bytes:
    try:
        body = json.dumps(document, allow_nan=False).encode()
    except (TypeError, ValueError):
        raise Invalid("A document holds what JSON has not. Use None, bool, int, float, str, list and dict.") from None
    if len(body) > LARGEST_BYTES:
        raise TooMuch(f"A document has {len(body):,} bytes as JSON; the most is {LARGEST_BYTES:,}.")
    return body
