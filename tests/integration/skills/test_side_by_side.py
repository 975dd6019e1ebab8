"""Skills whose needs clash work side by side, each in an environment of its own."""

from pathlib import Path

from parlour.skills.authoring import check, new_skill
from parlour.skills.environment import Environments
from parlour.skills.package import read_package
from parlour.skills.process import SkillProcess
from tests.support.skills import said

COMMAND = '''

@skill.command("version", "Which numpy it has")
async def version() -> str:
    """Ask it."""
    import numpy

    return f"{numpy.__version__} {int(numpy.arange(4).sum())}"
'''
VERSIONS = {"first": "1.26.4", "second": "2.2.6"}


def test_two_skills_with_numpy_1_and_2_work_side_by_side(tmp_path: Path) -> None:
    environments = Environments(tmp_path / "skills")
    processes = []
    for name, version in VERSIONS.items():
        new_skill(tmp_path, name)
        project, source = (
            tmp_path / name / "pyproject.toml",
            tmp_path / name / "src" / f"parlour_{name}" / "__init__.py",
        )
        project.write_text(project.read_text().replace("dependencies = []", f'dependencies = ["numpy=={version}"]'))
        source.write_text(source.read_text() + COMMAND)
        assert check(tmp_path / name, is_freezing=True).problems == ()
        package = read_package(tmp_path / name)
        built = environments.build(package)
        processes.append(SkillProcess(environments.launch(package.manifest, built.folder)))

    answers = [said(process, handler="command:version") for process in processes]
    for process in processes:
        process.end("the test is over")

    assert answers == [f"{version} 6" for version in VERSIONS.values()]
