"""Every command explains itself, and the list of commands stays quick."""

import subprocess
import sys
import typing
from typing import Any

import pytest

from parlour.cli.main import ENTRIES
from scripts.write_docs import commands

COMMANDS = dict(commands())


@pytest.mark.parametrize("path", COMMANDS)
def test_a_commands_help_has_an_example(path: str) -> None:
    shown = f"{COMMANDS[path].help or ''}\n{COMMANDS[path].epilog or ''}"

    assert "Example" in shown
    assert path in shown.partition("Example")[2]


@pytest.mark.parametrize("path", COMMANDS)
def test_every_option_of_a_command_says_what_it_does(path: str) -> None:
    silent = [parameter.name for parameter in COMMANDS[path].params if not _says(parameter)]

    assert silent == []


@pytest.mark.parametrize("path", [path for path in COMMANDS if path.endswith((" list", " show", " status"))])
def test_a_command_that_lists_has_json(path: str) -> None:
    options = {name for parameter in COMMANDS[path].params for name in parameter.opts}

    assert "--json" in options


def test_the_help_page_loads_no_sub_command() -> None:
    """It reads the names from a table, so that it is there at once."""
    code = (
        "import sys\nfrom parlour.cli.main import run\n"
        "try:\n    run(['--help'])\nexcept SystemExit as end:\n    assert end.code == 0\n"
        f"loaded = {[entry.module for entry in ENTRIES.values()]!r}\n"
        "loaded += ['sqlalchemy', 'celery', 'telegram']\n"
        "print([name for name in loaded if name in sys.modules], file=sys.stderr)"
    )

    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert result.stderr.strip() == "[]"
    assert "doctor" in result.stdout


def _says(parameter: typing.Any) -> Any:
    return parameter.name == "help" or getattr(parameter, "help", None)
