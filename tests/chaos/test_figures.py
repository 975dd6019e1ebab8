"""Figures under faults are made, small, by the same code that makes them in full. No timing is asserted."""

import argparse
from pathlib import Path

import pytest

from parlour.bench.report import Report
from tests.chaos import figures
from tests.chaos.crowd import Crowd
from tests.chaos.house import production
from tests.chaos.nursery import Nursery
from tests.fakes.telegram import FakeTelegram
from tests.services import PostgresDatabases, RedisServer


class _Services:
    """The Redis alone is to be stopped here."""

    def __init__(self, redis: RedisServer) -> None:
        self.redis = redis


@pytest.mark.timeout(900)
def test_figures_are_made_of_what_happens(
    tmp_path: Path,
    postgres_databases: PostgresDatabases,
    redis_server: RedisServer,
    telegram: FakeTelegram,
    crowd: Crowd,
    nursery: Nursery,
) -> None:
    options = argparse.Namespace(rounds=1, seconds=1.0, rate=4.0)
    report = Report("outage", {})
    with production(
        tmp_path, postgres_databases, f"{redis_server.url}/0", telegram, nursery=nursery, pace="0"
    ) as house:
        ground = figures.Ground(house, _Services(redis_server), telegram, crowd)  # type: ignore[arg-type]
        figures.outage(ground, options, report)
        figures.long_run(ground, options, report)

        verdict = crowd.settled(patience_s=60)
        assert verdict.is_clean, f"{verdict}\n{house.output[-6000:]}"
    [away] = report.tables["Redis away"]
    assert away["answered_after_return"] == len(crowd.people)
    assert 0 < away["first_after_s"] <= away["last_after_s"]
    assert {row["process"] for row in report.tables["Slopes"]} == set(house.processes)
    assert any(row["table"] == "messages" and row["grown"] > 0 for row in report.tables["Tables that grew"])
    figures.plot(report, "round", ("first_after_s",), tmp_path / "plot.svg")
    assert "<svg" in (tmp_path / "plot.svg").read_text(encoding="utf-8")


def test_a_slope_is_that_of_the_line() -> None:
    assert figures._slope([(0.0, 10.0, 5), (1_800.0, 11.0, 6), (3_600.0, 12.0, 7)]) == {
        "rss_mb": 12.0,
        "mb_per_hour": 2.0,
        "descriptors_before": 5,
        "descriptors_after": 7,
    }
