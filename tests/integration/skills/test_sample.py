"""What `parlour up --demo` puts in: once, and whatever cannot be had costs nothing else."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from parlour.bootstrap import Platform
from parlour.processes.sample import FOLDER, check_sample, put_in
from parlour.settings import SettingsError
from parlour.skills.authoring import check, new_skill
from tests.support.stage import Stage, make_template, open_stage

IMPORT = '''

@skill.imports("notes", "Notes, one a line")
async def take(upload: Upload, shared: SharedStore) -> str:
    """Count them."""
    return f"{len(b''.join([piece async for piece in upload.pieces()]).splitlines())} notes."
'''


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with one document, a skill with a sample file, and a skill that cannot be installed."""
    folder = tmp_path_factory.mktemp("checkout")
    (folder / "deploy" / "demo" / "knowledge").mkdir(parents=True)
    (folder / "deploy" / "demo" / "knowledge" / "hours.md").write_text("# Hours\n\nThe shop opens at nine.\n")
    new_skill(folder / "plugins", "notes")
    source = folder / "plugins" / "notes" / "src" / "parlour_notes" / "__init__.py"
    source.write_text(source.read_text().replace("import Skill,", "import SharedStore, Skill, Upload,") + IMPORT)
    assert check(folder / "plugins" / "notes", is_freezing=True).problems == ()
    (folder / "plugins" / "notes" / "demo").mkdir()
    (folder / "plugins" / "notes" / "demo" / "notes.txt").write_text("one\ntwo\n")
    shutil.copytree(folder / "plugins" / "notes", folder / "plugins" / "broken")
    (folder / "plugins" / "broken" / "src" / "parlour_notes" / "parlour-skill.json").unlink()
    return folder


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with open_stage(make_template(tmp_path / "data")) as made:
        yield made


def test_the_sample_is_put_in_once(stage: Stage, checkout: Path) -> None:
    first = list(put_in(stage.platform, checkout))

    assert first[0] == "1 sample documents are in, 1 passages."
    assert first[1].startswith("The skill in broken was left out: ")
    assert first[2:] == ["The skill notes 0.1.0 is installed.", "notes, notes: 2 notes."]

    # Only what could not be had is tried anew.
    assert list(put_in(stage.platform, checkout)) == [first[1]]
    assert _documents(stage.platform) == [f"{FOLDER}/hours.md"]


def test_a_skill_that_has_changed_is_installed_anew_and_keeps_what_it_has(
    stage: Stage, checkout: Path, tmp_path: Path
) -> None:
    list(put_in(stage.platform, checkout))
    changed = Path(shutil.copytree(checkout, tmp_path / "changed"))
    shutil.rmtree(changed / "plugins" / "broken")
    source = changed / "plugins" / "notes" / "src" / "parlour_notes" / "__init__.py"
    source.write_text(source.read_text() + "\n# changed\n")

    assert list(put_in(stage.platform, changed)) == ["The skill notes 0.1.0 is installed."]


def test_without_a_checkout_there_is_no_sample(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="make demo"):
        check_sample(tmp_path)

    assert check_sample() == Path(__file__).parents[3]


def _documents(platform: Platform) -> list[str]:
    return [one.name for one in platform.knowledge.library.every(platform.accounts.ensure_workspace())]
