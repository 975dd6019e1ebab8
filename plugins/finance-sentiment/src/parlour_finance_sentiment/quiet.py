"""Quiet hours: from when to when nothing is told, in the operator's time zone."""

import re
from dataclasses import dataclass
from datetime import datetime, time
from typing import Final
from zoneinfo import ZoneInfo

_SPAN: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)\s*[-–]\s*([01]\d|2[0-3]):([0-5]\d)")


class BadQuietHours(Exception):
    """The setting `quiet_hours` or `timezone` cannot be read."""


@dataclass(frozen=True, slots=True)
class Quiet:
    """A span of the day; over midnight where it ends before it begins."""

    begins: time
    ends: time
    zone: ZoneInfo

    def holds(self, now: datetime) -> bool:
        """Whether nothing may be told now."""
        at = now.astimezone(self.zone).time()
        if self.begins <= self.ends:
            return self.begins <= at < self.ends
        return at >= self.begins or at < self.ends


def read_quiet(text: str, zone: str) -> Quiet | None:
    """The quiet hours in a setting: `22:00-07:00`; None for an empty one. Raises `BadQuietHours`."""
    if not text.strip():
        return None
    found = _SPAN.fullmatch(text.strip())
    if found is None:
        raise BadQuietHours(f"quiet_hours={text[:40]!r} is no span of time. Write 22:00-07:00.")
    try:
        known = ZoneInfo(zone)
    except (OSError, ValueError, KeyError):
        raise BadQuietHours(
            f"timezone={zone[:40]!r} is unknown. Write one like Europe/Berlin or Asia/Shanghai."
        ) from None
    hours = [int(part) for part in found.groups()]
    return Quiet(time(hours[0], hours[1]), time(hours[2], hours[3]), known)
