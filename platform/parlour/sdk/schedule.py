"""When a job runs: at intervals (`5m`) or at the times of a cron line (`0 7 * * 1-5`), in UTC."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_INTERVAL: Final = re.compile(r"([1-9][0-9]{0,5})([smhd])")
# minute, hour, day of the month, month, day of the week (0 and 7 are Sunday)
_RANGES: Final = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_SHORTEST_S: Final = 10
# The longest that a cron line can be silent: 29 February over a century that is no leap year.
_LOOK_AHEAD_DAYS: Final = 8 * 366

Schedule = Callable[[datetime], datetime]


def read_schedule(text: str) -> Schedule:
    """A function that tells the first time after a given one. Raises `ValueError` with the remedy."""
    if found := _INTERVAL.fullmatch(text):
        seconds = int(found[1]) * _UNITS[found[2]]
        if seconds < _SHORTEST_S:
            raise ValueError(f"{text!r} is too often. The shortest interval is {_SHORTEST_S}s.")
        return lambda after: after + timedelta(seconds=seconds)
    fields = text.split()
    if len(fields) != len(_RANGES):
        raise ValueError(f"{text!r} is no schedule. Write 5m, 2h, 1d, or a cron line such as 0 7 * * 1-5.")
    allowed = [_field(one, *limits, text) for one, limits in zip(fields, _RANGES, strict=True)]
    schedule = _cron(allowed, is_any_day=fields[2] == "*", is_any_weekday=fields[4] == "*")
    try:
        schedule(datetime(2000, 1, 1))  # noqa: DTZ001 (a naive time tells as well whether the line ever comes true)
    except LookupError:
        raise ValueError(f"{text!r} names a day that never comes.") from None
    return schedule


def _field(text: str, low: int, high: int, line: str) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"(?:\*|(\d{1,2})(?:-(\d{1,2}))?)(?:/(\d{1,2}))?", part)
        if match is None:
            raise ValueError(f"{line!r}: {part!r} is not understood. Use numbers, *, a-b, */n and commas.")
        first, last, step = match.groups()
        start = low if first is None else int(first)
        end = int(last) if last else (high if first is None or step else start)
        if not (low <= start <= end <= high) or step == "0":
            raise ValueError(f"{line!r}: {part!r} is outside {low} to {high}.")
        found.update(range(start, end + 1, int(step or 1)))
    return frozenset(found)


def _cron(allowed: list[frozenset[int]], *, is_any_day: bool, is_any_weekday: bool) -> Schedule:
    minutes, hours, days, months, weekdays = allowed

    def is_day(day: datetime) -> bool:
        by_date, by_week = day.day in days, bool({day.isoweekday(), day.isoweekday() % 7} & weekdays)
        # As cron does it: where both are given, either is enough.
        fits = by_date or by_week if not (is_any_day or is_any_weekday) else by_date and by_week
        return day.month in months and fits

    def following(after: datetime) -> datetime:
        start = after.replace(second=0, microsecond=0) + timedelta(minutes=1)
        midnight = start.replace(hour=0, minute=0)
        for number in range(_LOOK_AHEAD_DAYS):
            day = midnight + timedelta(days=number)
            if is_day(day):
                for hour in sorted(hours):
                    for minute in sorted(minutes):
                        moment = day.replace(hour=hour, minute=minute)
                        if moment >= start:
                            return moment
        raise LookupError("never")

    return following
