"""`parlour skill`, as typed."""

import json
import shutil
from pathlib import Path

import pytest
from sqlalchemy import select

from parlour.skills.authoring import new_skill
from tests.support.command import Command


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A skill as it begins; beginning one starts a process that loads it."""
    folder = tmp_path_factory.mktemp("begun")
    new_skill(folder, "notes")
    return folder / "notes"


@pytest.fixture
def ready(parlour: Command, notes: Path, tmp_path: Path) -> Command:
    """The same, with databases, keys, and a skill's folder `notes`."""
    from parlour.settings import load  # noqa: PLC0415 (after the environment is set)
    from tests.support.storage import open_storage  # noqa: PLC0415

    settings = load()
    with open_storage(settings.database_url, settings.keys_url, settings.key_file) as storage:
        storage.workspace()
    shutil.copytree(notes, tmp_path / "notes")
    return parlour


def test_a_skill_is_begun_and_checked(parlour: Command) -> None:
    code, said, _ = parlour("skill", "new", "notes")
    assert code == 0
    assert "notes/src/parlour_notes/__init__.py" in said

    code, said, _ = parlour("skill", "check", "notes")
    assert code == 0
    assert "may keep documents about the person it talks to, sealed (UserStore)" in said
    assert said.endswith("is what the code says. Nothing is wrong.\n")


def test_what_is_wrong_is_told_with_its_line(parlour: Command, tmp_path: Path) -> None:
    parlour("skill", "new", "notes")
    source = tmp_path / "notes/src/parlour_notes/__init__.py"
    source.write_text("import parlour.store\n")

    code, said, problem = parlour("skill", "check", "notes")

    assert code == 1
    assert "__init__.py:1: imports parlour.store" in said
    assert problem == "1 problem in notes.\n"


def test_a_skill_is_installed_seen_set_disabled_and_removed(ready: Command) -> None:
    code, said, _ = ready("skill", "install", "notes", "--yes")
    assert code == 0
    assert said.index("may keep documents") < said.index("Granted: UserStore.") < said.index("is installed")

    listed = json.loads(ready("skill", "list", "--json")[1])
    assert [(row["name"], row["version"], row["state"], row["may"]) for row in listed] == [
        ("notes", "0.1.0", "enabled", "UserStore")
    ]

    assert ready("skill", "configure", "notes", "most=7")[0] == 0
    assert json.loads(ready("skill", "info", "notes", "--json")[1])["settings"] == {"most": 7}
    assert ready("skill", "configure", "notes", "most=")[0] == 0
    assert json.loads(ready("skill", "info", "notes", "--json")[1])["settings"] == {"most": 50}

    assert ready("skill", "disable", "notes")[0] == 0
    assert json.loads(ready("skill", "list", "--json")[1])[0]["state"] == "disabled"
    assert ready("skill", "enable", "notes")[0] == 0

    assert ready("skill", "remove", "notes", "--with-data", "--yes")[0] == 0
    assert ready("skill", "list")[1] == "None yet. Begin one with: parlour skill new NAME\n"


def test_a_skill_is_enabled_in_a_channel_alone(ready: Command) -> None:
    ready("skill", "install", "notes", "--yes")
    ready("skill", "disable", "notes")

    code, said, _ = ready("skill", "enable", "notes", "--channel", "telegram")

    assert (code, said) == (0, "notes is enabled in telegram.\n")
    assert json.loads(ready("skill", "info", "notes", "--json")[1])["scopes"] == [
        {"is_enabled": True, "channel": "telegram", "conversation_id": None}
    ]
    assert "It is enabled in telegram." in ready("skill", "info", "notes")[1]
    unknown = "01a205dc-284c-76f5-b6ea-c4fcc0328c41"
    code, _, problem = ready("skill", "enable", "notes", "--conversation", unknown)
    assert code == 1
    assert problem == f"No conversation {unknown}. Find it with: parlour turn show TURN\n"
    assert ready("skill", "enable", "notes", "--channel", "web", "--conversation", unknown)[0] == 2


def test_what_skills_do_by_themselves_is_listed(ready: Command, tmp_path: Path) -> None:
    assert ready("skill", "jobs")[1] == "No skill does anything by itself.\n"
    source = tmp_path / "notes/src/parlour_notes/__init__.py"
    source.write_text(
        source.read_text().replace("import Skill,", "import Clock, Skill,")
        + '\n\n@skill.every("1h")\nasync def tidy(clock: Clock):\n    pass\n'
    )
    ready("skill", "check", "--freeze", "notes")
    ready("skill", "install", "notes", "--yes")

    (job,) = json.loads(ready("skill", "jobs", "--json")[1])

    assert (job["skill"], job["name"], job["schedule"], job["runs"]) == ("notes", "tidy", "1h", 0)
    assert "never" in ready("skill", "jobs", "notes")[1]
    assert json.loads(ready("skill", "info", "notes", "--json")[1])["jobs"] == [job]
    assert ready("skill", "jobs", "tax")[0] == 1


def test_without_a_yes_nothing_is_installed(ready: Command) -> None:
    code, _, problem = ready("skill", "install", "notes")

    assert code == 1
    assert problem.endswith("\n")
    assert ready("skill", "list", "--json")[1] == "[]\n"


