"""Surges are found, told once, and nothing is told that chance explains."""

import math
import random
from datetime import UTC, datetime, timedelta

import pytest

from parlour.sdk.testing import FakeClock, Rehearsal
from parlour_finance_sentiment import skill
from parlour_finance_sentiment.quiet import BadQuietHours, read_quiet
from parlour_finance_sentiment.surge import PERIODS_A_DAY, History, chance_of, find_surge, variation_of

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)


def steady(days: int, rate: float, seed: int = 0) -> list[int]:
    """Counts as chance makes them: a Poisson process of so many a period."""
    chance = random.Random(seed)
    counts = []
    for _ in range(days * PERIODS_A_DAY):
        count, left = 0, math.exp(-rate)
        product = chance.random()
        while product > left:
            count, product = count + 1, product * chance.random()
        counts.append(count)
    return counts


def test_the_chance_is_that_of_the_binomial() -> None:
    """Of 12 events 5 in one span of 8: the tail of a binomial with 1/8."""
    exact = sum(math.comb(12, k) * (1 / 8) ** k * (7 / 8) ** (12 - k) for k in range(5, 13))

    assert chance_of(5, 7, 7, 0.0) == pytest.approx(exact)
    assert chance_of(5, 7, 7, 1e-7) == pytest.approx(exact, rel=1e-4)


def test_bursts_make_a_surge_less_remarkable() -> None:
    assert chance_of(20, 100, 20, 0.5) > 100 * chance_of(20, 100, 20, 0.0)


def test_variation_beyond_chance_is_read_from_the_history() -> None:
    assert variation_of(History(steady(28, 4.0), 0), 1) < 0.08
    chance = random.Random(1)
    bursty = [count * chance.choice((0, 2)) for count in steady(28, 4.0)]
    assert variation_of(History(bursty, 0), 1) > 0.5


def test_steady_news_is_no_surge_and_ten_times_as_much_is() -> None:
    counts = steady(28, 2.0)

    assert find_surge(History(counts, 0), alarms_a_year=4) is None
    found = find_surge(History([*counts[:-2], 20, 22], 0), alarms_a_year=4)
    assert found is not None
    assert found.count >= 22
    assert found.chance < 1e-6


def test_busy_mornings_are_compared_with_mornings() -> None:
    day = [0] * 18 + [15] * 6 + [1] * 24
    counts = day * 28

    for at in range(18, 24):
        assert find_surge(History(counts[: 27 * PERIODS_A_DAY + at + 1], 0), alarms_a_year=52) is None


def test_without_a_week_of_history_nothing_is_told() -> None:
    assert find_surge(History([*[0] * (3 * PERIODS_A_DAY), 50], 0), alarms_a_year=52) is None


def test_a_surge_that_was_told_does_not_count_as_usual() -> None:
    counts = steady(28, 2.0)
    surged = set(range(24 * PERIODS_A_DAY, 25 * PERIODS_A_DAY))
    for place in surged:
        counts[place] += 100
    counts[-1] = 12

    assert find_surge(History(counts, 0, excluded=surged), alarms_a_year=4) is not None


@pytest.mark.parametrize(
    ("text", "at", "is_quiet"),
    [
        ("22:00-07:00", "2026-01-05T23:30:00+00:00", True),
        ("22:00-07:00", "2026-01-05T06:59:00+00:00", True),
        ("22:00-07:00", "2026-01-05T07:00:00+00:00", False),
        ("12:00-13:00", "2026-01-05T12:30:00+00:00", True),
    ],
)
def test_quiet_hours_hold_over_midnight(text: str, at: str, is_quiet: bool) -> None:
    quiet = read_quiet(text, "UTC")

    assert quiet is not None
    assert quiet.holds(datetime.fromisoformat(at)) is is_quiet


def test_quiet_hours_are_those_of_the_operators_zone() -> None:
    quiet = read_quiet("22:00-07:00", "Asia/Shanghai")

    assert quiet is not None
    assert quiet.holds(datetime(2026, 1, 5, 15, tzinfo=UTC))


