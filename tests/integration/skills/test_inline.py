"""`skills.isolation = inline`: a skill in this very process, with the same protocol, grants and honest ends."""

import gc
import os
import sys
import weakref
from dataclasses import replace
from pathlib import Path

import pytest

from parlour.skills.errors import SkillBroke, SkillFailed
from parlour.skills.process import SkillProcess
from tests.processes import until
from tests.support.skills import FakeDesk, launch, running, said

WHERE = """
@skill.answers("Hello")
async def answer(turn: Turn, mine: UserStore):
    if turn.text == "break": raise ValueError
    if turn.text == "ask": return str(await mine.all("plant"))
    return str(os.getpid())
"""


def test_it_answers_from_this_process_and_its_calls_are_checked_all_the_same(tmp_path: Path) -> None:
    desk = FakeDesk({"UserStore.all": lambda kind: [kind]})

    with running(tmp_path, WHERE, is_inline=True) as process:
        assert said(process) == str(os.getpid()) == str(process.pid)
        assert said(process, "ask", desk) == "['plant']"
        with pytest.raises(SkillFailed, match="NotGranted"):
            said(process, "ask")


def test_what_it_raises_ends_its_run_alone(tmp_path: Path) -> None:
    with running(tmp_path, WHERE, is_inline=True) as process:
        with pytest.raises(SkillFailed, match="ValueError"):
            said(process, "break")

        assert said(process) == str(os.getpid())


def test_another_version_is_loaded_anew(tmp_path: Path) -> None:
    first = launch(tmp_path / "one", WHERE, is_inline=True)
    SkillProcess(first).end("another version comes")
    newer = tmp_path / "two" / "code"
    newer.mkdir(parents=True)
    (module,) = (tmp_path / "one" / "code").glob("*.py")
    (newer / module.name).write_text(module.read_text().replace("return str(os.getpid())", "return 'newer'"))

    process = SkillProcess(replace(first, paths=(newer,)))

    assert said(process) == "newer"
    process.end("the test is over")


def test_code_that_is_not_what_it_says_does_not_start(tmp_path: Path) -> None:
    launched = launch(tmp_path, WHERE, is_inline=True)
    (module,) = (tmp_path / "code").glob("*.py")
    module.write_text(module.read_text().replace("mine: UserStore", "mine: UserStore, model: Model"))

    with pytest.raises(SkillBroke, match="not what its manifest says"):
        SkillProcess(launched)


def test_what_its_modules_remember_goes_with_it(tmp_path: Path) -> None:
    """As a process's memory does: whoever was erased is in none."""
    launched = launch(tmp_path, WHERE, is_inline=True)
    process = SkillProcess(launched)
    name = launched.manifest.entry_point.partition(":")[0]
    there = weakref.ref(sys.modules[name])

    process.end("somebody was erased")

    until(lambda: name not in sys.modules)
    until(lambda: gc.collect() is not None and there() is None)