def test_a_skill_that_cannot_be_read_takes_no_other_with_it(ready: Command) -> None:
    from parlour.settings import load  # noqa: PLC0415 (after the environment is set)
    from parlour.store.database import Database  # noqa: PLC0415

    ready("skill", "new", "plants")
    for name in ("notes", "plants"):
        assert ready("skill", "install", name, "--yes")[0] == 0
    database = Database(load().database_url)
    with database.begin() as session:
        session.connection().exec_driver_sql("UPDATE skills SET manifest = '{}' WHERE name = 'notes'")
    database.close()

    code, listed, warned = ready("skill", "list", "--json")

    assert code == 0
    assert [row["name"] for row in json.loads(listed)] == ["plants"]
    assert warned.endswith("or take it out: parlour skill remove notes --yes\n")
    assert "parlour skill upgrade notes SOURCE" in ready("skill", "info", "notes")[2]
    assert ready("skill", "remove", "notes", "--yes")[0] == 0
    assert ready("skill", "install", "notes", "--yes")[0] == 0


def test_a_command_that_parlour_took_for_itself_is_named_and_an_upgrade_puts_it_right(ready: Command) -> None:
    from parlour.settings import load  # noqa: PLC0415 (after the environment is set)
    from parlour.store.database import Database  # noqa: PLC0415
    from parlour.store.skill_models import SkillRow  # noqa: PLC0415

    assert ready("skill", "install", "notes", "--yes")[0] == 0
    database = Database(load().database_url)
    with database.begin() as session:
        row = session.scalars(select(SkillRow)).one()
        kept = json.loads(row.manifest)
        (command,) = [one for one in kept["handlers"] if one["id"] == "command:notes"]
        command |= {"id": "command:link", "name": "link"}
        row.manifest = json.dumps(kept)
    database.close()

    warned = ready("skill", "list")[2]
    assert "/link is a command of Parlour's own. Take a version that calls it otherwise." in warned
    assert "parlour skill upgrade notes SOURCE" in warned

    code, said, _ = ready("skill", "upgrade", "notes", "notes", "--yes")
    assert (code, ready("skill", "list")[2]) == (0, "")
    assert "one that cannot be read to 0.1.0" in said


def test_a_command_that_another_skill_has_is_told_before_it_is_granted(ready: Command, tmp_path: Path) -> None:
    ready("skill", "new", "plants")
    source = tmp_path / "plants/src/parlour_plants/__init__.py"
    source.write_text(source.read_text().replace('skill.command("plants"', 'skill.command("notes"'))
    assert ready("skill", "check", "--freeze", "plants")[0] == 0
    assert ready("skill", "install", "notes", "--yes")[0] == 0
    told = "/notes is a command of notes too; where both are enabled, notes has it"

    _, said, refused = ready("skill", "install", "plants")

    assert told in said
    assert refused
    said = ready("skill", "install", "plants", "--yes")[1]
    assert said.index(told) < said.index("Granted")
    assert told in ready("skill", "info", "plants")[1]
    assert "shares a command: /notes is a command of plants too" in ready("skill", "info", "notes")[1]


def test_a_place_where_nothing_can_be_made_is_one_line(parlour: Command, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    code, _, problem = parlour("skill", "new", "notes", "--into", "file")

    assert code == 1
    assert problem == "file/notes cannot be made (Not a directory). Name another folder with --into.\n"


def test_a_setting_that_does_not_fit_is_one_line(ready: Command) -> None:
    ready("skill", "install", "notes", "--yes")

    assert ready("skill", "configure", "notes", "most=many") == (1, "", "notes: most must be of type integer.\n")
    huge = "most=" + "9" * 23
    assert ready("skill", "configure", "notes", huge) == (1, "", "notes: most is too large a number.\n")


@pytest.mark.parametrize("command", [["info"], ["enable"], ["disable"], ["remove", "--yes"], ["configure", "x=1"]])
def test_an_unknown_skill_is_one_line(ready: Command, command: list[str]) -> None:
    code, _, problem = ready("skill", command[0], "tax", *command[1:])

    assert code == 1
    remedy = "Install one with: parlour skill install SOURCE"
    assert problem == f"No skill named 'tax'. Installed: none. {remedy}\n"


def test_what_is_no_skill_is_one_line(ready: Command) -> None:
    code, _, problem = ready("skill", "install", "./nothing")

    assert code == 1
    remedy = "Give a folder, a .whl, a .tar.gz, https://….whl#sha256=…, git+https://… or NAME==VERSION."
    assert problem == f"./nothing is not there. {remedy}\n"


IMPORTS = """
from parlour.sdk import Upload


@skill.imports("rows", "Rows, one a line")
async def rows(upload: Upload):
    lines = b"".join([piece async for piece in upload.pieces()]).decode().split(",")
    good = [line for line in lines if line]
    wrong = {number: "is empty" for number, line in enumerate(lines, start=1) if not line}
    await upload.report(kept=len(good), refused=len(wrong), rows=wrong)
    return f"{len(good)} rows."
"""


def test_an_import_of_which_nothing_was_kept_fails_and_names_rows(ready: Command, tmp_path: Path) -> None:
    source = tmp_path / "notes/src/parlour_notes/__init__.py"
    source.write_text(source.read_text() + IMPORTS)
    assert ready("skill", "check", "--freeze", "notes")[0] == 0
    assert ready("skill", "install", "notes", "--yes")[0] == 0
    (tmp_path / "some").write_text("a,,b")
    (tmp_path / "none").write_text("," * 7)

    assert ready("skill", "import", "notes", "rows", "some")[:2] == (0, "2 rows.\n")
    code, said, problem = ready("skill", "import", "notes", "rows", "none")

    assert (code, said) == (1, "0 rows.\n")
    assert problem == (
        "Nothing of none was kept: 8 rows were refused: row 1 is empty; row 2 is empty; row 3 is empty; "
        "row 4 is empty; row 5 is empty; and more. Mend the file and hand it in again.\n"
    )
