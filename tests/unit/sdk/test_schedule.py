"""When jobs run."""

from datetime import UTC, datetime, timedelta

import pytest

from parlour.sdk.schedule import read_schedule

MONDAY = datetime(2026, 1, 5, 9, 30, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "then"),
    [
        ("30s", MONDAY + timedelta(seconds=30)),
        ("2h", MONDAY + timedelta(hours=2)),
        ("* * * * *", datetime(2026, 1, 5, 9, 31, tzinfo=UTC)),
        ("0 7 * * *", datetime(2026, 1, 6, 7, tzinfo=UTC)),
        ("*/20 * * * *", datetime(2026, 1, 5, 9, 40, tzinfo=UTC)),
        ("0 7 * * 0", datetime(2026, 1, 11, 7, tzinfo=UTC)),
        ("0 7 * * 7", datetime(2026, 1, 11, 7, tzinfo=UTC)),
        ("0 7 * * 6-7", datetime(2026, 1, 10, 7, tzinfo=UTC)),
        ("15,45 9-10 * * *", datetime(2026, 1, 5, 9, 45, tzinfo=UTC)),
        ("0 0 29 2 *", datetime(2028, 2, 29, tzinfo=UTC)),
        ("0 0 13 * 5", datetime(2026, 1, 9, tzinfo=UTC)),
    ],
)
def test_the_next_time_is_the_first_after(schedule: str, then: datetime) -> None:
    assert read_schedule(schedule)(MONDAY) == then
