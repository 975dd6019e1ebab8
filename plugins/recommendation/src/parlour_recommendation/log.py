"""A log of what people did, read row by row. The people in it are names that are forgotten when it was read."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from sys import intern
from typing import Any, Final

from parlour_recommendation.behaviour import Liking
from parlour_recommendation.catalogue import Catalogue, Report
from parlour_recommendation.history import LIKING, LOOKING
from parlour_recommendation.rows import Broken, Row

_MOST_ROWS: Final = 1_000_000
_LONGEST_NAME: Final = 200
# What says nothing for an item; it is kept from being taken for a choice not made.
_AWAY: Final = frozenset({"dismiss"})


@dataclass
class Log:
    """What was liked, and what was looked at or put away, and what came of the rows."""

    likings: list[Liking] = field(default_factory=list)
    seen: list[Liking] = field(default_factory=list)
    report: Report = field(default_factory=Report)


async def read_log(rows: AsyncIterator[Row | Broken], catalogue: Catalogue) -> Log:
    """Read all rows; a broken one is counted, and the first ones told."""
    log = Log()
    async for row in rows:
        one = _read(row, catalogue) if isinstance(row, Row) else row
        if isinstance(one, Broken):
            log.report.refuse(one)
        elif log.report.kept >= _MOST_ROWS:
            log.report.refuse(Broken(row.number, f"is more than {_MOST_ROWS:,} rows, which is the most"))
        else:
            log.report.kept += 1
            (log.likings if one[1] in LIKING else log.seen).append(one[0])
    return log


def _read(row: Row, catalogue: Catalogue) -> tuple[Liking, str] | Broken:
    person, item = _name(row.fields, "person"), _name(row.fields, "item")
    kind = _name(row.fields, "kind") or "like"
    if not person or not item:
        return Broken(row.number, f"has no {'item' if person else 'person'}")
    if kind not in LIKING | LOOKING | _AWAY:
        return Broken(row.number, f"has a kind that is none of {', '.join(sorted(LIKING | LOOKING | _AWAY))}")
    if catalogue.places([item])[0] < 0:
        return Broken(row.number, "names an item that the catalogue has not")
    try:
        at = _time(row.fields.get("time"))
    except ValueError:
        return Broken(row.number, "has a time that is none, such as 2026-11-25T08:00 or seconds since 1970")
    return Liking(intern(person), intern(item), at), kind


def _name(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    return "" if value is None else str(value).strip()[:_LONGEST_NAME]


def _time(value: object) -> float:
    text = str(value if value is not None else "").strip()
    if text.replace(".", "", 1).isdigit():
        return float(text)
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
