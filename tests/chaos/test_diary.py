"""A log of schedules tells what was played, and a table can be made of it."""

import json
from pathlib import Path

from parlour.turns.states import Mode
from tests.chaos.diary import Broken, Diary, is_clean, rows
from tests.chaos.judge import Verdict
from tests.chaos.play import Played
from tests.chaos.table import as_json, table

TOOK_S = {"talk": 6.04, "mending": 0.5, "settled": 1.26}


def played(seed: int, *, lost: tuple[str, ...] = ()) -> Played:
    verdict = Verdict(48, lost, (), (), (), ())
    return Played(
        seed, ("1.0 s slow",), 12, 48, Mode.QUEUE, verdict, TOOK_S, "what it printed", ({"what": "user_wrote"},)
    )


def test_a_run_goes_on_after_the_seeds_that_the_log_tells_of(tmp_path: Path) -> None:
    diary = Diary(tmp_path / "log.jsonl")
    assert diary.seeds("production") == set()

    diary.note(played(1), "production")
    diary.note(Broken(2, "Traceback\nAssertionError: not ready"), "production")
    diary.note(played(3), "embedded")

    assert diary.seeds("production") == {1, 2}
    assert diary.seeds("embedded") == {3}


def test_what_was_unclean_leaves_all_that_is_needed_to_find_out_why(tmp_path: Path) -> None:
    diary = Diary(tmp_path / "log.jsonl")

    diary.note(played(1), "production")
    diary.note(played(2, lost=("a",)), "production")

    beside = {file.name: file.read_text() for file in tmp_path.iterdir() if file != diary.file}
    assert beside == {
        "log-production-2.txt": "what it printed",
        "log-production-2.journal.jsonl": '{"what": "user_wrote"}',
    }


def test_the_table_counts_by_layout_and_commit_and_tells_of_each_unclean_one(tmp_path: Path) -> None:
    diary = Diary(tmp_path / "log.jsonl")
    for one in (played(1), played(2), played(4, lost=("a", "b")), Broken(5, "AssertionError: not ready")):
        diary.note(one, "production")
    told = [{**row, "commit": "abc", "load": 2.0} for row in rows([diary.file])]

    lines = table(told).splitlines()

    assert [is_clean(row) for row in told] == [True, True, False, False]
    assert lines[2:] == [
        "| production | abc | 1 to 2, 4 to 5 | 4 | 2 | 144 | 12 | 2 to 2 | 2 | 0 | 0 | 0 | 0 |",
        "",
        "- production 4 at abc: lost 2; 1.0 s slow",
        "- production 5 at abc: AssertionError: not ready",
    ]
    assert lines[1].count("|") == lines[0].count("|") == lines[2].count("|")
    kept = json.loads(as_json(told))["runs"]
    assert [run.get("lost") for run in kept] == [0, 0, 2, None]
    assert kept[0]["settled_s"] == 1.3
