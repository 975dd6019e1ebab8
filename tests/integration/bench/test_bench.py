"""Every benchmark runs, small, and says that nothing was lost, doubled or out of order. No timing is asserted."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from parlour.bench.skills import starting
from parlour.bench.skills.data import Data
from tests.processes import PARLOUR

_TIMEOUT_S = 240


def _bench(folder: Path, *arguments: str) -> dict[str, Any]:
    """What `parlour bench` writes. Raises `AssertionError` with its output when it does not end well."""
    figures = folder / "figures" / "bench.json"
    done = subprocess.run(
        [*PARLOUR, "bench", *arguments, "--json-file", str(figures)],
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        cwd=folder,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told: dict[str, Any] = json.loads(figures.read_text(encoding="utf-8"))
    return told


def _assert_sound(row: dict[str, Any], *, answers: int) -> None:
    assert row["turns"] == answers
    assert (row["lost"], row["doubled"], row["misordered"]) == (0, 0, 0)
    assert 0 < row["p50_ms"] <= row["p99_ms"]
    assert row["turns_per_s"] > 0


def test_the_pipeline_is_measured_beside_its_reference(tmp_path: Path) -> None:
    told = _bench(tmp_path, "pipeline", "--users", "2", "--turns", "3", "--warm-up", "1", "--memory")

    embedded, reference = told["tables"]["From event to delivered answer"]
    _assert_sound(embedded, answers=6)
    _assert_sound(reference, answers=6)
    assert embedded["layout"] == "embedded"
    assert "python-telegram-bot" in reference["layout"]
    assert all(row["pss_mb"] > 0 for row in told["tables"]["parlour up with the echo engine, idle"])
    assert told["machine"]["cores"] > 0


def test_the_production_layout_is_measured_at_a_rate(tmp_path: Path, postgres_url: str, redis_url: str) -> None:
    servers = ("--postgres", postgres_url, "--redis", redis_url)
    shape = ("--users", "3", "--turns", "3", "--warm-up", "1", "--rate", "10", "--workers", "2")

    told = _bench(tmp_path, "pipeline", "--layout", "production", "--no-reference", *shape, *servers)

    [row] = told["tables"]["From event to delivered answer"]
    _assert_sound(row, answers=9)
    assert row["workers"] == 2
    assert postgres_url not in json.dumps(told)


def test_turns_are_measured_by_how_much_is_stored(tmp_path: Path, postgres_url: str) -> None:
    told = _bench(
        tmp_path,
        "sizes",
        "--users",
        "20",
        "--users",
        "60",
        "--messages",
        "3",
        "--turns",
        "40",
        "--postgres",
        postgres_url,
    )

    small, large = told["tables"]["Turns by what is stored"]
    assert (small["users"], small["messages"], large["users"], large["messages"]) == (20, 60, 60, 180)
    assert small["turns"] == large["turns"] == 40
    assert small["p50_to_first"] == 1.0
    assert large["p50_to_first"] > 0


def test_a_layout_that_does_not_exist_is_wrong_usage(tmp_path: Path) -> None:
    command = [*PARLOUR, "bench", "pipeline", "--layout", "cloud"]

    done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, cwd=tmp_path, check=False)

    assert done.returncode == 2
    assert "cloud" in done.stderr


def test_serving_through_celery_is_measured_beside_the_bare_engine(tmp_path: Path, redis_url: str) -> None:
    shape = ("--people", "2", "--questions", "2", "--rounds", "2", "--max-tokens", "8")

    told = _bench(tmp_path, "serving", "--engine", "echo", "--redis", redis_url, *shape)

    through, bare = told["tables"]["Serving"]
    assert (through["answers"], bare["answers"]) == (8, 8)
    assert through["tokens"] == bare["tokens"] > 0
    assert bare["ratio_to_bare"] == 1
    assert through["tokens_per_s"] > 0


def test_privacy_is_measured_on_both_databases(tmp_path: Path, postgres_url: str) -> None:
    """Sealing, wrapping anew, erasing, purging and turns beside it; the tables are filled and emptied as they say."""
    shape = ("--turns", "5", "--keys", "20", "--messages", "30", "--table", "100", "--rounds", "1", "--seconds", "1")

    told = _bench(tmp_path, "privacy", "--postgres", postgres_url, *shape)

    tables = told["tables"]
    [sealing] = tables["Sealing and opening a turn with 20 messages of history"]
    assert 0 < sealing["p50_ms"] <= sealing["p99_ms"]
    assert 0 < sealing["share_of_turn"] < 1
    [wrapped] = tables["Wrapping keys anew, file provider"]
    assert wrapped["keys"] == 22
    assert [row["database"] for row in tables["Erasing a person"]] == ["sqlite", "postgresql"]
    assert all(row["messages"] == 30 and row["refused_elsewhere_s"] > 0 for row in tables["Erasing a person"])
    [purged] = tables["Purging messages that are past their time"]
    assert (purged["table_rows"], purged["purged_a_round"]) == (100, 50)
    [turns] = tables["Turns meanwhile, from event to committed answer"]
    assert turns["turns_alone"] > 0
    assert turns["turns_purging"] > 0
    assert turns["purged_meanwhile"] >= 100
    assert postgres_url not in json.dumps(told)


def test_a_start_is_measured_with_skills_and_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "_SKILLS", 1)
    monkeypatch.setattr(starting, "_STARTS", 1)

    (rows,) = starting.run(Data(None), 0).values()

    assert [row["skills installed"] for row in rows] == ["none", "1", "added"]
    assert all(row["fastest_s"] > 0 and row["median_cpu_s"] > 0 for row in rows[:2])
