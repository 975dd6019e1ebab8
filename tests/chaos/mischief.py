"""Skills that do harm, and putting them into a house."""

from pathlib import Path
from types import MappingProxyType
from typing import Final

from parlour.skills.authoring import check, new_skill
from tests.chaos.house import House

COMMANDS: Final = MappingProxyType({"crashes": "/crash", "hangs": "/hang", "floods": "/flood"})
_MISCHIEF: Final = '''
"""A skill that does harm."""

import os
from collections.abc import AsyncIterator

from parlour.sdk import Skill, Turn

skill = Skill("mischief", "Does harm", zh="捣乱")


@skill.command("crash", "Crash", zh="崩溃")
async def crash(turn: Turn) -> str:
    """Take the process down."""
    os._exit(1)


@skill.command("flood", "Flood", zh="刷屏")
async def flood(turn: Turn) -> AsyncIterator[str]:
    """Say more than anybody reads."""
    while True:
        yield "and another thing, " * 1_000


@skill.every("30s")
async def sulk() -> None:
    """Take down the job's process, each time."""
    os._exit(1)
'''
# One of its own: whoever is next at a skill that hangs waits, however it behaves otherwise.
_SLOTH: Final = '''
"""A skill that hangs."""

import time

from parlour.sdk import Skill, Turn

skill = Skill("sloth", "Hangs", zh="树懒")


@skill.command("hang", "Hang", zh="卡住")
async def hang(turn: Turn) -> str:
    """Never come back."""
    time.sleep(3_600)
    return ""
'''


def install(house: House, folder: Path) -> None:
    """Write the skills into `folder` and install them while the house runs. One has a job too, that dies each time."""
    for name, source in (("mischief", _MISCHIEF), ("sloth", _SLOTH)):
        new_skill(folder, name)
        (folder / name / "src" / f"parlour_{name}" / "__init__.py").write_text(source, encoding="utf-8")
        problems = check(folder / name, is_freezing=True).problems
        assert problems == (), problems
        house.carry_out("skill", "install", str(folder / name), "--yes")
