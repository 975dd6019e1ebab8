"""Counts over what people have in common, behind `Crowd`: opened here, counted here, and told only of many."""

import json
from collections.abc import Iterator
from datetime import timedelta
from itertools import groupby, islice
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import or_, select

from parlour.privacy.errors import KeyShredded, KeysMissing
from parlour.privacy.service import Privacy
from parlour.sdk import crowd
from parlour.store.clock import Clock
from parlour.store.database import Database
from parlour.store.ids import SkillId, UserId
from parlour.store.skill_models import SkillDocument

_ROWS_AT_ONCE: Final = 1_000
_TOLD_AT_ONCE: Final = 5_000
_LONGEST_VALUE: Final = 200


class CrowdCounts:
    """Counts over the documents that one skill keeps about people. Each count reads them anew: the erased are gone."""

    def __init__(self, *, database: Database, privacy: Privacy, clock: Clock) -> None:
        self._database = database
        self._privacy = privacy
        self._clock = clock

    def counts(self, skill_id: SkillId, kind: str, field: str, days: int | None) -> Iterator[list[Any]]:
        """Lists of values and how many people have each."""
        found = crowd.counts(self._people(skill_id, kind, field, days))
        return _lists([value, number] for value, number in found.items())

    def pairs(self, skill_id: SkillId, kind: str, field: str, within: int | None) -> Iterator[list[Any]]:
        """Lists of two values and how many people have both."""
        found = crowd.pairs(self._people(skill_id, kind, field, None), within=within)
        return _lists([*pair] for pair in found)

    def _people(self, skill_id: SkillId, kind: str, field: str, days: int | None) -> Iterator[list[str]]:
        """For each person, what the field holds in the person's documents, in the order they were made."""
        now = self._clock.now()
        wanted = (
            select(SkillDocument)
            .where(
                SkillDocument.skill_id == skill_id,
                SkillDocument.kind == kind,
                SkillDocument.user_id.is_not(None),
                or_(SkillDocument.expires_at.is_(None), SkillDocument.expires_at > now),
            )
            .order_by(SkillDocument.subject_id, SkillDocument.created_at, SkillDocument.id)
            .execution_options(yield_per=_ROWS_AT_ONCE)
        )
        if days is not None:
            wanted = wanted.where(SkillDocument.updated_at > now - timedelta(days=days))
        with self._database.read() as session, session.scalars(wanted) as found:
            for _, rows in groupby(found, key=attrgetter("subject_id")):
                yield [value for row in rows if (value := self._value(row, field)) is not None]

    def _value(self, row: SkillDocument, field: str) -> str | None:
        try:
            body = self._privacy.sealer.open(UserId(row.subject_id), SkillDocument.body, row.id, row.body)
        except (KeysMissing, KeyShredded):  # erased in this moment
            return None
        value = json.loads(body).get(field)
        return value if isinstance(value, str) and len(value) <= _LONGEST_VALUE else None


def _lists(found: Iterator[list[Any]]) -> Iterator[list[Any]]:
    while piece := list(islice(found, _TOLD_AT_ONCE)):
        yield piece
