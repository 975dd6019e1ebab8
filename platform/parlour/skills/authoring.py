"""What a skill's author does: begin one, check it, freeze its manifest."""

import ast
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Final

from parlour.sdk.errors import SkillMistake
from parlour.sdk.manifest import FILE, Manifest, from_json, from_plain, to_json
from parlour.sdk.skill import LONGEST_NAME, NAME
from parlour.skills.errors import InstallRefused
from parlour.skills.package import GROUP

_LOAD_TIMEOUT_S: Final = 60
_LOADER: Final = """
import json, sys, traceback
from dataclasses import asdict
sys.path.insert(0, sys.argv[1])
from parlour.sdk.errors import SkillMistake
from parlour.sdk.manifest import manifest_of
from parlour.sdk.process import load
try:
    made = manifest_of(load(sys.argv[2]), version=sys.argv[3], entry_point=sys.argv[2])
    told = {"manifest": asdict(made)}
except SkillMistake as error:
    told = {"problem": str(error)}
except BaseException as error:
    frames = [one for one in traceback.extract_tb(error.__traceback__) if one.filename.startswith(sys.argv[1])]
    place = f"{frames[-1].filename}:{frames[-1].lineno}: " if frames else ""
    told = {"problem": f"{place}{type(error).__name__}: {error}"}
print("\\n" + json.dumps(told))
"""


@dataclass(frozen=True, slots=True)
class Checked:
    """What is wrong with a skill's folder, a sentence each, and its manifest where it loads."""

    problems: tuple[str, ...]
    manifest: Manifest | None
    file: Path | None


def check(folder: Path, *, is_freezing: bool = False) -> Checked:
    """Find what would fail at install, with file and line. Runs the skill's module: for skills of one's own.

    `is_freezing` writes the manifest that the code amounts to into its package. Raises `InstallRefused` where the
    folder holds no project at all.
    """
    version, entry_point = _project(folder)
    root = folder / "src" if (folder / "src").is_dir() else folder
    package = root / entry_point.partition(":")[0].partition(".")[0]
    problems = [found for path in sorted(package.rglob("*.py")) for found in _source_problems(path)]
    manifest = None
    if not problems:
        try:
            manifest = _loaded(root.resolve(), entry_point, version)
        except SkillMistake as error:
            problems.append(str(error))
    if manifest is None:
        return Checked(tuple(problems), None, None)
    file = package / FILE
    if is_freezing:
        file.write_text(to_json(manifest), encoding="utf-8")
    problems += _frozen_problems(file, manifest)
    return Checked(tuple(problems), manifest, file)


def new_skill(folder: Path, name: str) -> list[Path]:
    """Write a skill that works, with a test and a README, into `folder`/`name`. Raises `InstallRefused`."""
    if not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise InstallRefused(f"{name!r} is no skill's name. Use lower-case words with hyphens: greenhouse, my-skill.")
    place = folder / name
    if place.exists():
        raise InstallRefused(f"{place} is there already. Choose another name, or another folder with --into.")
    package = f"parlour_{name.replace('-', '_')}"
    known = {"name": name, "package": package, "module": name.replace("-", "_"), "group": GROUP}
    written = []
    for path, text in _TEMPLATES.items():
        file = place / Template(path).substitute(known)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(Template(text.lstrip("\n")).substitute(known), encoding="utf-8")
        written.append(file)
    frozen = check(place, is_freezing=True)
    if frozen.problems or frozen.file is None:
        raise InstallRefused("; ".join(frozen.problems))
    return [*written, frozen.file]


def _project(folder: Path) -> tuple[str, str]:
    path = folder / "pyproject.toml"
    try:
        project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
        points = project["entry-points"][GROUP]
        (entry_point,) = points.values()
        return str(project["version"]), str(entry_point)
    except OSError:
        raise InstallRefused(f"{path} cannot be read. Make a skill with: parlour skill new NAME") from None
    except tomllib.TOMLDecodeError as error:
        raise InstallRefused(f"{path}: {error}") from None
    except (KeyError, ValueError, TypeError, AttributeError):
        problem = f'{path}: needs [project] with version, and [project.entry-points."{GROUP}"] with one line.'
        raise InstallRefused(f'{problem} For example: greenhouse = "parlour_greenhouse:skill"') from None


