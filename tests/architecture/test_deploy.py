"""What stands in deploy/ names commands and settings that exist."""

import re
import shlex
from pathlib import Path

import pytest

from parlour.cli.main import ENTRIES
from parlour.settings import PREFIX, load
from scripts.write_docs import settings_names

DEPLOY = Path(__file__).parents[2] / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
WITH_SETTINGS = [DEPLOY / "parlour.env.example", DEPLOY / "compose.yaml", DEPLOY / "Dockerfile"]


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_a_unit_starts_a_command_that_exists(unit: Path) -> None:
    (line,) = re.findall(r"^ExecStart=(.+)$", unit.read_text(), re.MULTILINE)
    binary, command, *_ = shlex.split(line)

    assert Path(binary).name == "parlour"
    assert command in ENTRIES


@pytest.mark.parametrize("path", WITH_SETTINGS, ids=lambda path: path.name)
def test_every_setting_named_in_deploy_exists(path: Path) -> None:
    named = {name.removesuffix("_FILE") for name in re.findall(rf"\b{PREFIX}[A-Z_]+", path.read_text())}

    assert named - set(settings_names()) == set()


def test_the_example_environment_is_valid(tmp_path: Path) -> None:
    environment = dict(
        line.split("=", 1) for line in (DEPLOY / "parlour.env.example").read_text().splitlines() if line[:1].isalpha()
    )
    for name, value in environment.items():
        if name.endswith("_FILE"):
            secret = tmp_path / Path(value).name
            secret.write_text("a-secret\n")
            environment[name] = str(secret)

    settings = load(environment, config=None)

    assert settings.is_production
    assert settings.telegram.token.get_secret_value() == "a-secret"
