"""A skill that crashes, hangs and floods while workers die: whoever talks to it is told so, and nobody else notices."""

from pathlib import Path

import pytest

from parlour.skills.authoring import check, new_skill
from tests.chaos.crowd import Crowd
from tests.chaos.house import House

MISCHIEF = '''
"""A skill that does harm."""

import os
import time
from collections.abc import AsyncIterator

from parlour.sdk import Skill, Turn

skill = Skill("mischief", "Does harm", zh="捣乱")


@skill.command("crash", "Crash", zh="崩溃")
async def crash(turn: Turn) -> str:
    """Take the process down."""
    os._exit(1)


@skill.command("hang", "Hang", zh="卡住")
async def hang(turn: Turn) -> str:
    """Never come back."""
    time.sleep(3_600)
    return ""


@skill.command("flood", "Flood", zh="刷屏")
async def flood(turn: Turn) -> AsyncIterator[str]:
    """Say more than anybody reads."""
    while True:
        yield "and another thing, " * 1_000
'''
TROUBLED = {900: "/crash", 901: "/hang", 902: "/flood"}


@pytest.mark.timeout(900)
def test_a_skill_that_crashes_hangs_and_floods_holds_up_nobody(house: House, crowd: Crowd, tmp_path: Path) -> None:
    new_skill(tmp_path, "mischief")
    source = tmp_path / "mischief" / "src" / "parlour_mischief" / "__init__.py"
    source.write_text(MISCHIEF, encoding="utf-8")
    assert check(tmp_path / "mischief", is_freezing=True).problems == ()
    installed = house.run("skill", "install", str(tmp_path / "mischief"), "--yes")
    assert installed.popen.returncode == 0, installed.output

    for person, command in TROUBLED.items():
        crowd.trouble(person, command, is_endless=command == "/hang")
    for round_number in range(4):
        for person in crowd.people:
            crowd.say(person)
        if round_number == 1:
            house.kill("worker")
            house.mend()

    # The one that hangs still does.
    verdict = crowd.settled(patience_s=240)
    assert verdict.is_clean, f"{verdict}\n{house.output[-6000:]}"