def _source_problems(path: Path) -> Iterator[str]:
    """What can be seen without running anything."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except SyntaxError as error:
        yield f"{path}:{error.lineno}: {error.msg}"
        return
    except (UnicodeDecodeError, ValueError):
        yield f"{path}:1: is not Python in UTF-8"
        return
    for node in ast.walk(tree):
        names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module]
            if node.module == "parlour":
                names = [f"parlour.{one.name}" for one in node.names]
        for name in names:
            if name == "parlour" or (name.startswith("parlour.") and not f"{name}.".startswith("parlour.sdk.")):
                line = getattr(node, "lineno", 1)
                yield f"{path}:{line}: imports {name}, which is not there in a skill. Import from parlour.sdk alone."


def _loaded(root: Path, entry_point: str, version: str) -> Manifest:
    """The manifest that the code amounts to. In a process of its own: checking leaves nothing behind in this one."""
    command = [sys.executable, "-B", "-c", _LOADER, str(root), entry_point, version]
    try:
        done = subprocess.run(  # noqa: S603 (the author's own code)
            command, capture_output=True, text=True, check=False, timeout=_LOAD_TIMEOUT_S
        )
        told = json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        raise SkillMistake(f"{entry_point} does not load within {_LOAD_TIMEOUT_S} s. Do nothing on import.") from None
    except (ValueError, IndexError):
        raise SkillMistake(f"{entry_point} ends the process when it is imported. Do nothing on import.") from None
    if "problem" in told:
        raise SkillMistake(told["problem"])
    return from_plain(told["manifest"])


def _frozen_problems(file: Path, manifest: Manifest) -> Iterator[str]:
    remedy = "Freeze it with: parlour skill check --freeze FOLDER"
    try:
        if from_json(file.read_bytes()) != manifest:
            yield f"{file}: is not what the code says any more. {remedy}"
    except FileNotFoundError:
        yield f"{file}: is not there. {remedy}"
    except SkillMistake as error:
        yield f"{file}: {error}"


_TEMPLATES: Final = {
    "pyproject.toml": """
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "parlour-$name"
version = "0.1.0"
description = "A skill for Parlour"
requires-python = ">=3.11"
# What the skill needs besides parlour.sdk, which is there where it runs.
dependencies = []

[project.entry-points."$group"]
$name = "$package:skill"

[tool.hatch.build.targets.wheel]
packages = ["src/$package"]

[tool.pytest.ini_options]
pythonpath = ["src"]
""",
    "README.md": """
# $name

A skill for Parlour. Say something to it, or type `/$name`.

```console
$$ parlour skill check --freeze .
$$ pytest
$$ parlour skill install .
```

`parlour-skill.json` says what the skill asks for; it is shown before the skill is installed. Freeze it anew whenever
the parameters of a handler, the settings or the name change.
""",
    "src/$package/__init__.py": '''
"""A skill: notes that people keep with the assistant."""

from typing import Annotated

from parlour.sdk import Skill, Turn, UserStore

skill = Skill("$name", "Keeps notes for you", zh="为您记笔记", keeps={"note": "the notes you asked to keep"})


@skill.settings
class Settings:
    """What an operator can set: parlour skill configure $name most=20"""

    most: Annotated[int, "How many notes a person may keep"] = 50


@skill.answers("Remember that I parked on level 3", "Make a note: call the bank", "记一下：明天三点开会")
async def remember(turn: Turn, mine: UserStore, settings: Settings) -> str:
    """Keep what was said."""
    if len(await mine.all("note")) >= settings.most:
        return "笔记已满。" if turn.language == "zh" else "Your notes are full."
    await mine.put("note", {"text": turn.text})
    return "记下了。" if turn.language == "zh" else "Noted."


@skill.command("$name", "List your notes", zh="列出您的笔记")
async def notes(mine: UserStore) -> str:
    """All notes of whoever asks."""
    return "\\n".join(f"- {note['text']}" for note in await mine.all("note")) or "None yet."
''',
    "tests/test_$module.py": '''
"""The skill on stage: no platform, no network."""

from parlour.sdk.testing import Rehearsal

from $package import skill


def test_what_is_noted_is_listed() -> None:
    rehearsal = Rehearsal(skill)

    rehearsal.say("call the bank")

    assert rehearsal.command("$name").text == "- call the bank"


def test_nobody_sees_the_notes_of_another() -> None:
    rehearsal = Rehearsal(skill)

    rehearsal.say("call the bank", user="ann")

    assert rehearsal.command("$name", user="bob").text == "None yet."


def test_there_is_an_end_to_it() -> None:
    rehearsal = Rehearsal(skill, settings={"most": 1})

    rehearsal.say("one")

    assert rehearsal.say("two", language="zh").text == "笔记已满。"
''',
}