@pytest.mark.parametrize(("text", "zone"), [("late", "UTC"), ("25:00-07:00", "UTC"), ("22:00-07:00", "Mars/Base")])
def test_quiet_hours_that_cannot_be_read_name_the_setting(text: str, zone: str) -> None:
    with pytest.raises(BadQuietHours, match=r"quiet_hours=|timezone="):
        read_quiet(text, zone)


class Newsroom:
    """The skill on stage, its sources giving so many bad headlines on Boeing in each half hour."""

    def __init__(self, **settings: object) -> None:
        self.stage = Rehearsal(skill, clock=FakeClock(MONDAY), settings=settings)
        self.stage.command("finance", "watch BA")
        self._serial = 0

    def pass_days(self, days: int, counts: list[int]) -> None:
        """Fill the counts of days that passed, without reading each headline."""
        started = self.stage.clock.now()
        for place in range(days * PERIODS_A_DAY):
            at = started + timedelta(minutes=30 * place)
            document = self.stage.shared.documents.setdefault(("tally", f"BA/{at:%Y-%m}"), {"slots": {}})
            document["slots"][f"{at.day}:{(at.hour * 60 + at.minute) // 30}"] = [counts[place], 0, 0]
        self.stage.clock.advance(days * 86_400)

    def half_hour(self, headlines: int) -> None:
        """Read so many headlines, then poll when the half hour is over."""
        words = ["strike", "fire", "probe", "recall", "lawsuit", "fraud", "default", "outage", "layoffs", "crash"]
        for _ in range(headlines):
            self._serial += 1
            word = words[self._serial % 10]
            self.stage.command(
                "finance", f"read Boeing hit by {word} number {self._serial} at plant {self._serial * 7}"
            )
        self.stage.clock.advance(1_800)
        self.stage.tick("poll")

    @property
    def told(self) -> list[str]:
        """What the conversation was told."""
        return [text for _, text in self.stage.notify.told]


def test_a_surge_is_told_once_with_the_items_a_chart_and_buttons() -> None:
    room = Newsroom()
    room.pass_days(14, steady(14, 1.0))

    for _ in range(4):
        room.half_hour(15)

    assert len(room.told) == 1
    assert "Bad news about BA (Boeing) surges" in room.told[0]
    assert "Boeing hit by" in room.told[0]
    kinds = [type(reply).__name__ for reply in room.stage.notify.replies[0][1]]
    assert kinds == ["Text", "Chart", "Buttons"]
    why = room.stage.command("finance", "why BA").text
    assert "Surge of BA (Boeing)" in why
    assert "p = " in why


def test_when_it_is_over_that_is_told_and_the_next_surge_is_another() -> None:
    room = Newsroom()
    room.pass_days(14, steady(14, 1.0))
    room.half_hour(15)
    room.half_hour(15)
    for _ in range(10):
        room.half_hour(1)
    assert [text[:20] for text in room.told[1:]] == ["News about BA (Boein"]

    room.half_hour(25)
    room.half_hour(25)

    assert len(room.told) == 3
    assert "surges" in room.told[2]


def test_who_acknowledges_hears_no_more_of_it() -> None:
    room = Newsroom()
    room.pass_days(14, steady(14, 1.0))
    room.half_hour(15)
    room.half_hour(15)

    assert "no more about this surge" in room.stage.command("finance", "ack 波音").text
    for _ in range(10):
        room.half_hour(1)

    assert len(room.told) == 1
    assert "no open surge" in room.stage.command("finance", "ack BA").text


def test_quiet_hours_hold_an_alert_back_and_say_when_it_was_found() -> None:
    room = Newsroom(quiet_hours="00:00-03:00")
    room.pass_days(14, steady(14, 1.0))

    for _ in range(7):
        room.half_hour(12)

    assert len(room.told) == 1
    assert "held back by the quiet hours" in room.told[0]


def test_who_watches_no_more_is_told_no_more() -> None:
    room = Newsroom()
    room.pass_days(14, steady(14, 1.0))
    room.stage.command("finance", "unwatch BA")

    room.half_hour(20)

    assert room.told == []
    assert not [name for kind, name in room.stage.shared.documents if kind == "watch"]
