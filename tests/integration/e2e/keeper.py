"""A skill that keeps what it is told in every place that a skill has, for the proof of an erasure."""

from pathlib import Path

from parlour.skills.authoring import check, new_skill

_SOURCE = '''
"""Keeps what it is told in every place that a skill has."""

import sys

from parlour.sdk import File, Handoff, Notify, Skill, Turn, UserStore

skill = Skill("keeper", "Keeps what it is told", keeps={"note": "what it was told"})
heard = []


@skill.command("keep", "Keep something")
async def keep(turn: Turn, mine: UserStore, notify: Notify):
    heard.append(turn.text)
    print(turn.text, flush=True)
    print(turn.text, file=sys.stderr, flush=True)
    await mine.put("note", {"said": turn.text}, id=turn.text)
    await notify.subscribe(turn.text)
    return ["Kept.", File(f"{turn.text}.txt", turn.text.encode(), "text/plain")]


@skill.command("stumble", "Fail over what was said")
async def stumble(turn: Turn):
    raise ValueError(turn.text)


@skill.command("agent", "Ask for a person")
async def agent(turn: Turn, handoff: Handoff):
    await handoff.request(turn.text)
    return "Somebody will come."
'''


def keeper(folder: Path) -> Path:
    """The skill as a folder to install from."""
    new_skill(folder, "keeper")
    (folder / "keeper" / "src" / "parlour_keeper" / "__init__.py").write_text(_SOURCE, encoding="utf-8")
    checked = check(folder / "keeper", is_freezing=True)
    assert checked.problems == ()
    return folder / "keeper"
